"""What fits into the time that is left. In: seconds a picture, the budget. Out: Plan. Next: workflows/learning/finetune.py.

A run with a budget plans its epochs once, from what a few batches took, and writes them into its recipe: resumed or
repeated, it trains the same epochs. Everything here is arithmetic; what is measured comes in.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

CPU_BATCH = 32  # pictures; a CPU computes more at once no quicker

MOST_VIEWS = 8  # augmented views a picture that are cached; more cost time and disk, and gain little
_CPU_SECONDS, _GPU_SECONDS = 60.0, 600.0  # of a whole run without --budget that is free to choose its strategy
_GPU_BATCH = 256  # pictures at most, for each GPU
_UPDATES = 50  # an epoch, at least, before a batch is doubled
_MARGIN = 1.15  # what was measured on a few batches is a little kind
_FEWEST_EPOCHS = 3  # below that fine-tuning from a probe hardly moves; only `auto` cares


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds that one picture costs, with everything that the machine does beside it."""

    view: float  # augmenting it and running the frozen stages; 0 where no views are cached
    train: float  # one training step's share
    validate: float  # one look at it without gradients


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long to train."""

    epochs: int
    views: int  # cached views a picture; 0: none
    seconds: float  # that it should take


class Clock:
    """The time that a run has. Without a budget there is no end, except for a strategy that is free to choose."""

    def __init__(
        self,
        seconds: float | None,
        *,
        started: float,
        report: float = 0.0,
        fills: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`started` is a time of `now`; `report` the seconds that the report will take at the end.

        Where it `fills` the budget, what is planned by it may be longer than usual; else it is shorter at most.
        """
        self.budget, self.fills, self._now = seconds, fills, now
        self._end = None if seconds is None else started + seconds - report

    @property
    def left(self) -> float | None:
        """Seconds left; None where there is no end."""
        return None if self._end is None else self._end - self._now()

    def deadline(self, reserve: float) -> float | None:
        """The moment of `now` after which only `reserve` seconds are left."""
        return None if self._end is None else self._end - reserve


@dataclass(frozen=True, slots=True, kw_only=True)
class TooShort:
    """The budget does not allow one epoch."""

    seconds: float  # that one epoch would take; 0: it was begun, and cut
    left: float  # of the budget
    reserve: float = 0.0  # of that for what comes after the training


def default_budget(device: str) -> float:
    """How long a run may take that was told neither a budget nor to fine-tune: the first answer comes soon."""
    return _CPU_SECONDS if device == "cpu" else _GPU_SECONDS


def report_seconds(pictures: int) -> float:
    """What the report of so many pictures takes: most of it the map and the label doctor, which see 5,000 at most.

    Processor time by `benchmarks/report_cost.py`, 2026-11-28: 2.1 s for 250 pictures, 3.6 for 1,399, 7.4 for 2,624.
    """
    return 2.0 + 0.0022 * min(pictures, 5_000)


def reserve_seconds(*, scored: int, seconds_picture: float) -> float:
    """What must be left after the training: exporting, scoring `scored` pictures, writing."""
    return 8.0 + 1.2 * scored * seconds_picture


def choose_batch_size(device: str, *, processes: int, train: int) -> int:
    """Pictures a batch, of all processes together, for `train` training pictures on "cpu", "cuda" or "mps".

    A GPU is kept busy by larger batches than a CPU, as long as an epoch keeps enough updates. Nothing is timed for it:
    the same command must give the same weights twice. What memory does not hold is computed in parts.
    """
    each = CPU_BATCH
    if device != "cpu":
        while each < _GPU_BATCH and train >= 2 * each * processes * _UPDATES:
            each *= 2
    whole = each if device == "cpu" else each * processes
    return max(1, whole // processes) * processes


def scaled_learning_rate(rate: float, *, batch: int, optimizer: str) -> float:
    """The default `rate`, which suits 32 pictures an update, for `batch` pictures.

    Linear for SGD (Goyal et al. 2017, arXiv 1706.02677), by the square root for Adam (Malladi et al. 2022, arXiv 2205.10287).
    """
    times = batch / CPU_BATCH
    return rate * (times if optimizer == "sgd" else math.sqrt(times))


def plan(
    costs: Costs,
    *,
    train: int,
    validation: int,
    epochs: int | None,
    views: int | None,
    default_epochs: int,
    seconds: float | None,
) -> Plan | None:
    """The epochs and views that fit into `seconds` (None: no limit), at most `default_epochs` where none are given.

    `train` and `validation` count pictures; given `epochs` and `views` are kept, even if the deadline will cut the epochs.
    None where not one epoch fits.
    """

    each = train * costs.train + validation * costs.validate

    def planned(count: int) -> Plan:
        return of(count, 0 if costs.view == 0 else cached_views(views, count))

    def of(count: int, cached: int) -> Plan:
        once = (train * cached + validation) * costs.view if cached else 0.0
        return Plan(epochs=count, views=cached, seconds=_MARGIN * (once + count * each))

    if epochs is not None:
        # The deadline cuts a training that is too long; one whose first epoch cannot end, with the fewest views, is not begun.
        found = planned(epochs)
        fewest = min(1, found.views) if views is None else found.views
        for cached in range(found.views, fewest - 1, -1):
            found = of(epochs, cached)
            if seconds is None or found.seconds - _MARGIN * (epochs - 1) * each <= seconds:
                return found
        return None
    for count in range(default_epochs, 0, -1):
        found = planned(count)
        if seconds is None or found.seconds <= seconds:
            return found
    return None


def cached_views(views: int | None, epochs: int) -> int:
    """The augmented views a picture that are kept for so many epochs: those that are asked for, else one an epoch, to a limit."""
    return min(MOST_VIEWS, epochs) if views is None else views


def worth_trying(*, train: int, seconds_picture: float, seconds: float, overhead: float = 20.0) -> tuple[bool, float]:
    """Whether fine-tuning could fit at all, before anything is imported or measured, and the seconds that it needs.

    `seconds_picture` is what embedding one picture took: a view costs a little less, a step of the upper stages about
    twice that. `overhead` is imports and exports.
    """
    needed = overhead + _MARGIN * train * _FEWEST_EPOCHS * 3 * seconds_picture
    return needed <= seconds, needed
