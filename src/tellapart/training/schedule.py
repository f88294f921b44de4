"""The learning rate at each update. In: Optimizer. Out: its groups' rates. Next: loss.py.

timm's schedules are functions of the update's number, so a resumed training needs no state of theirs. timm's plateau
schedule is deprecated because its state cannot be saved; torch's ReduceLROnPlateau, which it wraps, can.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import torch
from timm.scheduler.cosine_lr import CosineLRScheduler
from timm.scheduler.scheduler import Scheduler
from timm.scheduler.step_lr import StepLRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tellapart.errors import SettingsError

ScheduleName = Literal["cosine", "step", "exponential", "piecewise", "plateau", "constant"]
SCHEDULES: tuple[ScheduleName, ...] = get_args(ScheduleName)


class Schedule:
    """Sets the rate of every group before each update: `factor` x the group's own rate."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        *,
        name: ScheduleName = "cosine",
        epochs: int,
        steps: int,
        warmup_epochs: float = 0.0,
        decay_epochs: float | None = None,
        decay_rate: float = 0.1,
        decay_at: Sequence[float] = (),
        plateau_patience: int = 3,
    ) -> None:
        """`steps`: updates an epoch. All begin with a linear warm-up over `warmup_epochs` of the epochs.

        cosine: to 0 at the end of the last epoch (Loshchilov & Hutter 2017, arXiv 1608.03983, eq. 5, one cycle).
        step: x `decay_rate` after every `decay_epochs` (None: a third of the epochs). exponential: the same without steps, a
        little at each update, as Keras' ExponentialDecay. piecewise: x `decay_rate` after each of the epochs `decay_at`, which
        rise, as Keras' PiecewiseConstantDecay with rates a factor apart. plateau: x `decay_rate` once the
        validation loss has not fallen for more than `plateau_patience` epochs. constant: stays.
        Raises: SettingsError for an unknown name, a warm-up that is longer than the training, or epochs that do not rise.
        """
        updates, self._warmup = epochs * steps, round(warmup_epochs * steps)
        if name not in SCHEDULES:
            known = f"{', '.join(SCHEDULES[:-1])} or {SCHEDULES[-1]}"
            raise SettingsError(f"schedule is {name!r}; it must be {known}. Choose one of these.")
        _check_decay_at(decay_at, name)
        if not 0 <= warmup_epochs < epochs:
            raise SettingsError(
                f"warmup_epochs is {warmup_epochs:g}; it must be at least 0 and under epochs, {epochs}. "
                "Warm up for less, or train for longer."
            )
        self._optimizer, self._steps = optimizer, steps
        common: dict[str, Any] = {"warmup_t": self._warmup, "warmup_prefix": False, "t_in_epochs": False}
        self._plateau: ReduceLROnPlateau | None = None
        every = (decay_epochs or epochs / 3) * steps  # updates
        if name == "cosine" and updates > 1:  # of one update alone timm says that its cosine has no effect
            self._rates: Scheduler = CosineLRScheduler(optimizer, t_initial=updates, **common)
        elif name == "exponential":
            self._rates = _Falling(optimizer, lambda update: decay_rate ** (update / every), self._warmup)
        elif name == "piecewise":
            at = [round(epoch * steps) for epoch in decay_at]
            self._rates = _Falling(optimizer, lambda update: decay_rate ** bisect_right(at, update), self._warmup)
        else:
            period = math.ceil(every) if name == "step" else updates + 1
            self._rates = StepLRScheduler(optimizer, decay_t=max(1, period), decay_rate=decay_rate, **common)
        if name == "plateau":
            self._plateau = ReduceLROnPlateau(optimizer, factor=decay_rate, patience=plateau_patience, eps=0.0)
        self.before_update(0)

    @property
    def learning_rate(self) -> float:
        """The rate of the last group, the head's."""
        return float(self._optimizer.param_groups[-1]["lr"])

    def before_update(self, update: int) -> None:
        """Set the rates for the update of this number; the first is 0."""
        if update < self._warmup:
            self._rates.step_update(update + 1)  # The first update, too, is to move the weights.
        elif self._plateau is None or update == self._warmup:
            self._rates.step_update(update)

    def after_epoch(self, updates: int, validation_loss: float) -> None:
        """Take in how an epoch went that ended after so many updates in all."""
        if self._plateau is not None and updates > self._warmup:
            self._plateau.step(validation_loss)

    def state(self) -> dict[str, Any]:
        """What a resumed training needs, as JSON values."""
        rates = [group["lr"] for group in self._optimizer.param_groups]
        return {"rates": rates, "plateau": self._plateau.state_dict() if self._plateau else None}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        for group, rate in zip(self._optimizer.param_groups, state["rates"], strict=True):
            group["lr"] = rate
        if self._plateau is not None:
            self._plateau.load_state_dict(state["plateau"])


class _Falling(Scheduler):  # timm has no such one, and its steps at given updates come an update early
    """A factor for each update, after a warm-up of so many."""

    def __init__(self, optimizer: torch.optim.Optimizer, factor: Callable[[int], float], warmup: int) -> None:
        super().__init__(optimizer, param_group_field="lr", t_in_epochs=False)
        self._factor, self._warmup = factor, warmup

    def _get_lr(self, t: int) -> list[float]:
        share = t / self._warmup if t < self._warmup else self._factor(t)
        return [share * rate for rate in self.base_values]


def _check_decay_at(decay_at: Sequence[float], name: ScheduleName) -> None:
    told = ", ".join(f"{epoch:g}" for epoch in decay_at)
    if name != "piecewise":
        if decay_at:
            raise SettingsError(f"decay_at is {told}, and the schedule is {name}; only piecewise looks at it.")
    elif not decay_at or list(decay_at) != sorted(set(decay_at)) or decay_at[0] <= 0:
        raise SettingsError(
            f"decay_at is {told or 'empty'}; a piecewise schedule needs rising epochs above 0. Try decay_at = [5, 8]."
        )
