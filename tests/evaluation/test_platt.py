"""A scale and an offset, against SciPy's minimiser and by hand. In: logits, what came true. Out: the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import log_loss

from tellapart.evaluation.platt import HIGHEST_SCALE, LOWEST_SCALE, fit_scale_and_offset, log_losses, sigmoid


def drawn(count: int, *, scale: float, offset: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and what comes true as often as sigmoid(scale x logit + offset) says."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=count) * 2
    return logits, generator.random(count) < expit(scale * logits + offset)


@pytest.mark.parametrize(("count", "scale", "offset"), [(6, 1.0, 0.0), (40, 0.3, 1.5), (300, 3.0, -2.0)])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_most_probable_one_under_its_prior(count: int, scale: float, offset: float, seed: int) -> None:
    logits, present = drawn(count, scale=scale, offset=offset, seed=seed)

    def negative_log_posterior(parameters: np.ndarray) -> float:
        chances = expit(np.exp(parameters[0]) * logits + parameters[1])
        loss = log_loss(present, chances, normalize=False, labels=[False, True])
        return float(loss + 0.5 * (parameters[0] / 0.5) ** 2 + 0.5 * parameters[1] ** 2)

    expected = minimize(negative_log_posterior, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-8}).x
    found = fit_scale_and_offset(logits, present)
    assert (np.log(found[0]), found[1]) == (pytest.approx(expected[0], abs=1e-6), pytest.approx(expected[1], abs=1e-6))


@pytest.mark.parametrize(("scale", "offset"), [(0.4, 1.0), (1.0, 0.0), (2.5, -1.0)])
def test_many_examples_tell_how_they_were_made(scale: float, offset: float) -> None:
    found = fit_scale_and_offset(*drawn(20_000, scale=scale, offset=offset, seed=1))
    assert found == (pytest.approx(scale, rel=0.06), pytest.approx(offset, abs=0.06))


def test_a_few_that_are_all_told_apart_do_not_drive_it_to_certainty() -> None:
    scale, _ = fit_scale_and_offset(np.array([3.0] * 5 + [-3.0] * 5), np.repeat([True, False], 5))
    assert 1.0 < scale < 2.0


def test_a_scale_stays_within_its_bounds() -> None:
    logits = np.repeat([0.01, -0.01], 100_000)
    assert fit_scale_and_offset(logits, logits > 0)[0] == pytest.approx(HIGHEST_SCALE)
    far = np.repeat([300.0, -300.0], 2_000)
    scale, _ = fit_scale_and_offset(far, far < 0)  # turned round, which no scale above 0 can mend
    assert scale == pytest.approx(LOWEST_SCALE)
    assert (LOWEST_SCALE, HIGHEST_SCALE) == (0.05, 20.0)


def test_sigmoids_are_scipy_s_and_never_overflow() -> None:
    logits = np.array([[-800.0, -30, -1], [0, 2, 800]], dtype=np.float32)
    found = sigmoid(logits)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expit(logits.astype(np.float64)), rtol=1e-14)
    assert found[1, 0] == 0.5


def test_losses_by_hand_and_where_they_are_extreme() -> None:
    logits = np.array([[0.0, np.log(3)], [np.log(3), 1000.0]])
    targets = np.array([[1.0, 1.0], [0.0, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(log_losses(logits, targets), [[np.log(2), np.log(4 / 3)], [np.log(4), 1000]])
    unknown = log_losses(logits, np.array([[np.nan, 1.0], [0.0, 1.0]]))
    assert np.isnan(unknown[0, 0])
    assert unknown[1, 1] == 0.0
    assert np.isfinite(unknown[0, 1:]).all()
