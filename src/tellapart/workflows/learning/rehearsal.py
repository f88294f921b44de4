"""A training before its length is known, to be timed. In: ShrunkSplits, Prepared. Out: Rehearsal. Next: planned.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.loading import RowSource
from tellapart.models.trainable import Trainable
from tellapart.settings.tree import LoopSettings, TrainSettings
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.source import usable_rows
from tellapart.workflows.learning.shrunk import ShrunkSplits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rehearsal:
    """A Lesson (tasks/lesson.py) that nothing is learned from: its sources give pictures, wherever the network begins."""

    class_count: int
    network: Trainable
    start: int
    size: int
    loop: LoopSettings
    balanced: bool
    mixup: float
    cutmix: float
    train_targets: NDArray[Any]
    train_rows: NDArray[np.int64]
    validation: RowSource
    validation_targets: NDArray[Any]
    validation_rows: NDArray[np.int64]


def rehearse(settings: TrainSettings, dataset: Dataset, shrunk: ShrunkSplits, prepared: Prepared) -> Rehearsal:
    """What the learner of the training that is to come is made of."""
    augmentation = prepared.augment.augmentation
    return Rehearsal(
        class_count=len(dataset.classes),
        network=prepared.network,
        start=prepared.start,
        size=prepared.preprocessing.size,
        loop=settings.loop,
        balanced=settings.class_weights == "balanced",
        mixup=augmentation.mixup,
        cutmix=augmentation.cutmix,
        train_targets=shrunk.train_targets,
        train_rows=usable_rows(shrunk.train),
        validation=shrunk.validation,
        validation_targets=shrunk.validation_targets,
        validation_rows=usable_rows(shrunk.validation),
    )
