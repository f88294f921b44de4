"""Curves over a test split. In: probabilities [N, K], labels [N]. Out: points to draw. Next: projection.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.intervals import wilson

_POINTS = 200  # of one curve; more cannot be seen

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]  # x and y, of equal length


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The predictions whose confidence lies in one range."""

    count: int
    confidence: float  # mean, in [0, 1]
    accuracy: float  # share that is right
    low: float  # of its 95 % Wilson interval
    high: float


def reliability(probabilities: NDArray[np.floating], labels: NDArray[np.integer], bins: int = 10) -> list[Bin]:
    """Confidence against accuracy, in bins of equal width that hold anything; a calibrated model lies on the diagonal.

    `probabilities` is [N, K]. Source: reliability diagrams as in Guo et al. 2017, arXiv 1706.04599, section 2.
    """
    return binned(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels, bins)


def binned(confidences: NDArray[np.floating], right: NDArray[np.bool_], bins: int = 10) -> list[Bin]:
    """Confidences [n] against how often they are `right` [n], in bins of equal width, open below, that hold anything."""
    confidence = confidences.astype(np.float64)
    bin_of = np.digitize(confidence, np.linspace(0.0, 1.0, bins + 1)[1:-1], right=True)
    found = []
    for number in range(bins):
        inside = bin_of == number
        if not inside.any():
            continue
        low, high = wilson(int(right[inside].sum()), int(inside.sum()))
        found.append(
            Bin(
                count=int(inside.sum()),
                confidence=float(confidence[inside].mean()),
                accuracy=float(right[inside].mean()),
                low=low,
                high=high,
            )
        )
    return found


def confidences(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], bins: int = 20
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many right and how many wrong predictions, [bins] each, fall into each range of confidence from 0 to 1.

    `probabilities` is [N, K], `labels` [N] in 0..K-1.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0.0, 1.0, bins + 1)
    return np.histogram(confidence[right], edges)[0], np.histogram(confidence[~right], edges)[0]


def receiver_operating(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> Curve:
    """False positive rate and true positive rate, both rising from 0 to 1. `positive` [N] must hold both values.

    Points on a straight line between others are left out.
    """
    right, wrong = _counted(scores, positive)
    corner = np.ones(len(right), dtype=np.bool_)
    corner[1:-1] = (np.diff(right, 2) != 0) | (np.diff(wrong, 2) != 0)
    x, y = np.append(0, wrong[corner]) / wrong[-1], np.append(0, right[corner]) / right[-1]
    return _thinned(x, y)


def precision_recall(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> Curve:
    """Recall, rising from 0, and the precision at it, of `scores` [N]. `positive` [N] must hold both values.

    At a recall of 0 the precision is 1.
    """
    right, wrong = _counted(scores, positive)
    recall, precision = right / right[-1], right / (right + wrong)
    return _thinned(np.append(0.0, recall), np.append(1.0, precision))


def _counted(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each score, the highest first, how many rows with it or a higher one are positive, and how many are not."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    right = np.cumsum(positive[order], dtype=np.int64)[last]
    return right, last + 1 - right


def coverage_accuracy(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> Curve:
    """Share of pictures that are answered when the least confident are set aside, and the accuracy on them.

    `probabilities` is [N, K], `labels` [N] in 0..K-1. Coverage rises to 1. Of equally confident
    pictures all are answered or none. Source: risk-coverage curves, El-Yaniv and Wiener 2010, with accuracy for 1 - risk.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == labels)[order]
    answered = np.arange(1, len(labels) + 1)
    last = np.append(np.flatnonzero(np.diff(confidence[order])), len(labels) - 1)
    return _thinned(answered[last] / len(labels), (np.cumsum(right) / answered)[last])


def _thinned(across: NDArray[np.floating], up: NDArray[np.floating]) -> Curve:
    """At most `_POINTS` points, the ends among them."""
    x, y = np.asarray(across, dtype=np.float64), np.asarray(up, dtype=np.float64)
    if len(x) <= _POINTS:
        return x, y
    kept = np.unique(np.linspace(0, len(x) - 1, _POINTS).round().astype(np.int64))
    return x[kept], y[kept]
