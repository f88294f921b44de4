"""What fits into a budget. In: seconds a picture. Out: plans, worked out by hand."""

from __future__ import annotations

import math

import pytest

from tellapart.training.planning import (
    Clock,
    Costs,
    choose_batch_size,
    default_budget,
    plan,
    report_seconds,
    reserve_seconds,
    scaled_learning_rate,
    worth_trying,
)

CACHED = Costs(view=0.01, train=0.02, validate=0.005)
FRESH = Costs(view=0.0, train=0.05, validate=0.02)


def test_without_a_limit_the_default_epochs_are_planned() -> None:
    planned = plan(CACHED, train=100, validation=20, epochs=None, views=None, default_epochs=20, seconds=None)
    assert planned is not None
    # 100 x 8 + 20 views at 0.01 s, and 20 epochs of 100 x 0.02 + 20 x 0.005 s, with 15 % on top.
    assert (planned.epochs, planned.views) == (20, 8)
    assert planned.seconds == pytest.approx(1.15 * (8.2 + 20 * 2.1))


def test_a_limit_takes_epochs_away_until_they_fit() -> None:
    planned = plan(CACHED, train=100, validation=20, epochs=None, views=None, default_epochs=20, seconds=30.0)
    assert planned is not None
    assert planned.seconds <= 30.0 < 1.15 * (8.2 + (planned.epochs + 1) * 2.1)
    assert (planned.epochs, planned.views) == (8, 8)


def test_no_more_views_than_epochs_are_cached() -> None:
    planned = plan(CACHED, train=100, validation=20, epochs=None, views=None, default_epochs=3, seconds=None)
    assert planned is not None
    assert planned.views == 3


@pytest.mark.parametrize(("seconds", "kept"), [(None, True), (6.0, True), (4.0, False)])
def test_given_epochs_and_views_are_kept_where_the_first_epoch_can_end(seconds: float | None, kept: bool) -> None:
    # 1.15 x (100 x 2 + 20 views at 0.01 s, and one epoch of 2.1 s) = 4.9 s.
    planned = plan(CACHED, train=100, validation=20, epochs=50, views=2, default_epochs=20, seconds=seconds)
    assert (planned is not None) is kept
    if planned is not None:
        assert (planned.epochs, planned.views) == (50, 2)


def test_without_frozen_stages_no_views_are_cached() -> None:
    planned = plan(FRESH, train=100, validation=20, epochs=None, views=None, default_epochs=4, seconds=None)
    assert planned is not None
    assert planned.views == 0
    assert planned.seconds == pytest.approx(1.15 * 4 * (5 + 0.4))


def test_where_not_one_epoch_fits_there_is_no_plan() -> None:
    assert plan(FRESH, train=100, validation=20, epochs=None, views=None, default_epochs=4, seconds=6.0) is None


@pytest.mark.parametrize(("seconds", "worth"), [(60.0, True), (50.0, False)])
def test_fine_tuning_is_tried_where_three_epochs_might_fit(seconds: float, worth: bool) -> None:
    # 20 s of imports and exports, and 1.15 x 300 pictures x 3 epochs x 3 x 0.01 s = 31 s.
    found, needed = worth_trying(train=300, seconds_picture=0.01, seconds=seconds)
    assert found is worth
    assert needed == pytest.approx(51.05)


def test_the_clock_counts_down_from_the_start() -> None:
    clock = Clock(100.0, started=1_000.0, now=lambda: 1_030.0)
    assert clock.left == 70.0
    assert clock.deadline(10.0) == 1_090.0


def test_the_report_comes_out_of_the_same_budget() -> None:
    clock = Clock(100.0, started=1_000.0, report=report_seconds(1_000), now=lambda: 1_000.0)
    assert clock.left == pytest.approx(100 - 4.2)
    assert report_seconds(5_000) == report_seconds(70_000) == pytest.approx(13.0)


def test_without_a_budget_there_is_no_end() -> None:
    clock = Clock(None, started=0.0)
    assert clock.left is None
    assert clock.deadline(10.0) is None


def test_a_gpu_is_given_more_time_than_a_cpu() -> None:
    assert default_budget("cpu") == 60.0
    assert default_budget("cuda") == default_budget("mps") == 600.0


def test_exporting_and_scoring_have_their_time_reserved() -> None:
    assert reserve_seconds(scored=1000, seconds_picture=0.01) == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("device", "processes", "train", "expected"),
    [
        ("cpu", 1, 10**6, 32),
        ("cpu", 3, 10**6, 30),
        ("cpu", 64, 10**6, 64),
        ("cuda", 1, 3_199, 32),
        ("cuda", 1, 3_200, 64),
        ("cuda", 1, 12_800, 256),
        ("cuda", 1, 10**6, 256),
        ("cuda", 4, 12_799, 128),
        ("cuda", 4, 12_800, 256),
        ("mps", 1, 6_400, 128),
    ],
)
def test_a_gpu_gets_larger_batches_while_an_epoch_keeps_fifty_updates(
    device: str, processes: int, train: int, expected: int
) -> None:
    assert choose_batch_size(device, processes=processes, train=train) == expected


def test_the_usual_learning_rate_follows_the_batch() -> None:
    assert scaled_learning_rate(4e-4, batch=32, optimizer="adamw") == 4e-4
    assert scaled_learning_rate(4e-4, batch=128, optimizer="adamw") == pytest.approx(8e-4)
    assert scaled_learning_rate(1e-2, batch=128, optimizer="sgd") == pytest.approx(4e-2)


def test_what_fits_exactly_fits() -> None:
    """The budget is the seconds themselves, to the last bit, and then one step less."""
    fixed = {"train": 100, "validation": 20, "views": None, "default_epochs": 20}
    for epochs in (None, 1):
        found = plan(CACHED, **fixed, epochs=epochs, seconds=None)
        assert found is not None
        assert plan(CACHED, **fixed, epochs=epochs, seconds=found.seconds) == found
        less = plan(CACHED, **fixed, epochs=epochs, seconds=math.nextafter(found.seconds, 0))
        assert (less.epochs if less else None) == (19 if epochs is None else None)
    one = plan(FRESH, **{**fixed, "default_epochs": 1}, epochs=None, seconds=None)
    assert one is not None
    assert plan(FRESH, **fixed, epochs=None, seconds=one.seconds) == one
    needed = worth_trying(train=300, seconds_picture=0.01, seconds=0.0)[1]
    assert worth_trying(train=300, seconds_picture=0.01, seconds=needed)[0]
    assert not worth_trying(train=300, seconds_picture=0.01, seconds=math.nextafter(needed, 0))[0]


def test_given_views_of_none_are_kept_and_cost_nothing() -> None:
    planned = plan(CACHED, train=100, validation=20, epochs=2, views=0, default_epochs=20, seconds=None)
    assert planned is not None
    assert (planned.views, planned.seconds) == (0, pytest.approx(1.15 * 2 * 2.1))


def test_the_report_of_five_thousand_pictures_is_the_longest() -> None:
    assert [report_seconds(count) for count in (0, 1_000, 4_999, 5_001)] == pytest.approx([2.0, 4.2, 12.9978, 13.0])
    assert reserve_seconds(scored=500, seconds_picture=0.02) == pytest.approx(8 + 1.2 * 10)


def test_asked_epochs_keep_fewer_views_where_the_first_epoch_would_not_fit() -> None:
    costs = Costs(view=0.1, train=0.01, validate=0.01)
    told = {"train": 10, "validation": 10, "epochs": 500, "default_epochs": 5}
    whole = plan(costs, **told, views=None, seconds=None)
    assert whole is not None
    assert (whole.epochs, whole.views) == (500, 8)
    found = plan(costs, **told, views=None, seconds=5.0)  # (10 v + 10) 0.1 + 0.2, and some more
    assert found is not None
    assert (found.epochs, found.views) == (500, 3)
    assert plan(costs, **told, views=8, seconds=5.0) is None  # they were asked for
    assert plan(costs, **told, views=None, seconds=1.0) is None
