"""How well the probabilities rank the pictures. In: columns, labels. Out: AUROC, average precision. Next: metrics.py.

Shapes: N pictures, K classes, G groups, B resamples of the bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.intervals import RESAMPLES, Counts
from tellapart.evaluation.totals import sum_by_group

Doubles = NDArray[np.float64]

_EXACT_STEPS = 30_000_000  # resamples x pictures x classes: a third of a second; above, the linear formula is close


class Columns(Protocol):
    """The probabilities of K classes, each [N]; each picture's sum to 1."""

    def __len__(self) -> int:
        """K."""
        ...

    def __getitem__(self, number: int, /) -> Doubles:
        """Of one class."""
        ...


def auroc(columns: Columns, labels: NDArray[np.integer]) -> float:
    """Area under the ROC curve in [0, 1]; every class must be among `labels`.

    Of two classes the second is the positive one; of more it is the mean over classes, each against all others, as
    scikit-learn's `roc_auc_score(multi_class="ovr", average="macro")`. `labels` is [N].
    """
    numbers = [1] if len(columns) == 2 else range(len(columns))
    return float(np.mean([area_under_curve(columns[number], labels == number) for number in numbers]))


def area_under_curve(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """The share of pairs of a positive and a negative in which the positive has the higher of the `scores` [N]; ties are half.

    `positive` [N] must hold both values. Source: Mann and Whitney 1947, through the ranks; scikit-learn's `roc_auc_score`.
    """
    count, others = int(positive.sum()), int((~positive).sum())
    return float((ranks(scores)[positive].sum() - count * (count + 1) / 2) / (count * others))


def average_precision(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Mean of the precision at each positive's place in falling order of `scores` [N], in [0, 1]; `positive` [N] has one.

    Equal scores share a place, as in scikit-learn's `average_precision_score`.
    """
    steps, step_of = np.unique(-scores, return_inverse=True)
    taken = np.cumsum(np.bincount(step_of, minlength=len(steps)))
    hits = np.bincount(step_of[positive], minlength=len(steps))
    return float((hits * (np.cumsum(hits) / taken)).sum() / hits.sum())


def ranks(values: NDArray[np.floating]) -> Doubles:
    """The rank of each of `values` [N] from 1, [N]; equal ones share the mean of theirs, as in SciPy's `rankdata`."""
    _, place_of, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place_of])


def auroc_of_resamples(
    columns: Columns, labels: NDArray[np.integer], groups: NDArray[np.int64]
) -> Callable[[Counts], Doubles]:
    """A function from counts [b, G] to the AUROC [b] of each resample; NaN where a resample lacks a class.

    Exact while that is quick. Else linear in the counts: each picture counts with its placement value, as in DeLong,
    DeLong and Clarke-Pearson 1988, Biometrics 44:837-845, whose variance the bootstrap then reproduces.
    """
    numbers = [1] if len(columns) == 2 else list(range(len(columns)))
    if RESAMPLES * len(labels) * len(numbers) > _EXACT_STEPS:
        return _linear(columns, labels, groups, numbers)
    areas = [_exact(columns[number], labels == number, groups) for number in numbers]

    def mean_area(counts: Counts) -> Doubles:
        return np.asarray(np.mean([area(counts) for area in areas], axis=0))

    return mean_area


def _exact(scores: Doubles, positive: NDArray[np.bool_], groups: NDArray[np.int64]) -> Callable[[Counts], Doubles]:
    # Sorted once, here: a resample only changes how often each step of the curve counts. Equal scores are one step.
    steps, step_of = np.unique(scores, return_inverse=True)
    shape = (len(steps), int(groups.max()) + 1)
    ones = np.ones(len(scores))
    up = sum_by_group(step_of[positive], ones[positive], groups[positive], shape)
    right = sum_by_group(step_of[~positive], ones[~positive], groups[~positive], shape)

    def area(counts: Counts) -> Doubles:
        positives, negatives = up.of(counts), right.of(counts)  # [steps, b]
        below = np.cumsum(negatives, axis=0) - 0.5 * negatives
        pairs = positives.sum(axis=0, dtype=np.float64) * negatives.sum(axis=0, dtype=np.float64)
        won = np.einsum("sb,sb->b", positives, below, dtype=np.float64)
        return np.asarray(np.divide(won, pairs, out=np.full(len(counts), np.nan), where=pairs > 0))

    return area


def _linear(
    columns: Columns, labels: NDArray[np.integer], groups: NDArray[np.int64], numbers: list[int]
) -> Callable[[Counts], Doubles]:
    influence = np.zeros(len(labels))
    total = 0.0
    for number in numbers:
        scores, positive = columns[number], labels == number
        all_ranks, won = ranks(scores), np.empty(len(labels))
        count = int(positive.sum())
        won[positive] = (all_ranks[positive] - ranks(scores[positive])) / (len(labels) - count)
        won[~positive] = 1 - (all_ranks[~positive] - ranks(scores[~positive])) / count
        area = float(won[positive].mean())
        influence += (won - area) / np.where(positive, count, len(labels) - count)
        total += area
    by_group = (np.bincount(groups, weights=influence) / len(numbers)).astype(np.float32)
    return lambda counts: np.clip(total / len(numbers) + (counts @ by_group).astype(np.float64), 0.0, 1.0)
