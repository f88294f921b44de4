"""evaluation/learning_curve.py, against curves that were made by a law."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.evaluation.learning_curve import PowerLaw, fit_power_law

SIZES = (100, 200, 400, 800)


def _errors(seed: int, *, floor: float, scale: float, power: float, noise: float, repeats: int = 4) -> np.ndarray:
    random = np.random.default_rng(seed)
    means = floor + scale * np.array(SIZES, dtype=float) ** -power
    return means[:, None] + noise * random.standard_normal((len(SIZES), repeats))


def test_a_law_without_noise_is_found() -> None:
    law = fit_power_law(SIZES, _errors(0, floor=0.0, scale=2.0, power=0.5, noise=0.0), seed=0)
    truth = 2.0 * 1600**-0.5
    band = law.error(1600)
    assert band.value == pytest.approx(truth, abs=0.006)
    assert band.low < truth < band.high
    assert band.high - band.low < 0.03


def test_the_gain_is_what_the_error_falls_by() -> None:
    law = fit_power_law(SIZES, _errors(0, floor=0.02, scale=1.0, power=0.4, noise=0.002), seed=0)
    truth = 800**-0.4 - 1600**-0.4
    gain = law.gain(800)
    assert law.last == 800
    assert gain.low <= truth <= gain.high
    assert gain.low >= 0


def test_the_truth_lies_in_the_band_as_often_as_it_says() -> None:
    """Forty noisy curves; 95 % of 40 is 38, and fewer than 34 would happen once in 500 times."""
    truth = 0.03 + 1.2 * 1600**-0.45
    inside = 0
    for seed in range(40):
        law = fit_power_law(SIZES, _errors(seed, floor=0.03, scale=1.2, power=0.45, noise=0.01), seed=seed)
        inside += law.error(1600).low <= truth <= law.error(1600).high
    assert inside >= 34


def test_where_nothing_falls_nothing_is_promised() -> None:
    law = fit_power_law(SIZES, np.full((4, 3), 0.2), seed=0)
    assert law.gain(800).value < 0.01
    assert law.error(1600).value == pytest.approx(0.2, abs=0.01)


def test_noise_widens_the_band() -> None:
    calm, noisy = (
        fit_power_law(SIZES, _errors(1, floor=0.0, scale=1.0, power=0.5, noise=noise), seed=0).error(1600)
        for noise in (0.001, 0.03)
    )
    assert noisy.high - noisy.low > 1.5 * (calm.high - calm.low)


def test_repeats_that_have_none_are_passed_over() -> None:
    errors = _errors(0, floor=0.0, scale=1.0, power=0.5, noise=0.005)
    errors[0, 1] = np.nan
    assert np.isfinite(fit_power_law(SIZES, errors, seed=0).error(1600).value)


def test_errors_are_shares() -> None:
    law = PowerLaw(floors=np.zeros(3), scales=np.full(3, 50.0), powers=np.full(3, 0.5), last=100)
    assert law.error(1).value == 1.0


def test_two_numbers_are_no_curve() -> None:
    with pytest.raises(ValueError, match="2 numbers of pictures; a curve needs 3"):
        fit_power_law((10, 20), np.zeros((2, 3)), seed=0)


def test_few_judged_pictures_widen_everything() -> None:
    errors = _errors(0, floor=0.02, scale=1.0, power=0.5, noise=0.002)
    many, few = (fit_power_law(SIZES, errors, judged=judged, seed=0).error(800) for judged in (100_000, 200))
    assert few.high - few.low > 2 * (many.high - many.low)
    share = 0.02 + 800**-0.5
    assert (few.high - few.low) / 2 == pytest.approx(1.96 * np.sqrt(share * (1 - share) / 200), rel=0.25)
