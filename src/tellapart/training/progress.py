"""What a training tells while it runs and when it ends. In: numbers. Out: Epoch, Progress, Fitted. Next: update.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

Stopped = Literal["finished", "early", "budget"]


class TrainingBatch(Protocol):
    """One batch, this process's part of it under several processes. data/loading.py gives such ones."""

    @property
    def images(self) -> Tensor:
        """Pictures uint8 [B, S, S, 3] or activations float [B, C, H, W]."""
        ...

    @property
    def targets(self) -> Tensor:
        """Classes int64 [B]."""
        ...


class Batches(Protocol):
    """The batches of each epoch: batch (epoch, step) is the same whenever it is asked for."""

    @property
    def steps(self) -> int:
        """How many an epoch has."""
        ...

    def epoch(self, number: int, start_step: int = 0) -> Iterator[TrainingBatch]:
        """The batches of epoch `number` (from 0), from `start_step` on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """How one epoch went."""

    number: int  # from 1
    train_loss: float  # nats, mean over its pictures as they were trained on (augmented, mixed, with dropout)
    train_accuracy: float  # 0 to 1; of mixed pictures the class with the greater share counts
    validation_loss: float
    validation_accuracy: float
    learning_rate: float  # of the head, at the last update
    seconds: float  # with validation
    pictures_per_second: float  # without validation, all processes together


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a training is, after each update."""

    epoch: int  # from 1
    epochs: int
    step: int  # finished updates of this epoch
    steps: int
    train_loss: float  # mean of this epoch so far
    learning_rate: float
    seconds_left: float  # to the last epoch or the deadline, whichever comes first


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """How a training ended; the network has the weights of the best epoch."""

    history: Sequence[Epoch]
    best_epoch: int  # from 1; 0: no epoch was finished, and the network has the weights it last had
    stopped: Stopped  # all epochs done, no better epoch for `patience`, or the deadline
    chunk: int | None  # pictures a forward pass at the end; less than asked where memory ran out
    messages: Sequence[str]  # what a person should know: memory ran out, a checkpoint was damaged


class Pace:
    """Tells how long the epochs take and how long is left."""

    def __init__(self, *, steps: int, epochs: int, deadline: float | None, now: Callable[[], float]) -> None:
        """`steps`: updates an epoch; `deadline`: a time of `now`."""
        self._steps, self._epochs, self._deadline, self._now = steps, epochs, deadline, now
        self._earlier, self._validating = 0.0, 0.0
        self.begin(0, 0.0)

    def begin(self, step: int, earlier: float) -> None:
        """An epoch goes on after `step` updates, on which earlier processes have spent `earlier` seconds."""
        self._begun, self._first, self._earlier = self._now(), step, earlier

    def elapsed(self) -> float:
        """Seconds spent on this epoch so far, by earlier processes too."""
        return self._earlier + self._now() - self._begun

    def validated(self, seconds: float) -> None:
        """The last validation took so long."""
        self._validating = seconds

    def out_of_time(self) -> bool:
        """Whether the deadline has passed."""
        return self._deadline is not None and self._now() >= self._deadline

    def seconds_after(self, epoch: Epoch) -> float:
        """After `epoch`, up to the last one or the deadline, if each takes as long."""
        left = (self._epochs - epoch.number) * epoch.seconds
        return left if self._deadline is None else max(0.0, min(left, self._deadline - self._now()))

    def seconds_left(self, epoch: int, step: int) -> float:
        """Up to the last epoch or the deadline, from the pace of this epoch; `epoch` from 0, `step` updates done."""
        now = self._now()
        a_step = (now - self._begun) / max(1, step - self._first)
        epochs_left = self._epochs - epoch
        left = a_step * (epochs_left * self._steps - step) + epochs_left * self._validating
        return left if self._deadline is None else max(0.0, min(left, self._deadline - now))
