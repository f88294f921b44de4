"""Scales and offsets, against a search by hand. In: made logits. Out: verdicts."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.evaluation.platt import log_losses, sigmoid
from tellapart.tasks.multilabel.calibration import FEWEST, fit_calibration


def made(count: int, *, scale: float, offset: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of one class, and pictures that have it as often as scale x logit + offset says."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(count, 1)) * 3
    targets = (generator.random((count, 1)) < sigmoid(scale * logits + offset)).astype(float)
    return logits.astype(np.float32), targets


def test_many_pictures_give_the_scale_and_offset_that_made_them() -> None:
    logits, targets = made(20_000, scale=0.4, offset=-1.5)
    found = fit_calibration(logits, targets)
    assert found.scales[0] == pytest.approx(0.4, abs=0.02)
    assert found.offsets[0] == pytest.approx(-1.5, abs=0.05)
    assert found.untouched == ()
    expected = 1 / (1 + np.exp(-(found.scales * logits.astype(np.float64) + found.offsets)))
    np.testing.assert_allclose(found.probabilities(logits), expected, atol=1e-6)
    assert found.probabilities(logits).dtype == np.float32


def test_few_pictures_give_the_most_probable_pair_under_the_prior() -> None:
    logits, targets = made(30, scale=2.0, offset=1.0, seed=1)
    found = fit_calibration(logits, targets)
    scales, offsets = np.meshgrid(np.linspace(0.3, 4, 741), np.linspace(-3, 3, 601), indexing="ij")
    margins = (2 * targets[:, 0] - 1)[:, None, None] * (
        scales * logits[:, 0].astype(np.float64)[:, None, None] + offsets
    )
    posterior = np.log1p(np.exp(-margins)).sum(axis=0) + 0.5 * (np.log(scales) / 0.5) ** 2 + 0.5 * offsets**2
    row, column = np.unravel_index(posterior.argmin(), posterior.shape)
    assert found.scales[0] == pytest.approx(scales[row, column], abs=0.006)
    assert found.offsets[0] == pytest.approx(offsets[row, column], abs=0.011)


def test_ten_pictures_that_are_all_told_apart_do_not_become_certain() -> None:
    logits = np.array([[2.0]] * 5 + [[-2.0]] * 5)
    chances = fit_calibration(logits, np.repeat([[1.0], [0.0]], 5, axis=0)).probabilities(logits)
    assert 0.9 < chances[0, 0] < 0.999


def test_what_is_not_known_counts_neither_way() -> None:
    logits, targets = made(400, scale=0.5, offset=1.0)
    more = np.concatenate([logits, np.full((100, 1), 9.0)])
    unknown = np.concatenate([targets, np.full((100, 1), np.nan)])
    found, known = fit_calibration(more, unknown), fit_calibration(logits, targets)
    assert (found.scales, found.offsets) == (known.scales, known.offsets)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_class_with_few_on_either_side_is_left_as_it_is_and_named(missing: int) -> None:
    logits = np.tile(np.linspace(-2, 2, 40)[:, None], (1, 2)) * 7
    targets = np.full((40, 2), 1.0 - missing)
    targets[:FEWEST, 0] = missing
    targets[: FEWEST - 1, 1] = missing
    found = fit_calibration(logits, targets)
    assert found.untouched == (1,)
    assert (found.scales[1], found.offsets[1]) == (1.0, 0.0)
    assert found.scales[0] != 1.0
    assert found.warning(["cat", "dog"]) == (
        "1 of 2 classes have fewer than 5 validation pictures with or without them: 'dog'. "
        "Their probabilities are not calibrated. Add pictures."
    )
    assert fit_calibration(logits[:, :1], targets[:, :1]).warning(["cat"]) == ""


def test_without_pictures_nothing_is_calibrated() -> None:
    found = fit_calibration(np.zeros((0, 3)), np.zeros((0, 3)))
    assert found.untouched == (0, 1, 2)
    assert found.scales.tolist() == [1, 1, 1]


def test_log_losses_and_probabilities_of_extreme_logits() -> None:
    logits = np.array([[1000.0, -1000.0, 0.0, 3.0]])
    targets = np.array([[1.0, 1.0, 0.0, np.nan]])
    assert log_losses(logits, targets)[0, :3].tolist() == [0.0, 1000.0, pytest.approx(np.log(2))]
    assert np.isnan(log_losses(logits, targets)[0, 3])
    assert sigmoid(logits)[0, :3].tolist() == [1.0, 0.0, 0.5]
