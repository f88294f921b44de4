"""Figures of sets over many resamples at once. In: checked cells. Out: functions of counts. Next: scoring.py.

Shapes: N pictures, K classes, G groups, b resamples of the bootstrap, S steps of a ranking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.intervals import Counts, sum_by_group

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """A test split of sets, checked. A cell that is not known counts neither way, in no figure."""

    probabilities: Doubles  # [N, K]
    positive: Flags  # [N, K], known to be in the set
    known: Flags  # [N, K]
    predicted: Flags  # [N, K], at or above the threshold
    groups: NDArray[np.int64]  # [N], from 0
    group_count: int  # G

    @property
    def ranked(self) -> NDArray[np.int64]:
        """The classes that have a known positive and a known negative."""
        some = self.positive.any(axis=0) & (self.known & ~self.positive).any(axis=0)
        return np.flatnonzero(some)


def average_precision(scores: Doubles, positive: Flags) -> float:
    """Mean of the precision at each positive's place in falling order of score, in [0, 1]; NaN without positives.

    Equal scores share a place, as in scikit-learn's `average_precision_score`. `scores` and `positive` are [n].
    """
    if not positive.any():
        return float("nan")
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(positive, scores))


def mean_average_precision(targets: NDArray[np.floating], scores: NDArray[np.floating]) -> float | None:
    """The mean average precision of the classes of which both kinds of pictures are known; None where there is none.

    `targets` [N, K] in {0, 1, NaN}, NaN is left out; `scores` [N, K], the higher the surer. Source: scikit-learn's.
    """
    found = []
    for targets_N, scores_N in zip(targets.T, scores.T, strict=True):
        known = ~np.isnan(targets_N)
        if 0 < targets_N[known].sum() < known.sum():
            found.append(average_precision(scores_N[known].astype(np.float64), targets_N[known] == 1))
    return float(np.mean(found)) if found else None


def precision_of_resamples(cells: Cells) -> Callable[[Counts], Doubles]:
    """A function from counts [b, G] to the mean average precision [b]; a class that a resample lacks is left out of it."""
    parts = [
        _precision(cells.probabilities[known, number], cells.positive[known, number], cells.groups[known], cells)
        for number in cells.ranked.tolist()
        for known in [cells.known[:, number]]
    ]

    def mean_precision(counts: Counts) -> Doubles:
        found = np.stack([part(counts) for part in parts])
        there = ~np.isnan(found)
        total = np.where(there, found, 0.0).sum(axis=0)
        return np.asarray(
            np.divide(total, there.sum(axis=0), out=np.full(len(counts), np.nan), where=there.any(axis=0))
        )

    return mean_precision


def _precision(
    scores: Doubles, positive: Flags, groups: NDArray[np.int64], cells: Cells
) -> Callable[[Counts], Doubles]:
    # Sorted once, here: a resample only changes how often each step of the ranking counts. Equal scores are one step.
    steps, step_of = np.unique(-scores, return_inverse=True)
    shape, ones = (len(steps), cells.group_count), np.ones(len(scores))
    hits = sum_by_group(step_of[positive], ones[positive], groups[positive], shape)
    taken = sum_by_group(step_of, ones, groups, shape)

    def precision(counts: Counts) -> Doubles:
        found = hits @ counts.T  # [S, b]
        at = np.cumsum(found, axis=0, dtype=np.float64)
        seen = np.cumsum(taken @ counts.T, axis=0, dtype=np.float64)
        share = np.divide(at, seen, out=np.zeros_like(at), where=seen > 0)
        total = at[-1]
        mean = np.einsum("sb,sb->b", found, share, dtype=np.float64)
        return np.asarray(np.divide(mean, total, out=np.full(len(counts), np.nan), where=total > 0))

    return precision


def contributions(cells: Cells) -> dict[str, tuple[Doubles, Doubles]]:
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


def ranking_precision(cells: Cells) -> Doubles:
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


def _cross_entropy(cells: Cells) -> Doubles:
    """Nats of each cell [N, K], 0 where it is not known; probabilities are clipped as by scikit-learn's log_loss."""
    least = float(np.finfo(np.float64).eps)
    own = np.where(cells.positive, cells.probabilities, 1 - cells.probabilities)
    return np.where(cells.known, -np.log(np.clip(own, least, 1.0)), 0.0)


def statistics(cells: Cells, parts: Mapping[str, tuple[Doubles, Doubles]]) -> Callable[[Counts], dict[str, Doubles]]:
    """A function from counts [b, G] to the figures [b] of each resample by name, the mean average precision left out."""
    class_count = cells.known.shape[1]
    tables = (cells.positive & cells.predicted, cells.positive, cells.predicted & cells.known)
    rows, groups, values = [], [], []
    for number, table in enumerate(tables):
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
        totals = (sums @ counts.T).astype(np.float64)
        right, support, predicted = totals[: 3 * class_count].reshape(3, class_count, -1)
        found = {"micro_f1": _share(2 * right.sum(axis=0), (support + predicted).sum(axis=0))}
        present = support > 0
        f1 = np.where(present, _share(2 * right, support + predicted), 0.0)
        found["macro_f1"] = _share(f1.sum(axis=0), present.sum(axis=0))
        for number, name in enumerate(parts):
            found[name] = _share(*totals[3 * class_count + 2 * number :][:2])
        return found

    return figures


def _share(part: Doubles, whole: NDArray[np.generic]) -> Doubles:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part, dtype=np.float64), where=np.asarray(whole) > 0))
