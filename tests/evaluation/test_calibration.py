"""The temperature and the calibration error. In: made logits, numbers worked by hand. Out: verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.errors import DataError
from tellapart.evaluation.calibration import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    apply_temperature,
    calibration_error,
    fit_class_biases,
    fit_temperature,
    softmax,
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


def test_biases_minimise_loss_and_priors_together() -> None:
    """By brute force: two classes of 60 pictures, every temperature and difference of biases on a grid."""
    generator = np.random.default_rng(4)
    labels = (generator.random(60) < 0.3).astype(np.int64)
    logits = np.stack([np.zeros(60), 3 * generator.normal(size=60) + 2 * labels], axis=1)
    temperature, biases = fit_class_biases(logits, labels)
    assert biases.sum() == pytest.approx(0, abs=1e-4)
    best = (np.inf, 0.0, 0.0)
    tried = np.linspace(-2, 2, 401)  # biases of the second class; the first has its negative
    for one in np.geomspace(0.5, 8, 300):
        shares = softmax(logits / one + np.stack([-tried, tried], axis=1)[:, None, :])
        losses = (
            -np.log(shares[:, np.arange(60), labels]).sum(axis=1) + np.log(one) ** 2 / 2 + 2 * tried**2 / 0.5**2 / 2
        )
        best = min(best, (losses.min(), one, tried[losses.argmin()]))
    assert temperature == pytest.approx(best[1], rel=0.02)
    assert biases[1] / temperature == pytest.approx(best[2], abs=0.01)


def test_a_few_pictures_or_a_class_without_any_move_little() -> None:
    temperature, biases = fit_class_biases(np.tile([[1.0, 0.0, 0.0]], (4, 1)), np.array([0, 0, 0, 1]))
    assert 0.3 < temperature < 3
    assert np.abs(biases / temperature).max() < 0.6
    again = fit_class_biases(np.tile([[1.0, 0.0, 0.0]], (4, 1)), np.array([0, 0, 0, 1]))
    assert again[0] == temperature
    np.testing.assert_array_equal(again[1], biases)
