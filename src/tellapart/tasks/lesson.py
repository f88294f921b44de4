"""What a task makes its learner of. In: nothing. Out: Lesson. Next: classification/learner.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.loading import RowSource
from tellapart.models.trainable import Trainable
from tellapart.settings.loop import LoopSettings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """One training as a task sees it: a network, and the N rows of each of two sources that it learns from and is judged on."""

    class_count: int  # K, of the data set
    network: Trainable  # with its first weights, and frozen as it should be
    start: int  # the stage of the network that the sources' rows go into; 0: they are pictures
    loop: LoopSettings  # the loss and what belongs to it
    balanced: bool  # rare classes count as much as common ones in the loss
    mixup: float  # alphas of Beta distributions; 0: off
    cutmix: float
    train: RowSource
    train_targets: NDArray[Any]  # [N, ...], as `Task.encode` makes them: int64 [N] classes, float32 [N, K] sets ...
    train_rows: NDArray[np.int64]  # [n], those of them that are used
    validation: RowSource
    validation_targets: NDArray[Any]
    validation_rows: NDArray[np.int64]
