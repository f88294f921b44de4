"""The temperature and the calibration error. In: made logits, numbers worked by hand. Out: verdicts."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from scipy.optimize import minimize

from tellapart.errors import DataError
from tellapart.evaluation.calibration import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    apply_in_place,
    apply_temperature,
    calibration_error,
    fit_class_biases,
    fit_temperature,
    softmax,
    surest_of,
)


def overconfident(count: int, temperature: float, *, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits that are right about their labels only when divided by `temperature`."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(count, 4)) * 2
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) < generator.random((count, 1))).sum(axis=1)
    return logits * temperature, np.minimum(labels, 3)


def mean_loss(logits: NDArray[np.float64], labels: NDArray[np.int64], temperature: float) -> float:
    own = softmax(logits / temperature)[np.arange(len(labels)), labels]
    return float(-np.log(own).mean())


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    logits, labels = overconfident(20_000, temperature, seed=0)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.03)


def test_of_a_thousand_pictures_the_prior_changes_the_third_digit_at_most() -> None:
    logits, labels = overconfident(1000, 2.5, seed=1)
    candidates = np.geomspace(1, 5, 4001)
    likeliest = candidates[np.argmin([mean_loss(logits, labels, value) for value in candidates])]
    assert fit_temperature(logits, labels) == pytest.approx(likeliest, rel=0.005)


def test_the_temperature_minimises_loss_and_prior_together() -> None:
    logits, labels = overconfident(30, 3.0, seed=2)
    candidates = np.geomspace(0.05, 20, 20_001)
    sums = [30 * mean_loss(logits, labels, value) + np.log(value) ** 2 / 2 for value in candidates]
    assert fit_temperature(logits, labels) == pytest.approx(candidates[np.argmin(sums)], rel=1e-3)


def test_ten_pictures_all_right_do_not_make_it_certain() -> None:
    logits = np.tile([[4.0, 0.0]], (10, 1))
    temperature = fit_temperature(logits, np.zeros(10, dtype=np.int64))
    assert 0.4 < temperature < 1.0
    assert apply_temperature(np.array([1.0, 0.0]), temperature)[0] < 0.95


def test_one_picture_is_enough_and_none_is_refused() -> None:
    assert 0.3 < fit_temperature(np.array([[1.0, 0.0]], dtype=np.float32), np.array([0])) < 1.0
    with pytest.raises(DataError, match="0 validation pictures; the temperature needs at least 1. Add pictures"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))


def test_it_stays_within_its_bounds() -> None:
    labels = np.arange(400) % 2
    always_wrong = np.where(labels[:, None] == [[0, 1]], 0.0, 1e4)
    assert fit_temperature(always_wrong, labels) == pytest.approx(HIGHEST_TEMPERATURE, rel=1e-4)
    barely_right = np.where(labels[:, None] == [[0, 1]], 0.001, 0.0)
    found = fit_temperature(np.repeat(barely_right, 100, axis=0), np.repeat(labels, 100))
    assert found == pytest.approx(LOWEST_TEMPERATURE, rel=1e-2)
    assert found >= LOWEST_TEMPERATURE


def test_logits_of_any_size_give_probabilities() -> None:
    found = softmax(np.array([[1e4, 0.0, -1e4], [0.0, 0.0, 0.0], [np.log(2), 0.0, 0.0]]))
    np.testing.assert_allclose(found, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.25, 0.25]], atol=1e-15)


def test_a_temperature_of_two_halves_the_logits() -> None:
    found = apply_temperature(np.array([[np.log(9), 0.0]], dtype=np.float32), 2.0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.75, 0.25]], rtol=1e-6)


def test_the_calibration_error_by_hand() -> None:
    # Bin (0.5, 0.75]: 0.6 right and 0.7 wrong: |0.5 - 0.65| = 0.15, a weight of 2/5.
    # Bin (0.75, 1]: 0.8, 0.9 and 1.0, all right: |1 - 0.9| = 0.1, a weight of 3/5.
    probabilities = np.array([[0.6, 0.4], [0.3, 0.7], [0.8, 0.2], [0.1, 0.9], [1.0, 0.0]])
    labels = np.array([0, 0, 0, 1, 0])
    assert calibration_error(probabilities, labels, bins=4) == pytest.approx(0.15 * 0.4 + 0.1 * 0.6)


def test_a_bin_holds_its_upper_edge_and_not_its_lower() -> None:
    # 0.5 and 0.375 share the bin (0, 0.5]: |(1 + 0) / 2 - 0.4375| = 0.0625. In bins of their own it would be 0.4375.
    probabilities = np.array([[0.5, 0.25, 0.25], [0.375, 0.3125, 0.3125]], dtype=np.float32)
    assert calibration_error(probabilities, np.array([0, 1]), bins=2) == pytest.approx(0.0625)


def test_fifteen_bins_are_the_default() -> None:
    # 0.53 lies in (7/15, 8/15], 0.54 in (8/15, 9/15]: 0.5 x 0.53 + 0.5 x 0.46; one bin would give 0.035.
    probabilities = np.array([[0.53, 0.47], [0.54, 0.46]])
    assert calibration_error(probabilities, np.array([1, 0])) == pytest.approx(0.5 * 0.53 + 0.5 * 0.46)


def test_the_right_temperature_lowers_the_calibration_error() -> None:
    logits, labels = overconfident(5000, 3.0, seed=3)
    before = calibration_error(softmax(logits), labels)
    after = calibration_error(apply_temperature(logits, fit_temperature(logits, labels)), labels)
    assert before > 0.1
    assert after < 0.03


def test_the_biases_that_were_put_in_are_found() -> None:
    logits, labels = overconfident(20_000, 2.0, seed=3)
    put_in = np.array([1.2, 0.0, -0.4, -0.8])
    temperature, biases = fit_class_biases(logits + put_in, labels)
    assert temperature == pytest.approx(2.0, rel=0.03)
    np.testing.assert_allclose(biases - biases.mean(), -put_in + put_in.mean(), atol=0.08)


def test_a_few_pictures_or_a_class_without_any_move_little() -> None:
    temperature, biases = fit_class_biases(np.tile([[1.0, 0.0, 0.0]], (4, 1)), np.array([0, 0, 0, 1]))
    assert 0.3 < temperature < 3
    assert np.abs(biases / temperature).max() < 0.6
    again = fit_class_biases(np.tile([[1.0, 0.0, 0.0]], (4, 1)), np.array([0, 0, 0, 1]))
    assert again[0] == temperature
    np.testing.assert_array_equal(again[1], biases)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_temperature_and_biases_are_those_that_another_minimiser_finds(seed: int) -> None:
    """Nelder and Mead's, which asks for no gradient, on loss and priors written out as the paper and the docstring have them."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(3, size=50, p=[0.6, 0.3, 0.1])
    logits = 2 * generator.normal(size=(50, 3)) + 2 * np.eye(3)[labels] + np.array([1.0, 0.0, -0.5])

    def objective(parameters: NDArray[np.float64]) -> float:
        scale, biases = np.exp(-parameters[0]), parameters[1:]
        own = softmax(logits * scale + biases)[np.arange(50), labels]
        return float(-np.log(own).sum() + parameters[0] ** 2 / 2 + (biases**2).sum() / (2 * 0.5**2))

    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 20_000, "maxfev": 20_000}
    best = minimize(objective, np.zeros(4), method="Nelder-Mead", options=options).x
    temperature, biases = fit_class_biases(logits, labels)
    assert biases.sum() == pytest.approx(0, abs=1e-3)  # what is the same for all classes changes nothing, and costs
    assert np.log(temperature) == pytest.approx(best[0], abs=2e-4)
    np.testing.assert_allclose(biases / temperature, best[1:], atol=2e-4)


def test_with_biases_the_temperature_stays_within_its_bounds_too() -> None:
    labels = np.arange(400) % 2
    always_wrong = np.where(labels[:, None] == [[0, 1]], 0.0, 1e4)
    assert fit_class_biases(always_wrong, labels)[0] == pytest.approx(HIGHEST_TEMPERATURE)
    barely_right = np.where(labels[:, None] == [[0, 1]], 0.001, 0.0)
    found = fit_class_biases(np.repeat(barely_right, 100, axis=0), np.repeat(labels, 100))[0]
    assert found == pytest.approx(LOWEST_TEMPERATURE)
    assert found >= LOWEST_TEMPERATURE * (1 - 1e-12)


def test_a_class_that_nobody_has_is_moved_towards_the_others_by_its_prior_alone() -> None:
    """Labels 0 and 1 of three classes: the third's bias falls, and every picture counts."""
    logits = np.zeros((40, 3))
    temperature, biases = fit_class_biases(logits, np.arange(40) % 2)
    shares = softmax((logits[0] + biases) / temperature)
    assert shares[0] == pytest.approx(shares[1], abs=1e-5)
    # Where the gradient is nought: 40 times the third's share is what its prior pulls back, -bias / 0.25.
    assert 40 * shares[2] == pytest.approx(-biases[2] / temperature / 0.25, rel=1e-4)


def test_logits_of_any_shape_are_normalised_over_the_last_axis() -> None:
    logits = np.log(np.array([[[1.0, 3.0], [2.0, 2.0]], [[9.0, 1.0], [1.0, 4.0]]]))
    expected = [[[0.25, 0.75], [0.5, 0.5]], [[0.9, 0.1], [0.2, 0.8]]]
    np.testing.assert_allclose(softmax(logits), expected)
    np.testing.assert_allclose(apply_temperature(logits, 1.0), expected, rtol=1e-6)
    assert softmax(logits.astype(np.float32)).dtype == np.float64
    # In doubles throughout: float32 would round 1e4 + 0.001 away.
    assert apply_temperature(np.array([1e7 + 1, 1e7], dtype=np.float64), 1.0)[0] == pytest.approx(
        np.e / (1 + np.e), rel=1e-6
    )


def test_the_error_counts_only_the_class_that_is_answered() -> None:
    probabilities = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.1, 0.1, 0.8]], dtype=np.float32)
    # Answered 1 at 0.5, right; answered 2 at 0.8 twice, once right: (0.5 + 2 x 0.3) / 3.
    assert calibration_error(probabilities, np.array([1, 2, 0])) == pytest.approx((0.5 + 0.6) / 3, rel=1e-6)


def test_each_of_the_fifteen_bins_counts_for_itself() -> None:
    """Of twenty classes the most probable may have 0.06 or 0.08: in (0, 1/15] and (1/15, 2/15], one right and one wrong."""
    probabilities = np.full((2, 20), 0.94 / 19)
    probabilities[1] = 0.92 / 19
    probabilities[:, 0] = [0.06, 0.08]
    assert calibration_error(probabilities, np.array([0, 1])) == pytest.approx((0.94 + 0.08) / 2)


def test_very_many_classes_need_little_more_memory_than_their_probabilities() -> None:
    logits = np.random.default_rng(0).normal(size=(2_001, 3_000)).astype(np.float32)
    tracemalloc.start()
    found = apply_temperature(logits, 0.7)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < found.nbytes + 5 * 8_000_000, "a part's exact numbers, a few times over"
    for rows in (slice(0, 400), slice(1_800, None)):  # the last part is shorter than the others
        assert_array_equal(found[rows], softmax(logits[rows].astype(np.float64) / 0.7).astype(np.float32))
    assert_array_equal(apply_temperature(logits[0], 0.7), found[0])


def test_in_place_the_probabilities_are_the_same_to_the_last_bit() -> None:
    logits = np.random.default_rng(0).normal(size=(700, 1_700)).astype(np.float32)
    expected, held = apply_temperature(logits, 1.7), logits
    assert apply_in_place(logits, 1.7) is held
    assert_array_equal(held, expected)


def test_what_is_named_without_the_biases_is_that_of_all_at_once() -> None:
    generator = np.random.default_rng(0)
    logits, biases = generator.normal(size=(700, 1_700)).astype(np.float32), generator.normal(size=1_700)
    whole = apply_temperature(logits - biases, 1.0)
    found = surest_of(logits, biases)
    assert_array_equal(found.chances, whole.max(axis=1))
    assert_array_equal(found.classes, whole.argmax(axis=1))
    assert not np.array_equal(found.classes, logits.argmax(axis=1))
