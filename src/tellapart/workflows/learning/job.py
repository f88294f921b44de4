"""What one training needs, whole. In: nothing. Out: Job. Next: assemble.py.

Process 0 makes it; under a launcher every other process gets the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tellapart.bundle import TaskName
from tellapart.tasks.lesson import Lesson
from tellapart.training.distilling import Distance, Lore, Teacher


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Teaching:
    """Who teaches beside the labels, and how much that counts. The lesson's network is an Overheard then."""

    teacher: Teacher
    lore: Lore
    spread: Tensor | None = None  # [T], how much each number of the teacher's embedding varies
    distance: Distance | None = None  # of the outputs, where the task has one of its own


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One training, whole: any process that has it can take part."""

    task: TaskName  # whose learner it is for
    lesson: Lesson  # what is trained, and on what
    train_strata: NDArray[np.int64]  # [N], what `loop.sampling` balances
    epochs: int
    learning_rate: float
    seed: int
    fingerprint: str  # of everything that the result depends on
    folder: Path  # the run's
    samples: NDArray[np.uint8]  # [n, S, S, 3], some training pictures as they are varied, for TensorBoard
    deadline: float | None  # of this process's clock
    title: str
    teaching: Teaching | None = None  # None: the labels alone
