"""The learning rate at each update. In: Optimizer. Out: its groups' rates. Next: loss.py.

timm's schedules are functions of the update's number, so a resumed training needs no state of theirs. timm's plateau
schedule is deprecated because its state cannot be saved; torch's ReduceLROnPlateau, which it wraps, can.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from timm.scheduler.cosine_lr import CosineLRScheduler
from timm.scheduler.step_lr import StepLRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tellapart.errors import SettingsError

ScheduleName = Literal["cosine", "step", "plateau", "constant"]


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
        plateau_patience: int = 3,
    ) -> None:
        """`steps`: updates an epoch. All four begin with a linear warm-up over `warmup_epochs` of the epochs.

        cosine: to 0 at the end of the last epoch (Loshchilov & Hutter 2017, arXiv 1608.03983, eq. 5, one cycle).
        step: x `decay_rate` after every `decay_epochs` (None: a third of the epochs). plateau: x `decay_rate` once the
        validation loss has not fallen for more than `plateau_patience` epochs. constant: stays.
        Raises: SettingsError for an unknown name or a warm-up that is longer than the training.
        """
        updates, self._warmup = epochs * steps, round(warmup_epochs * steps)
        if name not in ("cosine", "step", "plateau", "constant"):
            raise SettingsError(
                f"schedule is {name!r}; it must be cosine, step, plateau or constant. Choose one of these."
            )
        if not 0 <= warmup_epochs < epochs:
            raise SettingsError(
                f"warmup_epochs is {warmup_epochs:g}; it must be at least 0 and under epochs, {epochs}. "
                "Warm up for less, or train for longer."
            )
        self._optimizer, self._steps = optimizer, steps
        common: dict[str, Any] = {"warmup_t": self._warmup, "warmup_prefix": False, "t_in_epochs": False}
        self._plateau: ReduceLROnPlateau | None = None
        if name == "cosine" and updates > 1:  # of one update alone timm says that its cosine has no effect
            self._rates: Any = CosineLRScheduler(optimizer, t_initial=updates, **common)
        else:
            period = math.ceil((decay_epochs or epochs / 3) * steps) if name == "step" else updates + 1
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
