"""Curves over a test split. In: probabilities made by hand. Out: points worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.evaluation.curves import (
    confidences,
    coverage_accuracy,
    precision_recall,
    receiver_operating,
    reliability,
)

# Confidence 0.9, 0.8, 0.8, 0.6; right, right, wrong, wrong.
PROBABILITIES = np.array([[0.9, 0.1], [0.2, 0.8], [0.8, 0.2], [0.4, 0.6]])
LABELS = np.array([0, 1, 1, 0])


def test_coverage_against_accuracy_by_hand() -> None:
    x, y = coverage_accuracy(PROBABILITIES, LABELS)
    # The two at 0.8 are answered together or not at all.
    assert x.tolist() == [0.25, 0.75, 1.0]
    assert y.tolist() == [1.0, 2 / 3, 0.5]


def test_reliability_by_hand() -> None:
    bins = reliability(PROBABILITIES, LABELS, bins=5)
    assert [(one.count, round(one.confidence, 6), one.accuracy) for one in bins] == [
        (1, 0.6, 0.0),
        (2, 0.8, 0.5),
        (1, 0.9, 1.0),
    ]
    assert all(one.low <= one.accuracy <= one.high for one in bins)
    # Wilson's interval of 1 in 2: 0.0945 to 0.9055.
    assert (bins[1].low, bins[1].high) == pytest.approx((0.0945, 0.9055), abs=1e-4)


def test_confidences_are_counted_by_right_and_wrong() -> None:
    right, wrong = confidences(PROBABILITIES, LABELS, bins=10)
    assert (right.sum(), wrong.sum()) == (2, 2)
    assert right[9] == 1  # 0.9 to 1


def test_the_curve_of_precision_by_hand() -> None:
    scores, positive = np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])
    recall, precision = precision_recall(scores, positive)
    assert dict(zip(recall[1:-1].tolist(), precision[1:-1].tolist(), strict=True))[0.5] in (0.5, 1.0)
    assert (recall[0], precision[0], recall[-1]) == (0.0, 1.0, 1.0)
    assert (np.diff(recall) >= 0).all()


def test_the_area_under_the_receiver_curve_is_the_share_of_ordered_pairs() -> None:
    draw = np.random.default_rng(0)
    positive = draw.random(60) < 0.4
    scores = draw.random(60) + 0.3 * positive
    x, y = receiver_operating(scores, positive)
    pairs = scores[positive][:, None] > scores[~positive][None, :]
    assert np.trapezoid(y, x) == pytest.approx(pairs.mean(), abs=1e-9)


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    draw = np.random.default_rng(1)
    probability = draw.random(5000)
    x, y = coverage_accuracy(np.stack([probability, 1 - probability], axis=1), draw.integers(0, 2, 5000))
    assert len(x) == len(y) == 200
    assert (x[0], x[-1]) == (1 / 5000, 1.0)
