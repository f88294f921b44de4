"""How long a first answer learns. In: counts, what a picture costs here, the run's clock. Out: FirstPlan. Next: maps.py.

Without a clock the data alone say it, so that the same command gives the same weights. What a clock's end leaves room for is
planned once, and kept in the run's recipe.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

from tellapart.evaluation.novelty import FIT_PICTURES
from tellapart.training.planning import Clock, Costs, reserve_seconds
from tellapart.training.timing import Speed

MOST_VIEWS = 1200  # of all training pictures together: half a gigabyte at 320 pixels
_MOST_EPOCHS, _LEAST_UPDATES = 40, 40  # fewer updates teach nothing, so as many are learned whatever the clock says
_VIEWS_A_PICTURE = 8
_MOST_BYTES, _BYTES = 2_000_000_000, 2  # of all views together, whatever room there is; of a number
_SECONDS = 120.0  # that it may take of any budget that has them, and half of a longer one
_MARGIN = 1.3  # what a few batches took is kind: boxes are sorted out after every epoch, too


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPlan:
    """How long it learns."""

    epochs: int
    views: int  # of each picture
    deadline: float | None = None  # of time.monotonic; None: it is never cut short
    epoch_seconds: float = 0.0  # that an epoch should take
    least: int = 1  # epochs that are learned in any case

    def until(self) -> float | None:
        """The deadline of a learning that begins now, and has time for the least in any case."""
        if self.deadline is None or self.epochs <= self.least:
            return None
        return max(self.deadline, time.monotonic() + self.least * self.epoch_seconds)


def usual_plan(*, updates: int, steps: int, pictures: int, length: int) -> FirstPlan:
    """As many epochs of `steps` updates as come to `updates`, and views of `pictures` of `length` numbers each that can be kept."""
    # Of a large backbone with a fine map a view takes megabytes.
    views = min(_VIEWS_A_PICTURE, min(MOST_VIEWS, _MOST_BYTES // (_BYTES * length)) // pictures)
    epochs = max(1, min(_MOST_EPOCHS, math.ceil(updates / steps)))
    return FirstPlan(epochs=epochs, views=max(1, views), least=min(epochs, math.ceil(_LEAST_UPDATES / steps)))


def plan_by_clock(
    usual: FirstPlan, speed: Speed, clock: Clock, *, train: int, validated: int, scored: int, told: bool
) -> FirstPlan:
    """The longest plan that the clock leaves room for, no longer than `usual`; `told` plans keep their epochs and views.

    `train` and `validated` count the pictures, or tiles, of an epoch, `scored` those of validation and test that it is to look at.
    """
    left = clock.left
    if left is None:
        return usual
    reserve = reserve_seconds(scored=scored + min(train, FIT_PICTURES), seconds_picture=speed.deployed)
    room = min(left - reserve, max(left / 2, _SECONDS))
    found = usual if told else _fitting(usual, speed.costs, room, train=train, validated=validated)
    each = _MARGIN * _epoch(speed.costs, train=train, validated=validated)
    return replace(found, deadline=clock.deadline(reserve), epoch_seconds=each)


def _fitting(usual: FirstPlan, costs: Costs, room: float, *, train: int, validated: int) -> FirstPlan:
    """The longest that fits; the least of one view in any case."""
    for epochs in range(usual.epochs, usual.least, -1):
        views = math.ceil(usual.views * epochs / usual.epochs)
        once = (train * views + validated) * costs.view
        if _MARGIN * (once + epochs * _epoch(costs, train=train, validated=validated)) <= room:
            return replace(usual, epochs=epochs, views=views)
    return replace(usual, epochs=min(usual.least, usual.epochs), views=1)


def _epoch(costs: Costs, *, train: int, validated: int) -> float:
    return train * costs.train + validated * costs.validate
