"""How long a first answer may learn. In: counts, costs, made clocks. Out: epochs, views, a deadline."""

from __future__ import annotations

import time

import pytest

from tellapart.tasks.detection.first_plan import FirstPlan, plan_by_clock, usual_plan
from tellapart.training.planning import Clock, Costs
from tellapart.training.timing import Speed

# 160 pictures: 4 s an epoch and 3.2 s a view; with all 7 views and 24 epochs 1.3 x (22.4 + 0.4 + 24 x 4.4) = 166.9 s.
SPEED = Speed(costs=Costs(view=0.02, train=0.025, validate=0.02), deployed=0.05)
USUAL = FirstPlan(epochs=24, views=7, least=2)


def planned(seconds: float | None, *, told: bool = False, usual: FirstPlan = USUAL) -> FirstPlan:
    clock = Clock(seconds, started=0.0, now=lambda: 0.0)
    return plan_by_clock(usual, SPEED, clock, train=160, validated=20, scored=40, told=told)


def test_the_data_alone_say_how_long_it_is_without_a_clock() -> None:
    assert usual_plan(updates=480, steps=20, pictures=160, length=100) == USUAL
    assert usual_plan(updates=480, steps=3, pictures=24, length=100) == FirstPlan(epochs=40, views=8, least=14)
    assert usual_plan(updates=480, steps=5000, pictures=40_000, length=100) == FirstPlan(epochs=1, views=1)
    # A million numbers a view are 2 MB: a thousand fit.
    assert usual_plan(updates=480, steps=20, pictures=160, length=1_000_000).views == 6
    assert planned(None) == USUAL


def test_a_long_budget_leaves_it_as_it_is() -> None:
    found = planned(600.0)
    assert (found.epochs, found.views) == (24, 7)
    # 8 s and 1.2 x 0.05 s for each of 40 pictures to be tested and 160 that novelty is fitted to.
    assert found.deadline == pytest.approx(600.0 - 20.0)
    assert found.epoch_seconds == pytest.approx(1.3 * 4.4)


@pytest.mark.parametrize(
    ("seconds", "epochs", "views"),
    [
        (200.0, 17, 5),  # 120 s: 1.3 x (16.4 + 17 x 4.4) = 118.6; 18 epochs of 6 views would take 128.4
        (60.0, 5, 2),  # 40 s: 1.3 x (6.8 + 22.0) = 37.4
        (25.0, 2, 1),  # 5 s are left of it: the least that there is, 40 updates of 20 an epoch
        (1.0, 2, 1),
    ],
)
def test_a_short_budget_means_fewer_epochs_of_fewer_views(seconds: float, epochs: int, views: int) -> None:
    found = planned(seconds)
    assert (found.epochs, found.views) == (epochs, views)


def test_of_a_long_budget_it_takes_half() -> None:
    # 886 s would be needed, and 500 are left: 250 s of them.
    found = planned(500.0, usual=FirstPlan(epochs=150, views=8))
    assert (found.epochs, found.views) == (41, 3)
    assert 1.3 * (10.0 + 41 * 4.4) <= 250 < 1.3 * (10.0 + 42 * 4.4)


def test_what_was_planned_before_is_kept_and_ends_with_the_clock() -> None:
    found = planned(60.0, told=True)
    assert (found.epochs, found.views, found.deadline) == (24, 7, 40.0)


def test_the_least_is_learned_whatever_the_clock_says() -> None:
    now = time.monotonic()
    late = FirstPlan(epochs=5, views=1, deadline=now - 100.0, epoch_seconds=25.0, least=2).until()
    assert late is not None
    assert late >= now + 50.0
    assert FirstPlan(epochs=5, views=1, deadline=now + 1000.0, epoch_seconds=50.0).until() == now + 1000.0
    assert FirstPlan(epochs=2, views=1, deadline=now - 100.0, least=2).until() is None
    assert FirstPlan(epochs=5, views=1).until() is None
