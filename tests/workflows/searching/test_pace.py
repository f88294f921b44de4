"""A search keeps its budget. In: a clock that stands where a test puts it. Out: whether another trial fits."""

from __future__ import annotations

from tellapart.workflows.searching.pace import SearchClock


def clock(now: float, seconds: float | None = 100.0) -> SearchClock:
    return SearchClock(seconds, started=0.0, finish=10.0, now=lambda: now)


def test_the_winner_is_trained_within_the_budget_too() -> None:
    # Another trial of 20 s, and 1.1 x 20 s for the winner, and 10 s for what follows: 52 s.
    assert clock(47.9).has_room([20.0, 10.0, 20.0])
    assert not clock(48.1).has_room([20.0, 10.0, 20.0])
    assert clock(40.0).trial_end([20.0]) == 68.0
    assert clock(40.0).left == 60.0


def test_the_first_trial_has_almost_half_of_what_is_left() -> None:
    assert clock(99.0).has_room([])
    assert clock(10.0).trial_end([]) == 46.0  # 0.45 x (100 - 10 - 10) after now


def test_without_a_budget_there_is_no_end() -> None:
    assert clock(1e9, None).has_room([1e9])
    assert clock(1e9, None).trial_end([1e9]) is None
    assert clock(1e9, None).left is None
