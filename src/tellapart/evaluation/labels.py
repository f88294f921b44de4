"""Which pictures look wrongly labelled, foreign or undecided. In: probabilities, embeddings. Out: LabelReport. Next: intervals.py.

The probabilities must come from classifiers that did not see the picture (training/out_of_fold.py): one that did has learned
the wrong label with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.confident import off_the_diagonal
from tellapart.half_rows import HalfRows

Kind = Literal["label", "outlier", "ambiguous"]
KINDS: tuple[Kind, ...] = ("label", "outlier", "ambiguous")

NEARLY_EQUAL = 0.1  # the two most probable classes differ by less
_TOGETHER = 0.5  # and have more than this: of a thousand classes the first two always differ by little

_NEIGHBOURS = 10
_FAR = 3.0  # robust deviations of the logarithm of the distance; 2.5 would name 4 % of the hand signs in our data
_MOST_REFERENCES = 5_000  # pictures that neighbours are looked for among; keeps 60,000 pictures under a minute
_ROWS_AT_ONCE = 1_024
_LEAST_DISTANCE = 1e-6  # rounding of a float32 cosine


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One picture to look at. Probabilities are NaN where no classifier could judge the picture."""

    row: int  # into the arrays that were examined
    kind: Kind
    label: int  # class, as given
    suggested: int  # the most probable class; of an ambiguous picture the most probable one besides the label
    probability_of_label: float
    probability_of_suggested: float
    score: (
        float  # [0, 1], most suspicious 1. label: 1 - its probability; outlier: distance; ambiguous: 1 - the difference
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """Every doubtful picture once, under the first kind that fits it; each kind most suspicious first."""

    wrong: tuple[Doubt, ...]  # the label is probably wrong
    outliers: tuple[Doubt, ...]  # unlike all other pictures
    ambiguous: tuple[Doubt, ...]  # two classes are nearly equally probable
    judged: int  # pictures that a classifier could judge without having seen them

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """All of them, wrong labels first."""
        return (*self.wrong, *self.outliers, *self.ambiguous)


def examine_labels(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    embeddings: NDArray[np.floating] | HalfRows,
    *,
    groups: Sequence[str] | NDArray[np.integer] | None = None,
) -> LabelReport:
    """Pictures whose label is probably wrong, outliers, and ambiguous ones.

    `probabilities` [N, K] are out-of-fold, rows sum to 1 or are NaN where there are none; `labels` [N] in 0..K-1;
    `embeddings` [N, D]; `groups` [N]: copies in one group do not vouch for each other as neighbours ("" is no group).
    wrong: as many as the confident joint counts off its diagonal (Northcutt et al. 2021, arXiv 1911.00068, eq. 1 and 2; see
    confident.py), namely those with the least probable label of all that would be called otherwise; on our data with 5 % flipped
    labels more of these were right than of that paper's pruning. outliers: the mean cosine distance to the ten nearest pictures
    of other groups is far above the usual (as in Kuan and Mueller 2022, arXiv 2207.03061, with a robust threshold).
    ambiguous: the two most probable classes are less than 0.1 apart, and more probable than all others together.
    """
    chances = np.asarray(probabilities, dtype=np.float64)
    given = np.asarray(labels, dtype=np.int64)
    judged = np.asarray(np.isfinite(chances).all(axis=1))
    of_label = chances[np.arange(len(given)), given]
    best = np.where(judged, np.nan_to_num(chances).argmax(axis=1), given)
    wrong = _wrong(chances, given, best, judged)
    distance = neighbour_distance(embeddings, groups)
    outlier = stands_out(distance) & ~wrong
    rival = _rival(chances, given)
    top_two = np.sort(np.nan_to_num(chances), axis=1)[:, -2:]
    difference = np.where(judged, top_two[:, 1] - top_two[:, 0], 1.0)
    ambiguous = (difference < NEARLY_EQUAL) & (top_two.sum(axis=1) > _TOGETHER) & ~wrong & ~outlier

    return LabelReport(
        wrong=_doubts("label", wrong, chances, given, best, 1 - of_label),
        outliers=_doubts("outlier", outlier, chances, given, best, distance),
        ambiguous=_doubts("ambiguous", ambiguous, chances, given, rival, 1 - difference),
        judged=int(judged.sum()),
    )


def neighbour_distance(
    embeddings: NDArray[np.floating] | HalfRows, groups: Sequence[str] | NDArray[np.integer] | None = None
) -> NDArray[np.float64]:
    """Mean cosine distance [N] to the ten nearest pictures of other groups; NaN where there is no other group.

    Neighbours are looked for among all pictures up to 5,000, else among 5,000 drawn at random.
    """
    vectors = embeddings if isinstance(embeddings, HalfRows) else np.asarray(embeddings, dtype=np.float32)
    number = _number(groups, len(vectors))
    references = np.arange(len(vectors))
    if len(vectors) > _MOST_REFERENCES:
        references = np.sort(np.random.default_rng(0).choice(len(vectors), _MOST_REFERENCES, replace=False))
    beside, count = _unit(vectors[references]), min(_NEIGHBOURS, len(references))
    means = np.empty(len(vectors))
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        distances = 1 - _unit(vectors[rows]) @ beside.T
        distances[number[rows, None] == number[None, references]] = np.inf
        nearest = np.partition(distances, count - 1, axis=1)[:, :count].astype(np.float64)
        usable = np.isfinite(nearest)
        totals = np.where(usable, np.maximum(nearest, _LEAST_DISTANCE), 0.0).sum(axis=1)
        means[rows] = np.where(usable.any(axis=1), totals / np.maximum(usable.sum(axis=1), 1), np.nan)
    return means


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same directions [n, D], of length one."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny))


def _doubts(
    kind: Kind,
    named: NDArray[np.bool_],
    chances: NDArray[np.float64],
    given: NDArray[np.int64],
    suggested: NDArray[np.int64],
    score: NDArray[np.float64],
) -> tuple[Doubt, ...]:
    """The pictures that are `named` [N], the highest `score` [N] first."""
    rows = np.flatnonzero(named)
    return tuple(
        Doubt(
            row=row,
            kind=kind,
            label=int(given[row]),
            suggested=int(suggested[row]),
            probability_of_label=float(chances[row, given[row]]),
            probability_of_suggested=float(chances[row, suggested[row]]),
            score=float(np.clip(score[row], 0.0, 1.0)),
        )
        for row in rows[np.argsort(-score[rows], kind="stable")].tolist()
    )


def _wrong(
    chances: NDArray[np.float64], given: NDArray[np.int64], best: NDArray[np.int64], judged: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    found = np.zeros(len(given), dtype=np.bool_)
    if len(np.unique(given[judged])) < 2:
        return found
    count = int(off_the_diagonal(given[judged], chances[judged]).sum())
    doubted = np.flatnonzero(judged & (best != given))
    of_label = chances[doubted, given[doubted]]
    found[doubted[np.argsort(of_label, kind="stable")[:count]]] = True
    return found


def stands_out(distance: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which distances [N] stand out, bool [N]: above the median by three robust deviations of their logarithm.

    Their logarithm, because distances have a long tail to the right. cleanlab's Datalab compares with a share of the median score,
    which named 13 % of our solar cells.
    """
    usable = np.isfinite(distance)
    if not usable.any():
        return usable
    logarithm = np.log(np.where(usable, distance, 1.0))
    middle = np.median(logarithm[usable])
    deviation = 1.4826 * np.median(np.abs(logarithm[usable] - middle))  # of a normal distribution: its standard one
    return np.asarray(usable & (logarithm - middle > _FAR * max(float(deviation), 1e-3)))


def _rival(chances: NDArray[np.float64], given: NDArray[np.int64]) -> NDArray[np.int64]:
    """The most probable class besides the label, [N]."""
    others = np.nan_to_num(chances)
    others[np.arange(len(given)), given] = -1.0
    return np.asarray(others.argmax(axis=1), dtype=np.int64)


def _number(groups: Sequence[str] | NDArray[np.integer] | None, count: int) -> NDArray[np.int64]:
    """Groups as numbers [N]; each "" is a group of its own."""
    if groups is None:
        return np.arange(count)
    numbers: dict[object, int] = {}
    return np.array(
        [numbers.setdefault(group if group != "" else (row,), len(numbers)) for row, group in enumerate(groups)],
        dtype=np.int64,
    )
