"""The terms of one training. In: nothing. Out: Trainee, TrainingLimits, Listeners, Saving. Next: loop.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from tellapart.training.checkpoint import Checkpoints
from tellapart.training.learner import Batches, Learner
from tellapart.training.progress import Epoch, Progress
from tellapart.training.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trainee:
    """What is trained, and how. One batch is one update."""

    network: nn.Module  # ends with the best weights
    learner: Learner
    batches: Batches
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    seed: int  # of all random draws, with epoch, step and process
    # Items of a batch that pass through the network at a time; None: all. To accumulate n batches of b give batches of
    # n x b and a chunk of b.
    chunk: int | None = None
    clip: float | None = None  # the gradient's greatest length
    l1: float = 0.0
    l2: float = 0.0
    average_decay: float | None = None  # of the moving average of the weights, which then is judged and kept


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingLimits:
    """When it stops."""

    epochs: int
    patience: int | None = None  # epochs in a row that rank no higher than the best
    min_delta: float = 0.0  # by how much an epoch must rank higher to count as a gain
    monitor: str | None = None  # "loss", or the figure that epochs are ranked by; None: what the learner ranks by
    deadline: float | None = None  # a time of `now`
    now: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listeners:
    """Who is told; in process 0 alone."""

    on_start: Callable[[int], None] | None = None  # how many updates earlier processes have done
    on_step: Callable[[Progress], None] | None = None
    on_epoch: Callable[[Epoch, float], None] | None = None  # and the seconds that are left
    on_message: Callable[[str], None] | None = None  # what a person should know, such as memory that ran out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Saving:
    """Where it saves, and how often: after each epoch, and within one every `seconds` or every `steps` updates."""

    checkpoints: Checkpoints | None = None  # it goes on from the newest of them
    seconds: float = 30.0  # longer where saving would take over 5 % of the time
    steps: int | None = None
