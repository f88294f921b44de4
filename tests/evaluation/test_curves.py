"""Curves over a test split. In: probabilities made by hand. Out: points worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

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


def test_ten_bins_are_open_below() -> None:
    # Confidence 0.5 is the upper end of the fifth of ten, 0.75 lies within the eighth; empty ones are left out.
    halves = np.array([[0.5, 0.5], [0.75, 0.25], [0.71875, 0.28125], [1.0, 0.0], [0.5625, 0.4375]])
    bins = reliability(halves, np.array([0, 0, 1, 1, 0]))
    assert [(one.count, one.confidence, one.accuracy) for one in bins] == [
        (1, 0.5, 1.0),
        (1, 0.5625, 1.0),
        (2, 0.734375, 0.5),
        (1, 1.0, 0.0),
    ]
    # Wilson's intervals of 1 in 1, 1 in 2 and 0 in 1.
    ends = [(0.20655, 1.0), (0.20655, 1.0), (0.09453, 0.90547), (0.0, 0.79345)]
    assert [(one.low, one.high) for one in bins] == [pytest.approx(end, abs=1e-4) for end in ends]
    # With two bins 0.5 is alone in the lower one.
    assert [one.count for one in reliability(halves, np.array([0, 0, 1, 1, 0]), bins=2)] == [1, 4]


def test_confidences_are_counted_by_right_and_wrong() -> None:
    right, wrong = confidences(PROBABILITIES, LABELS, bins=4)
    assert (right.tolist(), wrong.tolist()) == ([0, 0, 0, 2], [0, 0, 1, 1])  # 0.5 to 0.75, 0.75 to 1
    right, wrong = confidences(np.array([[0.975, 0.025], [1.0, 0.0], [0.525, 0.475]]), np.array([0, 0, 1]))
    assert (right.tolist(), wrong.tolist()) == ([0] * 19 + [2], [0] * 10 + [1] + [0] * 9)  # the last holds 1, too


def test_the_curve_of_precision_by_hand() -> None:
    scores, positive = np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])
    recall, precision = precision_recall(scores, positive)
    # Of the first, the first two, three and four: 1 of 1, 1 of 2, 2 of 3, 2 of 4; before them by definition 1.
    assert recall.tolist() == [0.0, 0.5, 0.5, 1.0, 1.0]
    assert precision.tolist() == [1.0, 1.0, 0.5, 2 / 3, 0.5]


def test_the_receiver_s_curve_by_hand() -> None:
    scores, positive = np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])
    false, true = receiver_operating(scores, positive)
    assert false.tolist() == [0.0, 0.0, 0.5, 0.5, 1.0]
    assert true.tolist() == [0.0, 0.5, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("digits", [0, 1, 12], ids=["all tie", "many ties", "no ties"])
@pytest.mark.parametrize("positives", [1, 60, 149])
def test_both_curves_are_scikit_learns(digits: int, positives: int) -> None:
    positive = np.arange(150) < positives
    scores = np.round(0.1 * positive + 0.4 * np.random.default_rng(positives).random(150), digits)
    scores = np.full(150, 0.5) if digits == 0 else scores
    false, true, _ = roc_curve(positive, scores)
    precision, recall, _ = precision_recall_curve(positive, scores)
    np.testing.assert_allclose(np.stack(receiver_operating(scores, positive)), np.stack([false, true]), atol=1e-15)
    np.testing.assert_allclose(
        np.stack(precision_recall(scores, positive)), np.stack([recall, precision])[:, ::-1], atol=1e-15
    )


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


def distinct(count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` pictures, each surer than the next; every other one is wrong."""
    sure = 1 - np.arange(count) / 1024
    return np.stack([sure, 1 - sure], axis=1), np.arange(count) % 2


def test_up_to_two_hundred_points_are_kept() -> None:
    x, y = coverage_accuracy(*distinct(200))
    assert x.tolist() == [number / 200 for number in range(1, 201)]
    assert y[:4].tolist() == [1.0, 1 / 2, 2 / 3, 2 / 4]
    # Of 399 every second is.
    x, y = coverage_accuracy(*distinct(399))
    assert x.tolist() == [number / 399 for number in range(1, 400, 2)]
    assert y[:3].tolist() == [1.0, 2 / 3, 3 / 5]
    x, _ = coverage_accuracy(*distinct(201))
    assert (len(x), x[0], x[-1]) == (200, 1 / 201, 1.0)
    assert len(np.unique(x)) == 200


def sure(confidences: list[float], classes: int = 20) -> np.ndarray:
    """Probabilities [N, K] whose first class has these, the largest of each row."""
    first = np.array(confidences)[:, None]
    return np.concatenate([first, np.repeat((1 - first) / (classes - 1), classes - 1, axis=1)], axis=1)


def test_ten_bins_each_with_its_upper_edge() -> None:
    # One in each tenth, and one on the edge of two, which belongs to the lower.
    confidence = [0.0625, 0.125, 0.25, 0.375, 0.4375, 0.5, 0.5625, 0.6875, 0.75, 0.875, 1.0]
    bins = reliability(sure(confidence), np.zeros(11, dtype=int))
    assert [one.count for one in bins] == [1, 1, 1, 1, 2, 1, 1, 1, 1, 1]
    assert [one.confidence for one in bins] == pytest.approx([*confidence[:4], (0.4375 + 0.5) / 2, *confidence[6:]])
    # An empty bin leaves no gap in the list, and those after it are there.
    assert [one.count for one in reliability(sure([0.15, 0.95]), np.zeros(2, dtype=int))] == [1, 1]
    assert [one.count for one in reliability(sure([0.25, 0.5]), np.zeros(2, dtype=int), bins=2)] == [2]


def test_twenty_ranges_of_right_and_wrong() -> None:
    confidence = [0.075, 0.075, 0.125, 0.925, 0.975, 0.975, 0.975]
    right, wrong = confidences(sure(confidence), np.array([0, 1, 0, 3, 0, 0, 5]))
    assert right.tolist() == [0, 1, 1] + [0] * 15 + [0, 2]
    assert wrong.tolist() == [0, 1, 0] + [0] * 15 + [1, 1]
    assert [len(counts) for counts in confidences(sure(confidence), np.zeros(7, dtype=int), bins=4)] == [4, 4]


def test_both_curves_of_one_class_by_hand() -> None:
    # Sorted by score: positive, negative, positive, negative; scikit-learn begins at "none answered".
    scores, positive = np.array([0.1, 0.9, 0.7, 0.8]), np.array([False, True, True, False])
    x, y = receiver_operating(scores, positive)
    assert (x.tolist(), y.tolist()) == ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    x, y = precision_recall(scores, positive)
    assert x.tolist() == [0.0, 0.5, 0.5, 1.0, 1.0]
    assert y.tolist() == pytest.approx([1.0, 1.0, 1 / 2, 2 / 3, 1 / 2])


def test_equally_sure_pictures_keep_together_from_the_surest_on() -> None:
    x, y = coverage_accuracy(sure([0.5, 0.9, 0.5, 0.7, 0.5]), np.array([0, 1, 0, 0, 2]))
    assert x.tolist() == pytest.approx([1 / 5, 2 / 5, 1.0])
    assert y.tolist() == pytest.approx([0.0, 1 / 2, 3 / 5])


@pytest.mark.parametrize("count", [199, 200, 201, 399])
def test_two_hundred_points_are_kept_whole_and_more_are_thinned_evenly(count: int) -> None:
    confidence = np.linspace(0.2, 0.9, count)
    x, y = coverage_accuracy(sure(confidence.tolist()), np.arange(count) % 2)
    right = np.cumsum((np.arange(count) % 2 == 0)[::-1]) / np.arange(1, count + 1)
    kept = np.round(np.linspace(0, count - 1, min(count, 200))).astype(int)
    np.testing.assert_allclose(x, (kept + 1) / count)
    np.testing.assert_allclose(y, right[kept])
    assert x.dtype == y.dtype == np.float64


@pytest.mark.parametrize("ties", [1, 7, 1000])
def test_both_curves_are_scikit_learn_s(ties: int) -> None:
    draw = np.random.default_rng(ties)
    positive = draw.random(90) < 0.3
    scores = (np.round((draw.random(90) + 0.4 * positive) * ties) / ties).astype(np.float32)
    x, y, _ = roc_curve(positive, scores)
    np.testing.assert_allclose(receiver_operating(scores, positive), (x, y), rtol=1e-12)
    precision, recall, _ = precision_recall_curve(positive, scores)
    np.testing.assert_allclose(precision_recall(scores, positive), (recall[::-1], precision[::-1]), rtol=1e-12)
