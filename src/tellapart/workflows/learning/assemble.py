"""One training put together: on what, how long, how fast. In: ShrunkSplits, Prepared, Planned. Out: Job. Next: fitting.py."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.features.caching import row_limit_bytes
from tellapart.features.frozen import cache_views
from tellapart.storage import cache_folder
from tellapart.tasks.lesson import Lesson
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.source import usable_rows
from tellapart.tasks.task import Task
from tellapart.training.planning import scaled_learning_rate
from tellapart.workflows.learning.job import Job
from tellapart.workflows.learning.planned import Planned
from tellapart.workflows.learning.session import TrainingSession
from tellapart.workflows.learning.shrunk import ShrunkSplits

_SAMPLES = 16  # training pictures that TensorBoard shows


def assemble_job(
    session: TrainingSession, task: Task, shrunk: ShrunkSplits, prepared: Prepared, planned: Planned
) -> Job:
    """The training that the planned run's settings ask for. Raises: DataError, StorageError."""
    settings, loop = session.run.settings, session.run.settings.loop
    lesson = shrunk.lesson
    if prepared.lower is not None:
        lesson = _on_views(session, shrunk, prepared, prepared.lower, planned.views)
    usual = scaled_learning_rate(
        prepared.learning_rate, batch=loop.pictures_at_once * loop.accumulate, optimizer=loop.optimizer
    )
    return Job(
        task=task.name,
        lesson=lesson,
        train_strata=task.strata(lesson.train_targets),
        epochs=planned.epochs,
        learning_rate=loop.learning_rate or usual,
        seed=settings.seed,
        fingerprint=fingerprint(
            {**prepared.facts, "settings": settings.trained_by(), "contents": shrunk.contents},
            lesson.train_targets,
            lesson.train_rows,
            lesson.validation_targets,
            lesson.validation_rows,
        ),
        folder=session.run.folder,
        samples=samples_of(shrunk.lesson),
        deadline=planned.deadline,
        title=prepared.title,
    )


def _on_views(session: TrainingSession, shrunk: ShrunkSplits, prepared: Prepared, lower: Path, views: int) -> Lesson:
    """The lesson on what the frozen stages `lower` make of `views` variants of each picture, once."""
    seed = session.run.settings.seed
    with session.reporter.step(
        "Running the frozen stages", len(shrunk.train) * views + len(shrunk.validation)
    ) as advance:
        train, validation = (
            cache_views(
                pictures,
                lower=lower,
                shape=prepared.shape,
                views=count,
                augment=augment,
                seed=seed,
                folder=cache_folder(),
                limit_bytes=row_limit_bytes(),
                advance=advance,
            )
            for pictures, count, augment in ((shrunk.train, views, prepared.augment), (shrunk.validation, 1, None))
        )
    if train.store is None:
        session.reporter.warn(
            f"{views} views of {len(shrunk.train):,} pictures do not fit into the cache, so each epoch computes them "
            "anew. Raise TELLAPART_CACHE_GB, free disk space, or give fewer --views."
        )
    return replace(
        shrunk.lesson,
        train=train,
        train_rows=usable_rows(train),
        validation=validation,
        validation_rows=usable_rows(validation),
    )


def samples_of(lesson: Lesson) -> NDArray[np.uint8]:
    """The first training pictures as they are varied, [n, S, S, 3]; of a source with targets the pictures alone, of texts none."""
    given = lesson.train.get(lesson.train_rows[:_SAMPLES], 0)
    pictures = np.asarray(given[0] if isinstance(given, tuple) else given)
    return pictures if pictures.dtype == np.uint8 else np.zeros((0, 1, 1, 3), dtype=np.uint8)


def fingerprint(facts: dict[str, Any], *arrays: NDArray[Any]) -> str:
    """SHA-256 of everything that a training's result depends on: a checkpoint of another training is refused by it."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
