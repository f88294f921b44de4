"""Which classes of a set look wrong, which pictures foreign. In: chances, targets, embeddings. Out: SetReport. Next: intervals.py.

The probabilities must come from classifiers that did not see the picture (training/multilabel_out_of_fold.py): one that did
has learned the wrong label with it. A cell is one class of one picture: N pictures, K classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.confident import off_the_diagonal
from tellapart.evaluation.labels import neighbour_distance, stands_out
from tellapart.half_rows import HalfRows

Kind = Literal["missing", "extra"]
KINDS: tuple[Kind, ...] = ("missing", "extra")


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtfulCell:
    """One class of one picture to look at."""

    row: int  # into the arrays that were examined
    label: int  # class
    kind: Kind  # missing: the class is not in the set, but looks to be there; extra: the other way round
    probability: float  # of the class, from a classifier that did not see the picture
    score: float  # [0, 1], most suspicious 1: one minus the probability of what the set says


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignPicture:
    """One picture that is unlike all others."""

    row: int
    score: float  # [0, 1], mean cosine distance to its neighbours, at most 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReport:
    """Every doubtful cell, and every picture unlike the others; each most suspicious first."""

    missing: tuple[DoubtfulCell, ...]
    extra: tuple[DoubtfulCell, ...]
    outliers: tuple[ForeignPicture, ...]
    judged: int  # known cells that a classifier could judge without having seen them
    agreeing: int  # of them, those that it would have filled in alike

    @property
    def cells(self) -> tuple[DoubtfulCell, ...]:
        """Missing and extra ones, most suspicious first."""
        return tuple(sorted((*self.missing, *self.extra), key=lambda cell: (-cell.score, cell.row, cell.label)))


def examine_sets(
    probabilities: NDArray[np.floating],
    targets: NDArray[np.floating],
    embeddings: NDArray[np.floating] | HalfRows,
    *,
    groups: Sequence[str] | NDArray[np.integer] | None = None,
) -> SetReport:
    """Classes that are probably missing from a picture's set or wrongly in it, and outliers.

    `probabilities` [N, K] are out-of-fold, or NaN where there are none; `targets` [N, K] in {0, 1, NaN}: a cell that is not
    known is not judged; `embeddings` [N, D]; `groups` [N]: copies in one group do not vouch for each other ("" is no group).
    A class is judged for itself, as a question of yes or no: as many cells are named as its confident joint counts off its
    diagonal (Northcutt et al. 2021, arXiv 1911.00068; cleanlab's "confident_learning", see confident.py), namely
    those that joint counts. Of 5 % flipped cells of collages it names 71 %, and 76 % of those named are right; cleanlab's
    default, pruning by noise rate, names 82 % and is right in 62 %. outliers: as in labels.py.
    """
    chances = np.asarray(probabilities, dtype=np.float64)
    given = np.asarray(targets, dtype=np.float64)
    judged = np.isfinite(chances) & np.isfinite(given)
    wrong = np.zeros(given.shape, dtype=np.bool_)
    for number in range(given.shape[1]):
        rows = np.flatnonzero(judged[:, number])
        wrong[rows, number] = _wrong(chances[rows, number], given[rows, number] == 1)
    distance = neighbour_distance(embeddings, groups)
    outliers = np.flatnonzero(stands_out(distance))
    agreeing = (np.nan_to_num(chances) > 0.5) == (given == 1)
    return SetReport(
        missing=_cells("missing", wrong & (given == 0), chances),
        extra=_cells("extra", wrong & (given == 1), chances),
        outliers=tuple(
            ForeignPicture(row=row, score=float(np.clip(distance[row], 0.0, 1.0)))
            for row in outliers[np.argsort(-distance[outliers], kind="stable")].tolist()
        ),
        judged=int(judged.sum()),
        agreeing=int((agreeing & judged).sum()),
    )


def suggest(targets: NDArray[np.floating], cells: Iterable[DoubtfulCell]) -> NDArray[np.float64]:
    """`targets` [N, K] with every doubtful cell turned over: what a person may find to be right."""
    changed = np.array(targets, dtype=np.float64)
    for cell in cells:
        changed[cell.row, cell.label] = 1.0 if cell.kind == "missing" else 0.0
    return changed


def _wrong(chances: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which pictures [n] look wrong about one class; none where all have it or all lack it."""
    # One class at a time, as the pictures of which it is known differ from class to class.
    return off_the_diagonal(present.astype(np.int64), np.stack([1 - chances, chances], axis=1))


def _cells(kind: Kind, named: NDArray[np.bool_], chances: NDArray[np.float64]) -> tuple[DoubtfulCell, ...]:
    """The cells that are `named` [N, K], the least probable first."""
    rows, labels = np.nonzero(named)
    probability = chances[rows, labels]
    score = probability if kind == "missing" else 1 - probability
    return tuple(
        DoubtfulCell(
            row=int(rows[index]),
            label=int(labels[index]),
            kind=kind,
            probability=float(probability[index]),
            score=float(np.clip(score[index], 0.0, 1.0)),
        )
        for index in np.argsort(-score, kind="stable").tolist()
    )
