"""Which strengths are tried, and when that ends. In: made losses. Out: the order of the trials."""

from __future__ import annotations

import math

import pytest

from tellapart.training.strengths import DEFAULT_STRENGTH, best_strength, try_strengths


class Valley:
    """A held-out loss with its least at `best`, which remembers what was asked."""

    def __init__(self, best: float) -> None:
        self._best = best
        self.asked: list[tuple[int, bool]] = []

    def __call__(self, strength: float, cold: bool) -> float:
        self.asked.append((round(math.log10(strength)), cold))
        return 1 + abs(math.log10(strength) - math.log10(self._best))


def test_two_failures_in_a_row_end_the_way_down() -> None:
    valley, seen = Valley(0.1), []
    trials = try_strengths(valley, (1.0, 0.1, 0.01, 0.001, 0.0001), seen.append)
    assert valley.asked == [(0, True), (-1, False), (-2, False), (-3, False)]
    assert [round(math.log10(strength)) for strength in trials] == [0, -1, -2, -3]
    assert seen == [1, 1, 1, 1]


def test_the_way_goes_on_past_the_weak_end() -> None:
    valley = Valley(1e-4)
    trials = try_strengths(valley, (1.0, 0.1), lambda _: None)
    assert min(trials, key=trials.__getitem__) == pytest.approx(1e-4)
    assert len(trials) == 7  # two beyond the best


def test_the_way_goes_on_past_the_strong_end_with_a_cold_start() -> None:
    valley = Valley(100.0)
    try_strengths(valley, (1.0, 0.1), lambda _: None)
    assert valley.asked == [(0, True), (-1, False), (-2, False), (1, True), (2, False), (3, False), (4, False)]


def test_neither_end_is_without_end() -> None:
    assert min(try_strengths(Valley(1e-30), (1.0, 0.1), lambda _: None)) >= 1e-6
    assert max(try_strengths(Valley(1e30), (1.0, 0.1), lambda _: None)) <= 1e4


def test_a_gain_too_small_to_matter_is_a_failure() -> None:
    trials = try_strengths(lambda strength, _: 1 + strength / 1000, (1.0, 0.1, 0.01, 0.001), lambda _: None)
    assert len(trials) == 3


def test_the_best_strength_falls_with_the_number_of_pictures() -> None:
    assert best_strength({1.0: 0.5, 0.1: 0.3, 0.01: 0.4}, (1.0, 0.1, 0.01), searched=100, fitted=100) == 0.1
    assert best_strength({1.0: 0.5, 0.1: 0.3}, (1.0, 0.1), searched=10_000, fitted=160_000) == pytest.approx(0.1 / 8)


def test_untried_it_is_the_only_one_or_one_in_the_middle() -> None:
    assert best_strength({}, (0.3,), searched=10_000, fitted=160_000) == 0.3
    assert best_strength({}, (1.0, 0.1), searched=100, fitted=100) == DEFAULT_STRENGTH
