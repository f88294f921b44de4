"""Figures of sets over many resamples at once. In: checked cells. Out: functions of counts. Next: ranking.py.

Shapes: N pictures, K classes, G groups, b resamples of the bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.intervals import Counts
from tellapart.evaluation.totals import sum_by_group

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredCells:
    """A test split of sets, checked. A cell that is not known counts neither way, in no figure."""

    probabilities: Doubles  # [N, K]
    positive: Flags  # [N, K], known to be in the set
    known: Flags  # [N, K]
    predicted: Flags  # [N, K], at or above the threshold
    groups: NDArray[np.int64]  # [N], from 0
    group_count: int  # G

    @property
    def ranked(self) -> NDArray[np.int64]:
        """The classes, int64 [k] in 0..K-1, that have a known positive and a known negative."""
        some = self.positive.any(axis=0) & (self.known & ~self.positive).any(axis=0)
        return np.flatnonzero(some)


def contributions(cells: ScoredCells) -> dict[str, tuple[Doubles, Doubles]]:
    """What each picture adds to the figures that are quotients of sums, numerator and denominator [N] each."""
    wrong = ((cells.predicted != cells.positive) & cells.known).sum(axis=1).astype(np.float64)
    cell_count = cells.known.sum(axis=1).astype(np.float64)
    some = (cell_count > 0).astype(np.float64)
    return {
        "hamming_loss": (wrong, cell_count),
        "subset_accuracy": ((wrong == 0) * some, some),
        "label_ranking_average_precision": (ranking_precision(cells) * some, some),
        "log_loss": (_cross_entropy(cells).sum(axis=1), cell_count),
    }


def ranking_precision(cells: ScoredCells) -> Doubles:
    """Label ranking average precision of each picture [N] in [0, 1], among its known classes; 1 where all or none are right.

    Source: Schapire and Singer 2000, BoosTexter, Machine Learning 39:135-168; scikit-learn's
    `label_ranking_average_precision_score`.
    """
    found = np.ones(len(cells.known))
    for row in np.flatnonzero(cells.positive.any(axis=1) & (cells.known & ~cells.positive).any(axis=1)).tolist():
        known = cells.known[row]
        scores, right = cells.probabilities[row, known], cells.positive[row, known]
        above = scores[None, :] >= scores[right][:, None]
        found[row] = float((above[:, right].sum(axis=1) / above.sum(axis=1)).mean())
    return found


def _cross_entropy(cells: ScoredCells) -> Doubles:
    """Nats of each cell [N, K], 0 where it is not known; probabilities are clipped as by scikit-learn's log_loss."""
    least = float(np.finfo(np.float64).eps)
    own = np.where(cells.positive, cells.probabilities, 1 - cells.probabilities)
    return np.where(cells.known, -np.log(np.clip(own, least, 1.0)), 0.0)


def quotients(cells: ScoredCells, parts: Mapping[str, tuple[Doubles, Doubles]]) -> dict[str, float]:
    """The figures of the pictures themselves by name, in double precision; `parts`: numerators and denominators [N]."""
    right, support, predicted = (table.sum(axis=0).astype(np.float64)[:, None] for table in _tables(cells))
    sums = np.array([[value.sum()] for pair in parts.values() for value in pair])
    return {name: float(found[0]) for name, found in _figures(right, support, predicted, sums, tuple(parts)).items()}


def statistics(
    cells: ScoredCells, parts: Mapping[str, tuple[Doubles, Doubles]]
) -> Callable[[Counts], dict[str, Doubles]]:
    """A function from counts [b, G] to the figures [b] of each resample by name: those of `quotients`, and of each class k
    "precision k", "recall k" and "f1 k", NaN where they are not defined."""
    class_count = cells.known.shape[1]
    rows, groups, values = [], [], []
    for number, table in enumerate(_tables(cells)):
        pictures, classes = np.nonzero(table)
        rows.append(number * class_count + classes)
        groups.append(cells.groups[pictures])
        values.append(np.ones(len(pictures)))
    for number, value in enumerate(value for pair in parts.values() for value in pair):
        rows.append(np.full(len(value), 3 * class_count + number))
        groups.append(cells.groups)
        values.append(value)
    shape = (3 * class_count + 2 * len(parts), cells.group_count)
    sums = sum_by_group(np.concatenate(rows), np.concatenate(values), np.concatenate(groups), shape)

    def figures(counts: Counts) -> dict[str, Doubles]:
        totals = sums.of(counts).astype(np.float64)
        right, support, predicted = totals[: 3 * class_count].reshape(3, class_count, -1)
        found = _figures(right, support, predicted, totals[3 * class_count :], tuple(parts))
        for name, whole, times in (("precision", predicted, 1), ("recall", support, 1), ("f1", support + predicted, 2)):
            shares = np.divide(times * right, whole, out=np.full(right.shape, np.nan), where=whole > 0)
            found |= {f"{name} {number}": row for number, row in enumerate(shares)}
        return found

    return figures


def _tables(cells: ScoredCells) -> tuple[Flags, Flags, Flags]:
    """Which cells are rightly named, there, and named, [N, K] each."""
    return cells.positive & cells.predicted, cells.positive, cells.predicted & cells.known


def _figures(
    right: Doubles, support: Doubles, predicted: Doubles, sums: Doubles, names: Sequence[str]
) -> dict[str, Doubles]:
    """Counts [K, b] and sums [2 x names, b] of contributions to figures [b]."""
    found = {"micro_f1": _share(2 * right.sum(axis=0), (support + predicted).sum(axis=0))}
    present = support > 0
    f1 = np.where(present, _share(2 * right, support + predicted), 0.0)
    found["macro_f1"] = _share(f1.sum(axis=0), present.sum(axis=0))
    return found | {name: _share(*sums[2 * number : 2 * number + 2]) for number, name in enumerate(names)}


def _share(part: Doubles, whole: NDArray[np.generic]) -> Doubles:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part, dtype=np.float64), where=np.asarray(whole) > 0))
