"""All that the loop sees of a task. In: a network, batches. Out: Losses, Judged. Next: terms.py.

The loop asks, and knows no task: what a target is, what the network is called with, what makes one epoch better than
another is the learner's business. B is the number of items of a batch: pictures, texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from tellapart.data.batch import Batch
from tellapart.errors import kind_of

__all__ = ["Batch", "Batches", "Judged", "Learner", "Losses", "check_targets"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Losses:
    """What a pass over a batch of B items came to."""

    items: Tensor  # float32 [B], with gradients; each item's own, whatever items it is computed with
    parts: Mapping[str, Tensor]  # name -> a number for each item [B]: right or not, a part of the loss ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How good a network is on what it is not trained on.

    A figure is a share, 0 to 1, unless its name ends with "loss"; the first is the one that people look at.
    """

    loss: float  # finite, or the training stops
    figures: Mapping[str, float]  # by name; the same names after every epoch
    rank: float  # which epoch is best: the higher wins, of equal ones the first. Never NaN


class Learner(Protocol):
    """One task's training. It refuses what it cannot take: ValueError for shapes and types, TrainingError for data."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The names in `Losses.parts`, always the same: several processes add them up in one message."""
        ...

    def prepare(self, batch: Batch, seed: int) -> Batch:
        """A batch as it comes from its source, on the device and mixed; once an update. A pure function of both."""
        ...

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """Pass what `prepare` or `chunks` gave through `network`, in its own way; detectors hand in the targets too."""
        ...

    def chunks(self, batch: Batch, count: int) -> Sequence[Batch]:
        """A prepared batch in `count` parts, so that it may pass through the network piece by piece.

        The sums of losses and parts over all of them are those of the whole, and so is the gradient.
        """
        ...

    def judge(self, network: nn.Module) -> Judged:
        """Look at the validation items; `network` is in evaluation mode, and no gradients are kept. Process 0 alone is asked."""
        ...


class Batches(Protocol):
    """The batches of each epoch: batch (epoch, step) is the same whenever it is asked for. data/loading.py has such ones."""

    @property
    def steps(self) -> int:
        """How many an epoch has."""
        ...

    def epoch(self, number: int, start_step: int = 0) -> Iterator[Batch]:
        """The batches of epoch `number` (from 0), from `start_step` on; under several processes this one's parts of them."""
        ...


def check_targets(targets: Any, kind: torch.dtype, shape: tuple[int, ...], meaning: str) -> None:
    """Refuse targets that are no tensor of this type and shape; `meaning` says what such a one stands for. Raises: ValueError."""
    if isinstance(targets, Tensor) and targets.dtype == kind and targets.shape == shape:
        return
    found = kind_of(targets)
    if isinstance(targets, Tensor):
        found = f"{str(targets.dtype).removeprefix('torch.')} {list(targets.shape)}"
    wanted = f"{str(kind).removeprefix('torch.')} {list(shape)}"
    raise ValueError(f"targets are {found}; {meaning} is {wanted}. Choose the task whose targets these are")
