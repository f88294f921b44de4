"""How well the probabilities rank the pictures. In: probabilities [N, K], labels. Out: AUROC. Next: metrics.py.

Shapes: N pictures, K classes, G groups, B resamples of the bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.intervals import RESAMPLES, Counts, sum_by_group

Doubles = NDArray[np.float64]

_EXACT_STEPS = 30_000_000  # resamples x pictures x classes: a third of a second; above, the linear formula is close


def auroc(probabilities: Doubles, labels: NDArray[np.integer]) -> float:
    """Area under the ROC curve in [0, 1]; every class must be among `labels`.

    Of two classes the second is the positive one; of more it is the mean over classes, each against all others, as
    scikit-learn's `roc_auc_score(multi_class="ovr", average="macro")`. `probabilities` is [N, K] with rows summing to 1.
    """
    from sklearn.metrics import roc_auc_score

    if probabilities.shape[1] == 2:
        return float(roc_auc_score(labels, probabilities[:, 1]))
    classes = np.arange(probabilities.shape[1])
    return float(roc_auc_score(labels, probabilities, multi_class="ovr", average="macro", labels=classes))


def auroc_of_resamples(
    probabilities: Doubles, labels: NDArray[np.integer], groups: NDArray[np.int64]
) -> Callable[[Counts], Doubles]:
    """A function from counts [b, G] to the AUROC [b] of each resample; NaN where a resample lacks a class.

    Exact while that is quick. Else linear in the counts: each picture counts with its placement value, as in DeLong,
    DeLong and Clarke-Pearson 1988, Biometrics 44:837-845, whose variance the bootstrap then reproduces.
    """
    class_count = probabilities.shape[1]
    numbers = [1] if class_count == 2 else list(range(class_count))
    if RESAMPLES * len(labels) * len(numbers) > _EXACT_STEPS:
        return _linear(probabilities, labels, groups, numbers)
    areas = [_exact(probabilities[:, number], labels == number, groups) for number in numbers]

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
        positives, negatives = up @ counts.T, right @ counts.T  # [steps, b]
        below = np.cumsum(negatives, axis=0) - 0.5 * negatives
        pairs = positives.sum(axis=0, dtype=np.float64) * negatives.sum(axis=0, dtype=np.float64)
        won = np.einsum("sb,sb->b", positives, below, dtype=np.float64)
        return np.asarray(np.divide(won, pairs, out=np.full(len(counts), np.nan), where=pairs > 0))

    return area


def _linear(
    probabilities: Doubles, labels: NDArray[np.integer], groups: NDArray[np.int64], numbers: list[int]
) -> Callable[[Counts], Doubles]:
    from scipy.stats import rankdata

    influence = np.zeros(len(labels))
    total = 0.0
    for number in numbers:
        scores, positive = probabilities[:, number], labels == number
        ranks, won = rankdata(scores), np.empty(len(labels))
        count = int(positive.sum())
        won[positive] = (ranks[positive] - rankdata(scores[positive])) / (len(labels) - count)
        won[~positive] = 1 - (ranks[~positive] - rankdata(scores[~positive])) / count
        area = float(won[positive].mean())
        influence += (won - area) / np.where(positive, count, len(labels) - count)
        total += area
    by_group = (np.bincount(groups, weights=influence) / len(numbers)).astype(np.float32)
    return lambda counts: np.clip(total / len(numbers) + (counts @ by_group).astype(np.float64), 0.0, 1.0)
