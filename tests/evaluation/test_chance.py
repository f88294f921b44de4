"""Calibration errors by chance. In: probabilities whose chances can be counted. Out: these."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from tellapart.evaluation.chance import ChanceError, error_by_chance, expected_error, told


def test_of_alike_probabilities_it_is_the_binomial_distribution() -> None:
    """Forty answers of 80 %: so many right as of forty throws, and no further off than so many in 95 of 100 tests."""
    throws = np.arange(41)
    off, share = np.abs(throws - 32) / 40, binom.pmf(throws, 40, 0.8)
    found = error_by_chance(np.full(40, 0.8), seed=0)
    many = [error_by_chance(np.full(40, 0.8), seed=seed).mean for seed in range(50)]
    assert np.mean(many) == pytest.approx(float(off @ share), rel=0.01)
    order = np.argsort(off, kind="stable")
    limit = off[order][np.searchsorted(np.cumsum(share[order]), 0.95)]
    assert found.high == pytest.approx(limit, abs=1e-9)


def test_each_bin_adds_its_own() -> None:
    """Errors of bins add up whatever their signs: twenty bets at 50 % and twenty at 90 %, in bins of their own."""
    throws = np.arange(21)
    expected = sum(float(np.abs(throws - 20 * p) @ binom.pmf(throws, 20, p)) for p in (0.5, 0.9)) / 40
    found = error_by_chance(np.repeat([0.5, 0.9], 20), seed=1)
    assert found.mean == pytest.approx(expected, rel=0.05)


def test_perfect_probabilities_show_what_is_foretold() -> None:
    generator = np.random.default_rng(3)
    errors = []
    for _ in range(300):
        said = generator.beta(4, 1, 500)
        errors.append(expected_error(said, generator.random(500) < said))
    found = error_by_chance(generator.beta(4, 1, 500), seed=0)
    assert found.mean == pytest.approx(np.mean(errors), rel=0.1)
    assert 0.02 < found.mean < 0.05
    assert np.mean(np.array(errors) <= found.high) == pytest.approx(0.95, abs=0.04)


def test_very_many_are_drawn_for_together_with_the_same_result() -> None:
    said = np.random.default_rng(0).beta(2, 5, 20_000)
    exactly = error_by_chance(said, seed=0)
    together = error_by_chance(np.repeat(said, 4), seed=0)  # four times as many have half of the error
    assert together.mean == pytest.approx(exactly.mean / 2, rel=0.03)
    assert together.high == pytest.approx(exactly.high / 2, rel=0.05)


def test_what_is_certain_is_never_off() -> None:
    for count in (1, 7, 30_000):
        assert error_by_chance(np.ones(count), seed=0) == ChanceError(mean=0.0, high=0.0)
        assert error_by_chance(np.zeros(count), seed=0) == ChanceError(mean=0.0, high=0.0)


def test_a_seed_repeats_it_and_the_order_of_pictures_is_nothing() -> None:
    said = np.random.default_rng(0).random(300)
    assert error_by_chance(said, seed=5) == error_by_chance(said[::-1], seed=5)
    assert error_by_chance(said, seed=5) != error_by_chance(said, seed=6)


def test_it_is_told_in_words() -> None:
    error = {"before": None, "after": 0.0311, "by_chance": {"mean": 0.0284, "high": 0.0405}}
    assert told(error) == "0.031; perfect probabilities would have 0.028 by chance, up to 0.041"
