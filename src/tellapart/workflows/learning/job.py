"""What one training needs, whole. In: a planned run, its pictures. Out: Job. Next: fitting.py.

Process 0 makes it; under a launcher every other process gets the same one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import TaskName
from tellapart.data.augment import Augmentation
from tellapart.data.loading import RowSource
from tellapart.features.shrink import AugmentedPictures
from tellapart.models.staged import StagedNetwork
from tellapart.runs.run import Run
from tellapart.settings.tree import LoopSettings
from tellapart.tasks.task import Task
from tellapart.training.planning import scaled_learning_rate
from tellapart.workflows.learning.shrunk import ShrunkSplits

_SAMPLES = 16  # training pictures that TensorBoard shows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One training, whole: any process that has it can take part."""

    task: TaskName  # whose learner it is for
    network: StagedNetwork  # with its first weights, and frozen as it should be
    start: int  # the sources give what stage `start` - 1 gave; 0: pictures
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

    @property
    def class_count(self) -> int:
        """K, of what the network gives."""
        return self.network.classifier.out_features


class Usable(RowSource, Protocol):
    """A source that knows which rows it cannot give."""

    @property
    def problems(self) -> dict[int, str]:
        """Row -> why it must not be asked for."""
        ...


def make_job(
    run: Run,
    task: Task,
    shrunk: ShrunkSplits,
    augmentation: Augmentation,
    *,
    network: StagedNetwork,
    start: int,
    train: Usable,
    validation: Usable,
    samples: AugmentedPictures,
    epochs: int,
    learning_rate: float,
    facts: dict[str, Any],
    deadline: float | None,
    title: str,
) -> Job:
    """The training that the planned run's settings ask for.

    `learning_rate`, which suits batches of 32, is taken where they name none; `facts` are what the result depends on besides them.
    """
    settings = run.settings
    train_rows, validation_rows = _usable_rows(train), _usable_rows(validation)
    loop = settings.loop
    usual = scaled_learning_rate(learning_rate, batch=loop.pictures_at_once * loop.accumulate, optimizer=loop.optimizer)
    return Job(
        task=task.name,
        network=network,
        start=start,
        train=train,
        train_targets=shrunk.train_targets,
        train_strata=task.strata(shrunk.train_targets),
        train_rows=train_rows,
        validation=validation,
        validation_targets=shrunk.validation_targets,
        validation_rows=validation_rows,
        loop=loop,
        epochs=epochs,
        learning_rate=loop.learning_rate or usual,
        mixup=augmentation.mixup,
        cutmix=augmentation.cutmix,
        balanced=settings.class_weights == "balanced",
        seed=settings.seed,
        fingerprint=fingerprint(
            {**facts, "settings": settings.trained_by(), "contents": shrunk.contents},
            shrunk.train_targets,
            train_rows,
            shrunk.validation_targets,
            validation_rows,
        ),
        folder=run.folder,
        samples=samples.get(_usable_rows(samples)[:_SAMPLES], 0),
        deadline=deadline,
        title=title,
    )


def _usable_rows(source: Usable) -> NDArray[np.int64]:
    return np.array([row for row in range(len(source)) if row not in source.problems], dtype=np.int64)


def fingerprint(facts: dict[str, Any], *arrays: NDArray[Any]) -> str:
    """SHA-256 of everything that a training's result depends on: a checkpoint of another training is refused by it."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
