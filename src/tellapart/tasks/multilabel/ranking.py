"""How well each class's probabilities rank the pictures. In: ScoredCells. Out: average precision, AUROC. Next: bounds.py.

Shapes: N pictures, K classes, G groups, b resamples of the bootstrap, S steps of a ranking, P of them with a positive.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation import ranking as one_class
from tellapart.evaluation.intervals import Counts
from tellapart.evaluation.totals import sum_by_group
from tellapart.tasks.multilabel.averaging import Doubles, Flags, ScoredCells


def average_precision(scores: NDArray[np.floating], positive: Flags) -> float:
    """Mean of the precision at each positive's place in falling order of score, in [0, 1]; NaN without positives.

    Equal scores share a place, as in scikit-learn's `average_precision_score`. `scores` and `positive` are [n].
    """
    return one_class.average_precision(scores, positive) if positive.any() else float("nan")


def auroc(scores: NDArray[np.floating], positive: Flags) -> float:
    """Area under the ROC curve in [0, 1]; NaN where all [n] are positive or none is. scikit-learn's `roc_auc_score`."""
    if positive.all() or not positive.any():
        return float("nan")
    return one_class.area_under_curve(scores, positive)


def mean_average_precision(targets: NDArray[np.floating], scores: NDArray[np.floating]) -> float | None:
    """The mean average precision of the classes of which both kinds of pictures are known; None where there is none.

    `targets` [N, K] in {0, 1, NaN}, NaN is left out; `scores` [N, K], the higher the surer. Source: scikit-learn's.
    """
    found = []
    for targets_N, scores_N in zip(targets.T, scores.T, strict=True):
        known = ~np.isnan(targets_N)
        if 0 < targets_N[known].sum() < known.sum():
            found.append(average_precision(scores_N[known], targets_N[known] == 1))
    return float(np.mean(found)) if found else None


def rankings_of_resamples(cells: ScoredCells) -> Callable[[Counts], tuple[Doubles, Doubles]]:
    """A function from counts [b, G] to average precisions and AUROCs, [K', b] each, of the K' classes of `cells.ranked`.

    NaN where a resample lacks the class: it draws no picture with it, or for the AUROC none without it.
    """
    parts = [
        _ranking(cells.probabilities[known, number], cells.positive[known, number], cells.groups[known], cells)
        for number in cells.ranked.tolist()
        for known in [cells.known[:, number]]
    ]

    def rankings(counts: Counts) -> tuple[Doubles, Doubles]:
        found = np.array([part(counts) for part in parts], dtype=np.float64).reshape(-1, 2, len(counts))
        return found[:, 0], found[:, 1]

    return rankings


def mean_of_present(values: Doubles) -> Doubles:
    """The mean [b] over the rows of [K', b] that are not NaN there; NaN where all are."""
    there = ~np.isnan(values)
    total = np.where(there, values, 0.0).sum(axis=0)
    mean = np.full(values.shape[1], np.nan)
    return np.asarray(np.divide(total, there.sum(axis=0), out=mean, where=there.any(axis=0)))


def _ranking(
    scores: Doubles, positive: Flags, groups: NDArray[np.int64], cells: ScoredCells
) -> Callable[[Counts], tuple[Doubles, Doubles]]:
    # Sorted once, here: a resample only changes how often each step of the ranking counts. Equal scores are one step.
    steps, step_of = np.unique(-scores, return_inverse=True)
    shape, ones = (len(steps), cells.group_count), np.ones(len(scores))
    taken = sum_by_group(step_of, ones, groups, shape)
    # Both figures are sums over positives, so that only the steps that have one are looked at.
    places = np.unique(step_of[positive])
    place_of = np.searchsorted(places, step_of[positive])
    hits = sum_by_group(place_of, ones[positive], groups[positive], (len(places), cells.group_count))

    def ranking(counts: Counts) -> tuple[Doubles, Doubles]:
        drawn = taken.of(counts)  # [S, b]; counts are whole numbers, exact in single precision below 16 million
        seen = np.cumsum(drawn, axis=0, dtype=np.float32)
        right = hits.of(counts)  # [P, b]
        at = np.cumsum(right, axis=0, dtype=np.float32)
        positives, negatives = at[-1].astype(np.float64), (seen[-1] - at[-1]).astype(np.float64)
        share = np.divide(at, seen[places], out=np.zeros_like(at), where=at > 0)
        # Negatives below a positive are beaten, those on its step by half.
        beaten = negatives - (seen[places] - at) + 0.5 * (drawn[places] - right)
        return (
            _quotient(np.einsum("pb,pb->b", right, share, dtype=np.float64), positives),
            _quotient(np.einsum("pb,pb->b", right, beaten, dtype=np.float64), positives * negatives),
        )

    return ranking


def _quotient(part: Doubles, whole: Doubles) -> Doubles:
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0))
