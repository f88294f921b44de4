"""What one training needs, whole. In: nothing. Out: Job. Next: assemble.py.

Process 0 makes it; under a launcher every other process gets the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import TaskName
from tellapart.data.loading import RowSource
from tellapart.models.trainable import Trainable
from tellapart.settings.tree import LoopSettings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One training, whole: any process that has it can take part."""

    task: TaskName  # whose learner it is for
    class_count: int  # K, of the data set
    network: Trainable  # with its first weights, and frozen as it should be
    start: int  # the sources give what stage `start` - 1 gave; 0: pictures
    size: int  # pixels, S, the side of the network's input
    train: RowSource
    train_targets: NDArray[Any]  # as the task's learner takes them: int64 [N] classes, float32 [N, K] sets ...
    train_strata: NDArray[np.int64]  # [N], what `loop.sampling` balances
    train_rows: NDArray[np.int64]
    validation: RowSource
    validation_targets: NDArray[Any]
    validation_rows: NDArray[np.int64]
    loop: LoopSettings
    epochs: int
    learning_rate: float
    mixup: float
    cutmix: float
    balanced: bool  # rare classes count as much as common ones in the loss
    seed: int
    fingerprint: str  # of everything that the result depends on
    folder: Path  # the run's
    samples: NDArray[np.uint8]  # [n, S, S, 3], some training pictures as they are varied, for TensorBoard
    deadline: float | None  # of this process's clock
    title: str
