"""Learning rates, update by update. In: schedules. Out: verdicts. Next: test_loss.py."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from torch import nn

from tellapart.errors import SettingsError
from tellapart.training.schedule import Schedule


def _optimizer(*rates: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates], lr=1.0)


def _rates(epochs: int = 3, steps: int = 4, rate: float = 1.0, **options: Any) -> list[float]:
    optimizer = _optimizer(rate)
    schedule = Schedule(optimizer, epochs=epochs, steps=steps, **options)
    rates = []
    for update in range(epochs * steps):
        schedule.before_update(update)
        rates.append(schedule.learning_rate)
    return rates


def test_cosine_is_the_papers_half_wave() -> None:
    expected = [0.5 * (1 + math.cos(math.pi * update / 12)) for update in range(12)]
    assert _rates(name="cosine") == pytest.approx(expected)


def test_warm_up_climbs_to_the_rate_and_starts_above_zero() -> None:
    assert _rates(name="constant", warmup_epochs=1, rate=2.0) == pytest.approx([0.5, 1.0, 1.5] + [2.0] * 9)


def test_cosine_after_warm_up_goes_on_where_it_would_be() -> None:
    expected = [0.25, 0.5, 0.75, *(0.5 * (1 + math.cos(math.pi * update / 12)) for update in range(4, 12))]
    found = _rates(name="cosine", warmup_epochs=1)
    assert found[:3] + found[4:] == pytest.approx(expected)


def test_step_falls_after_each_period() -> None:
    assert _rates(name="step", decay_epochs=1) == pytest.approx([1.0] * 4 + [0.1] * 4 + [0.01] * 4)
    assert _rates(name="step", decay_rate=0.5, decay_epochs=1.5) == pytest.approx([1.0] * 6 + [0.5] * 6)


def test_step_falls_twice_when_no_period_is_given() -> None:
    assert _rates(name="step") == pytest.approx([1.0] * 4 + [0.1] * 4 + [0.01] * 4)


def test_exponential_falls_a_little_at_each_update() -> None:
    # Keras: initial rate x decay rate ^ (step / decay steps), with 8 decay steps.
    expected = [0.5 ** (update / 8) for update in range(12)]
    assert _rates(name="exponential", decay_rate=0.5, decay_epochs=2) == pytest.approx(expected)
    assert _rates(name="exponential", decay_rate=0.5, decay_epochs=2, warmup_epochs=1) == pytest.approx(
        [0.25, 0.5, 0.75, expected[4], *expected[4:]]  # the warm-up ends where the fall has come to
    )


def test_piecewise_falls_where_it_was_told() -> None:
    assert _rates(name="piecewise", decay_at=(1, 2.5)) == pytest.approx([1.0] * 4 + [0.1] * 6 + [0.01] * 2)


@pytest.mark.parametrize(
    ("name", "at", "message"),
    [
        (
            "piecewise",
            (),
            r"decay_at is empty; a piecewise schedule needs rising epochs above 0\. Try decay_at = \[5, 8\]\.",
        ),
        ("piecewise", (3, 2), r"decay_at is 3, 2; a piecewise schedule needs rising epochs"),
        ("step", (3,), r"decay_at is 3, and the schedule is step; only piecewise looks at it\."),
    ],
)
def test_epochs_at_which_it_falls_are_checked(name: str, at: tuple[float, ...], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Schedule(_optimizer(1.0), name=name, epochs=4, steps=2, decay_at=at)  # type: ignore[arg-type]


def test_each_group_keeps_its_own_rate() -> None:
    optimizer = _optimizer(1.0, 0.25)
    schedule = Schedule(optimizer, name="cosine", epochs=2, steps=2)
    schedule.before_update(2)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.5, 0.125])


def _plateau() -> tuple[torch.optim.Optimizer, Schedule]:
    optimizer = _optimizer(1.0, 1e-8)
    return optimizer, Schedule(
        optimizer, name="plateau", epochs=9, steps=2, warmup_epochs=1, plateau_patience=1, decay_rate=0.1
    )


def _feed(schedule: Schedule, losses: list[float], first: int = 0) -> list[float]:
    rates = []
    for epoch, loss in enumerate(losses, start=first):
        for step in range(2):
            schedule.before_update(epoch * 2 + step)
        rates.append(schedule.learning_rate)
        schedule.after_epoch((epoch + 1) * 2, loss)
    return rates


def test_plateau_falls_once_patience_is_over() -> None:
    optimizer, schedule = _plateau()
    _feed(schedule, [9.0, 5.0, 4.0, 4.5])
    assert optimizer.param_groups[0]["lr"] == 1.0
    _feed(schedule, [4.5], first=4)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.1, 1e-9])


def test_plateau_goes_on_after_a_resume_as_if_nothing_had_happened() -> None:
    losses = [9.0, 5.0, 5.0, 5.0, 4.0, 4.0, 4.0, 4.0]
    whole = _feed(_plateau()[1], losses)
    assert whole[-1] < whole[0]
    for cut in range(1, len(losses)):
        first = _plateau()[1]
        rates = _feed(first, losses[:cut])
        second = _plateau()[1]
        second.restore(json.loads(json.dumps(first.state())))
        assert rates + _feed(second, losses[cut:], first=cut) == whole


def test_refusals() -> None:
    with pytest.raises(SettingsError, match=r"schedule is 'poly'; it must be cosine, .*, plateau or constant\."):
        Schedule(_optimizer(1.0), name="poly", epochs=2, steps=2)
    with pytest.raises(SettingsError, match=r"warmup_epochs is 2; .* under epochs, 2\. Warm up for less"):
        Schedule(_optimizer(1.0), name="cosine", epochs=2, steps=2, warmup_epochs=2)
