"""The area under the ROC curve and its resamples, against scikit-learn's. In: made scores. Out: verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from tellapart.evaluation.intervals import bootstrap
from tellapart.evaluation.ranking import area_under_curve, auroc, auroc_of_resamples, average_precision, ranks

Doubles = NDArray[np.float64]


def scores(count: int, classes: int, *, seed: int, digits: int = 2) -> tuple[Doubles, NDArray[np.int64]]:
    """Probabilities rounded so that many are equal, of classes that can half be told apart."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    logits = generator.normal(size=(count, classes))
    logits[np.arange(count), labels] += 1
    exponentials = np.exp(np.round(logits, digits - 1))
    return exponentials / exponentials.sum(axis=1, keepdims=True), labels


def weighted(probabilities: Doubles, labels: NDArray[np.int64], weights: Doubles) -> float:
    """scikit-learn's area with sample weights: one against the rest, the mean over classes."""
    numbers = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [roc_auc_score(labels == number, probabilities[:, number], sample_weight=weights) for number in numbers]
    return float(np.mean(areas))


def test_two_classes_by_hand() -> None:
    # Positives 0.9, 0.4 against negatives 0.4, 0.1: 1 + 1 + 0.5 + 1 of 4 pairs.
    second = np.array([0.9, 0.4, 0.4, 0.1])
    assert auroc(np.stack([1 - second, second]), np.array([1, 1, 0, 0])) == pytest.approx(3.5 / 4)


def test_ranks_by_hand() -> None:
    # Two share the first and the second place, three the fourth to the sixth.
    assert ranks(np.array([0.2, 0.9, 0.1, 0.9, 0.1, 0.9])).tolist() == [3.0, 5.0, 1.5, 5.0, 1.5, 5.0]


def test_average_precision_by_hand() -> None:
    # Positives at places 1 and 4 of falling scores; the second and the third tie, and the fourth and the fifth.
    scores, positive = np.array([0.9, 0.5, 0.5, 0.1, 0.1]), np.array([True, False, False, True, False])
    assert average_precision(scores, positive) == pytest.approx((1 / 1 + 2 / 5) / 2)


@pytest.mark.parametrize("digits", [0, 1, 12], ids=["all tie", "many ties", "no ties"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.003, 0.4, 0.997], ids=["one positive", "some", "one negative"])
def test_one_class_is_ranked_as_by_scikit_learn(digits: int, kind: type, share: float) -> None:
    generator = np.random.default_rng(digits)
    positive = np.arange(301) < round(301 * share)
    values = np.round(np.where(positive, 0.6, 0.4) + 0.3 * (generator.random(301) - 0.5), digits).astype(kind)
    values = np.full_like(values, 0.5) if digits == 0 else values
    assert average_precision(values, positive) == pytest.approx(average_precision_score(positive, values), rel=1e-12)
    assert area_under_curve(values, positive) == pytest.approx(roc_auc_score(positive, values), rel=1e-12)
    np.testing.assert_array_equal(ranks(values), rankdata(values))


def test_more_classes_are_the_mean_of_each_against_the_rest() -> None:
    probabilities, labels = scores(90, 3, seed=0)
    assert auroc(probabilities.T, labels) == pytest.approx(weighted(probabilities, labels, np.ones(90)))


@pytest.mark.parametrize("classes", [2, 3])
def test_every_resample_has_the_area_that_its_weights_give(classes: int) -> None:
    probabilities, labels = scores(120, classes, seed=1)
    groups = np.arange(120) // 4
    counts = np.random.default_rng(2).multinomial(30, np.full(30, 1 / 30), size=20).astype(np.float32)
    found = auroc_of_resamples(probabilities.T, labels, groups)(counts)
    expected = [weighted(probabilities, labels, row[groups]) for row in counts]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_resample_without_a_class_has_no_area() -> None:
    probabilities, labels = scores(4, 2, seed=3)
    found = auroc_of_resamples(probabilities.T, labels, np.arange(4))(
        np.array([[2, 0, 2, 0], [1, 1, 1, 1]], np.float32)
    )
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(auroc(probabilities.T, labels))
    one_pair = auroc_of_resamples(np.array([[0.3, 0.6], [0.7, 0.4]]), np.array([1, 0]), np.arange(2))
    assert one_pair(np.ones((1, 2), dtype=np.float32)).tolist() == [1.0]


@pytest.mark.parametrize("size", [1, 5], ids=["alone", "in groups"])
def test_the_linear_formula_of_large_tests_is_close_to_the_exact_one(size: int) -> None:
    probabilities, labels = scores(12_000, 3, seed=4)  # 36 million steps, more than are taken exactly
    groups = np.arange(12_000) // size
    generator = np.random.default_rng(5)
    count = 12_000 // size
    counts = generator.multinomial(count, np.full(count, 1 / count), size=8).astype(np.float32)
    found = auroc_of_resamples(probabilities.T, labels, groups)(counts)
    expected = np.array([weighted(probabilities, labels, row[groups]) for row in counts])
    assert expected.std() > 5e-4
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_interval_is_as_wide_as_hanley_and_mcneil_say() -> None:
    probabilities, labels = scores(400, 2, seed=6, digits=12)
    areas = auroc_of_resamples(probabilities.T, labels, np.arange(400))
    interval = bootstrap(lambda counts: {"auroc": areas(counts)}, group_count=400, seed=0)["auroc"]
    assert interval is not None
    area = auroc(probabilities.T, labels)
    # Hanley and McNeil 1982, Radiology 143:29-36, equation 1.
    both_above, both_below = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + 199 * (both_above - area**2) + 199 * (both_below - area**2)) / 200**2
    assert interval[1] - interval[0] == pytest.approx(2 * 1.96 * np.sqrt(variance), rel=0.15)
    assert interval[0] < area < interval[1]


def placed(probabilities: Doubles, labels: NDArray[np.int64], weights: Doubles) -> float:
    """DeLong, DeLong and Clarke-Pearson's placement values, equation 5 and 6, with a weight for each picture."""
    areas = []
    for number in range(probabilities.shape[1]):
        positive, scores = labels == number, probabilities[:, number]
        own, others = np.sort(scores[positive]), np.sort(scores[~positive])
        below = (np.searchsorted(others, scores, "left") + np.searchsorted(others, scores, "right")) / 2 / len(others)
        above = 1 - (np.searchsorted(own, scores, "left") + np.searchsorted(own, scores, "right")) / 2 / len(own)
        area = below[positive].mean()
        moved = (weights * (below - area))[positive].sum() / len(own) + (weights * (above - area))[
            ~positive
        ].sum() / len(others)
        areas.append(area + moved)
    return float(np.mean(areas))


@pytest.mark.parametrize(("count", "exact"), [(10_000, True), (10_002, False)])
def test_up_to_thirty_million_steps_it_is_exact_and_above_linear(count: int, exact: bool) -> None:
    """Of a thousand resamples, three classes, ten thousand pictures; the two differ in the fifth digit."""
    probabilities, labels = scores(count, 3, seed=7)
    groups = np.arange(count) // 2
    counts = np.random.default_rng(8).multinomial(count // 2, np.full(count // 2, 2 / count), size=3).astype(np.float32)
    found = auroc_of_resamples(probabilities.T, labels, groups)(counts)
    exactly, linearly = (
        np.array([area(probabilities, labels, row[groups]) for row in counts]) for area in (weighted, placed)
    )
    assert np.abs(exactly - linearly).min() > 1e-6
    np.testing.assert_allclose(found, exactly if exact else linearly, atol=2e-7)
    assert found.dtype == np.float64


def test_the_linear_area_stays_within_its_bounds() -> None:
    labels = np.arange(30_002) % 2
    probabilities = np.stack([1 - labels, labels], axis=1).astype(np.float64)
    probabilities[0] = [
        0.0,
        1.0,
    ]  # one mistake: drawn often it would cost, drawn never it would gain more than there is
    counts = np.ones((2, 30_002), dtype=np.float32)
    counts[:, 0] = [0, 30_002]
    found = auroc_of_resamples(probabilities.T, labels, np.arange(30_002))(counts)
    assert found[0] == pytest.approx(1.0, abs=1e-6)
    assert found[0] <= 1.0
    assert found[1] >= 0.0
