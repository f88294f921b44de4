"""A search keeps its budget. In: a clock that stands where a test puts it. Out: whether another trial fits."""

from __future__ import annotations

import pytest

from tellapart.workflows.searching.pace import BudgetTooShort, SearchClock, finish_seconds


def clock(now: float, seconds: float | None = 100.0) -> SearchClock:
    return SearchClock(seconds, started=0.0, finish=10.0, now=lambda: now)


def test_the_winner_is_trained_within_the_budget_too() -> None:
    # Another trial of 20 s, and 1.1 x 20 s for the winner, and 10 s for what follows: 52 s.
    assert clock(47.9).has_room([20.0, 10.0, 20.0])
    assert not clock(48.1).has_room([20.0, 10.0, 20.0])
    assert clock(65.0).trial_end([20.0]) == 68.0
    assert clock(40.0).left == 60.0


def test_a_trial_leaves_time_to_train_it_again() -> None:
    # It wins, and takes 1.1 times as long: (100 - 10 - 48) / 2.1 is 20 s.
    assert clock(48.0).trial_end([2.0]) == pytest.approx(68.0)
    assert clock(48.0).trial_end([]) == pytest.approx(68.0)


def test_the_first_trial_has_a_quarter_of_what_is_left() -> None:
    assert clock(99.0).has_room([])
    assert clock(10.0).first_end() == 30.0  # 0.25 x (100 - 10 - 10) after now
    assert clock(10.0, None).first_end() is None


def test_a_budget_that_the_audit_has_used_up_is_refused() -> None:
    clock(89.0).check("looking at the pictures")
    with pytest.raises(
        BudgetTooShort,
        match=r"the budget is 1 min 40 s; looking at the pictures took 1 min 31 s, and testing and writing what wins takes about "
        r"10\.0 s, which leaves no time for a trial\. Give --budget 210s or more\.",
    ):
        clock(91.0).check("looking at the pictures")
    clock(1e9, None).check("looking at the pictures")


def test_an_audit_that_alone_takes_longer_is_told() -> None:
    assert str(clock(30.0).too_long_a_look(140.0)) == (  # twice 140 s and the 10 s afterwards
        "the budget is 1 min 40 s; looking at the pictures takes about 2 min 20 s or more here, which leaves no time for a trial. "
        "Give --budget 300s or more."
    )


def test_what_the_winner_needs_beside_its_training() -> None:
    assert finish_seconds(2.0, pictures=1_000, report=False) == 6.0  # 4 s, and a short audit again
    assert finish_seconds(20.0, pictures=0, report=False) == 10.0  # 0.3 of a longer one
    assert finish_seconds(1_000.0, pictures=1_000, report=True) == pytest.approx(4 + 30 + 2 + 2.2)


def test_what_a_first_trial_needs_says_what_the_search_needs() -> None:
    # Begun after 20 s, 3.1 x 50 s, and 10 s afterwards: 185 s.
    error = clock(30.0).too_short(50.0, began=20.0)
    assert str(error) == (
        "the budget is 1 min 40 s; a trial takes at least 50.0 s here, and a search needs time for three and for testing what "
        "wins. Give --budget 190s or more, or what trains quicker."
    )
    assert "Give --budget 11m or more" in str(clock(30.0).too_short(200.0, began=0.0))


def test_without_a_budget_there_is_no_end() -> None:
    assert clock(1e9, None).has_room([1e9])
    assert clock(1e9, None).trial_end([1e9]) is None
    assert clock(1e9, None).left is None


def test_features_that_take_longer_than_the_budget_are_told() -> None:
    assert clock(10.0).features_end() == 90.0
    assert clock(10.0, None).features_end() is None
    # Begun after 5 s, 1.3 x 100 s, since the test's come on top, and 10 s afterwards: 145 s.
    assert str(clock(20.0).no_features(100.0, began=5.0)) == (
        "the budget is 1 min 40 s; the features of the pictures take about 1 min 40 s to compute here, once, and trials and the "
        "test come after that. Give --budget 150s or more: what is computed is kept."
    )
    later = clock(10.0)
    later.reserve(5.0)
    assert later.features_end() == 85.0


def test_a_classifier_that_takes_long_to_fit_is_told() -> None:
    clock(30.0).check_fit(20.0)  # three of them, and 10 s afterwards, just fit into the 70 s that are left
    with pytest.raises(BudgetTooShort) as told:
        clock(30.0).check_fit(20.1)
    assert str(told.value) == (
        "the budget is 1 min 40 s; a classifier takes about 20.1 s to fit here, and is for the usual settings and for what wins. "
        "Give --budget 110s or more."
    )
    clock(30.0, None).check_fit(1e9)
