"""A network trains on under a teacher. In: Compressible, LearnableNetwork, a Teacher. Out: Fitted. Next: pruned.py.

It is the loop of every training, with its early stopping, checkpoints and resume: `folder` keeps what a killed one goes on from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from tellapart.data.examples import PictureFile
from tellapart.data.joined_rows import JoinedRows
from tellapart.errors import SettingsError
from tellapart.features.caching import row_limit_bytes
from tellapart.features.mixed import MixedPictures, Mixes, draw_mixes
from tellapart.features.shrink import AugmentedPictures, shrink, training_square
from tellapart.models.overheard import Overheard
from tellapart.storage import cache_folder
from tellapart.tasks.lesson import Lesson
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.source import UsableRows, usable_rows
from tellapart.training.distilling import Lore, Teacher
from tellapart.training.progress import Fitted
from tellapart.workflows.compressing.compressible import Compressible
from tellapart.workflows.compressing.opened import LearnableNetwork
from tellapart.workflows.learning.assemble import fingerprint, samples_of
from tellapart.workflows.learning.fitting import run_job
from tellapart.workflows.learning.job import Job, Teaching
from tellapart.workflows.learning.processes import join, world_size
from tellapart.workflows.learning.shrunk import shrink_splits


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How long and how strongly a network is taught."""

    epochs: int
    learning_rate: float  # that suits batches of 32
    lore: Lore
    title: str
    facts: dict[str, Any]  # what the result depends on beside the settings: a checkpoint of another training is refused


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pupils:
    """The pictures that a network is taught with, made ready once."""

    work: Compressible
    opened: LearnableNetwork  # the network that learns
    lesson: Lesson  # rows with labels and, after them, those without
    strata: np.ndarray
    contents: str
    labelled: int | None  # rows below this have labels; None: all
    mixes: Mixes | None = None  # of which the last rows are; None: there are none

    @property
    def rows(self) -> int:
        """Of the training's source."""
        return len(self.lesson.train)


def gather_pupils(
    work: Compressible,
    opened: LearnableNetwork,
    unlabelled: Sequence[PictureFile] = (),
    mixed: float = 0.0,
) -> Pupils:
    """The run's training and validation pictures, as the task reads them, and after the former what has no labels:

    the pictures `unlabelled`, and pictures mixed of two training pictures, `mixed` for each of these. Neither where targets move
    with their pictures, as boxes and masks do.
    Raises: SettingsError for several processes, or pictures that are mixed; DataError, StorageError.
    """
    if world_size() > 1:
        raise SettingsError("a network is pruned and taught by one process. Run the command without a launcher.")
    ready = opened.prepared
    if work.task.head is None and (ready.augment.augmentation.mixup or ready.augment.augmentation.cutmix):
        raise SettingsError(
            "the run mixes pictures (augment.mixup, augment.cutmix), of which a teacher's answers are not known. "
            "Compress a run that was trained without."
        )
    parts = work.task.parts(opened.settings, work.dataset, ready.preprocessing)
    read = work.dataset if parts is None else parts.dataset
    shrunk = shrink_splits(opened.settings, work.task, read, ready, work.reporter)
    strata = work.task.strata(shrunk.lesson.train_targets)
    pupils = Pupils(
        work=work, opened=opened, lesson=shrunk.lesson, strata=strata, contents=shrunk.contents, labelled=None
    )
    if unlabelled:
        contents = "".join(picture.content_hash for picture in unlabelled)
        pupils = _with_more(pupils, _varied(work, ready, unlabelled), contents)
    if count := round(mixed * len(shrunk.lesson.train_rows)):
        mixes = draw_mixes(shrunk.lesson.train_rows, count, work.run.settings.seed)
        source = MixedPictures(pictures=shrunk.train, mixes=mixes, augment=ready.augment, seed=work.run.settings.seed)
        pupils = replace(_with_more(pupils, source, f"mixed {count}"), mixes=mixes)
    return pupils


def _varied(work: Compressible, ready: Prepared, unlabelled: Sequence[PictureFile]) -> AugmentedPictures:
    with work.reporter.step("Shrinking the unlabelled pictures", len(unlabelled)) as advance:
        squares = shrink(
            unlabelled,
            preprocessing=training_square(ready.preprocessing),
            folder=cache_folder(),
            limit_bytes=row_limit_bytes(),
            advance=advance,
        )
    return AugmentedPictures(pictures=squares, augment=ready.augment, seed=work.run.settings.seed)


def _with_more(pupils: Pupils, source: UsableRows, contents: str) -> Pupils:
    """With the rows of `source`, which have no labels, behind all others; `contents` says what is in them."""
    lesson, strata = pupils.lesson, pupils.strata
    count, more = len(lesson.train), len(source)
    # Never looked at: the labels of these rows count nothing.
    targets = np.concatenate([lesson.train_targets, np.repeat(lesson.train_targets[:1], more, axis=0)])
    return replace(
        pupils,
        lesson=replace(
            lesson,
            train=JoinedRows(first=lesson.train, second=source),
            train_targets=targets,
            train_rows=np.concatenate([lesson.train_rows, usable_rows(source) + count]),
        ),
        strata=np.concatenate([strata, np.repeat(strata[:1], more, axis=0)]),
        contents=pupils.contents + contents,
        labelled=count if pupils.labelled is None else pupils.labelled,
    )


def teach(
    pupils: Pupils,
    teacher: Teacher,
    course: Course,
    folder: Path,
    *,
    lead: tuple[Tensor, Tensor] | None = None,
    spread: Tensor | None = None,
) -> Fitted:
    """Train the pupils' network in place, and leave the weights of the best epoch in it; checkpoints lie in `folder`.

    `lead` [T, D] and [T] leads from the network's embedding to the teacher's, where that is not one of its own kind; it trains too.
    `spread` [T] is how much each of its numbers varies.
    Raises: TrainingError, StorageError, SettingsError.
    """
    opened = pupils.opened
    heard = Overheard(opened.network, at=opened.heard, lead=lead)
    lore = replace(course.lore, labelled=pupils.labelled)
    teaching = Teaching(teacher=teacher, lore=lore, spread=spread, distance=opened.distance)
    job = _job(replace(pupils, lesson=replace(pupils.lesson, network=heard)), course, teaching, folder)
    try:
        fitted = run_job(job, join(opened.settings, "cpu"), pupils.work.reporter)
    finally:
        heard.leave()
    opened.network.to("cpu").eval()
    return fitted


def _job(pupils: Pupils, course: Course, teaching: Teaching, folder: Path) -> Job:
    """The training, whole."""
    settings, lesson = pupils.opened.settings, pupils.lesson
    facts = {"settings": settings.trained_by(), "contents": pupils.contents, "epochs": course.epochs, **course.facts}
    return Job(
        task=pupils.work.task.name,
        lesson=lesson,
        train_strata=pupils.strata,
        epochs=course.epochs,
        learning_rate=course.learning_rate,
        seed=settings.seed,
        fingerprint=fingerprint(
            {**facts, "lore": repr(teaching.lore), "rate": course.learning_rate},
            lesson.train_targets,
            lesson.train_rows,
            lesson.validation_targets,
            lesson.validation_rows,
        ),
        folder=folder,
        samples=samples_of(lesson),
        deadline=None,
        title=course.title,
        teaching=teaching,
    )
