"""What a training tells while it runs and when it ends. In: numbers. Out: Epoch, Progress, Fitted, Pace. Next: update.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Stopped = Literal["finished", "early", "budget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """How one epoch went. Figures are shares, 0 to 1, unless their names end with "loss"."""

    number: int  # from 1
    train_loss: float  # nats, mean over its items as they were trained on (augmented, mixed, with dropout)
    validation_loss: float
    train: Mapping[str, float]  # the learner's parts by name, means over the same items
    validation: Mapping[str, float]  # what the learner judged by name; empty in processes that did not judge
    rank: float  # the higher, the better
    learning_rate: float  # of the head, at the last update
    seconds: float  # with validation
    pictures_per_second: float  # without validation, all processes together

    def __post_init__(self) -> None:
        if "loss" in self.train or "loss" in self.validation:
            raise ValueError("no figure may be called loss: that is what train_loss and validation_loss are")

    def record(self) -> dict[str, Any]:
        """One flat record of JSON values, as log.jsonl and metrics.json hold it: train_loss, train_NAME, validation_NAME ..."""
        named = {
            f"{split}_{name}": value
            for split, figures in (("train", self.train), ("validation", self.validation))
            for name, value in figures.items()
        }
        return {
            "number": self.number,
            "train_loss": self.train_loss,
            "validation_loss": self.validation_loss,
            **named,
            "rank": self.rank,
            "learning_rate": self.learning_rate,
            "seconds": self.seconds,
            "pictures_per_second": self.pictures_per_second,
        }

    @property
    def summary(self) -> str:
        """Losses and figures in one line."""
        train = [f"train loss {self.train_loss:.4f}", *(figure_text(*figure) for figure in self.train.items())]
        validation = [
            f"validation loss {self.validation_loss:.4f}",
            *(figure_text(*figure) for figure in self.validation.items()),
        ]
        return f"{', '.join(train)}; {', '.join(validation)}"


def figure_text(name: str, value: float) -> str:
    """A learner's figure as people read it: `accuracy 93.8 %`, `box loss 0.1234`."""
    return f"{name} {value:.4f}" if name.endswith("loss") else f"{name} {100 * value:.1f} %"


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
    stopped: Stopped  # all epochs done, none better for `patience`, or the deadline
    chunk: int | None  # pictures a forward pass at the end; less than asked where memory ran out
    messages: Sequence[str]  # what a person should know: memory ran out, a checkpoint was damaged


def how_it_went(fitted: Fitted) -> dict[str, object]:
    """The same as JSON values, for metrics.json."""
    return {
        "best_epoch": fitted.best_epoch,
        "stopped": fitted.stopped,
        "messages": list(fitted.messages),
        "history": [epoch.record() for epoch in fitted.history],
    }


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
