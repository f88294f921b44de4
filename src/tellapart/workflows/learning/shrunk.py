"""What a training reads: small squares, decoded once. In: Dataset, Prepared. Out: ShrunkSplits, with a Lesson. Next: planned.py.

A task that learns from squares of their own pixels opens them itself, and nothing is shrunk.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tellapart.data.dataset import Dataset
from tellapart.data.examples import PictureFile
from tellapart.errors import DataError
from tellapart.features.caching import row_limit_bytes
from tellapart.features.shrink import ShrunkPictures, shrink, training_square
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import Reporter, counted
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.lesson import Lesson
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.source import UsableRows, usable_rows
from tellapart.tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShrunkSplits:
    """Train and validation pictures; rows are in the order of the pictures' contents."""

    pictures: tuple[PictureFile, ...]  # of both splits
    squares: tuple[ShrunkPictures, ShrunkPictures] | None  # None: they were not shrunk
    lesson: Lesson  # its sources give these pictures, wherever the network begins; the training's varied

    @property
    def train(self) -> ShrunkPictures:
        """With a margin around what the network sees, to vary pictures in. Raises: ValueError where nothing was shrunk."""
        return self._both[0]

    @property
    def validation(self) -> ShrunkPictures:
        """Exactly what the network will see. Raises: ValueError where nothing was shrunk."""
        return self._both[1]

    @property
    def contents(self) -> str:
        """SHA-256 over what is in them, in order."""
        digest = hashlib.sha256()
        for picture in self.pictures:
            digest.update(picture.content_hash.encode())
        return digest.hexdigest()

    @property
    def _both(self) -> tuple[ShrunkPictures, ShrunkPictures]:
        if self.squares is None:
            raise ValueError("the pictures of this task are not shrunk")
        return self.squares


def shrink_splits(
    settings: TrainSettings, task: Task, dataset: Dataset, prepared: Prepared, reporter: Reporter
) -> ShrunkSplits:
    """Decode each train and validation picture once, for the task to read them as it does.

    Raises: DataError when a whole split has vanished; StorageError.
    """
    squares, rows = None, (dataset.rows["train"], dataset.rows["validation"])
    train: UsableRows
    validation: UsableRows
    if task.crops is None:
        squares = _shrink(dataset, prepared.preprocessing, reporter)
        train = task.source(dataset, "train", squares[0], augment=prepared.augment, seed=settings.seed)
        validation = task.source(dataset, "validation", squares[1], augment=None, seed=settings.seed)
        of_rows = rows
    else:
        crops = (
            task.crops(dataset, "train", prepared, augment=prepared.augment, seed=settings.seed),
            task.crops(dataset, "validation", prepared, augment=None, seed=settings.seed),
        )
        train, validation = crops
        of_rows = rows[0][crops[0].origin], rows[1][crops[1].origin]
    lesson = Lesson(
        class_count=len(dataset.classes),
        network=prepared.network,
        start=prepared.start,
        loop=settings.loop,
        balanced=settings.class_weights == "balanced",
        mixup=prepared.augment.augmentation.mixup,
        cutmix=prepared.augment.augmentation.cutmix,
        train=train,
        train_targets=dataset.targets[of_rows[0]],
        train_rows=usable_rows(train),
        validation=validation,
        validation_targets=dataset.targets[of_rows[1]],
        validation_rows=usable_rows(validation),
    )
    pictures = tuple(dataset.pictures[row] for part in rows for row in part.tolist())
    return ShrunkSplits(pictures=pictures, squares=squares, lesson=lesson)


def _shrink(
    dataset: Dataset, preprocessing: Preprocessing, reporter: Reporter
) -> tuple[ShrunkPictures, ShrunkPictures]:
    """The train and the validation pictures as squares."""
    train, validation = dataset.rows["train"], dataset.rows["validation"]
    folder, limit = cache_folder(), row_limit_bytes()
    with reporter.step("Shrinking the pictures", len(train) + len(validation)) as advance:
        made = [
            shrink(
                [dataset.pictures[row] for row in rows],
                preprocessing=chosen,
                folder=folder,
                limit_bytes=limit,
                advance=advance,
            )
            for rows, chosen in ((train, training_square(preprocessing)), (validation, preprocessing))
        ]
    for pictures, split in zip(made, ("train", "validation"), strict=True):
        if pictures.problems:
            row, problem = next(iter(pictures.problems.items()))
            reporter.warn(
                f"left out of the training: {counted(len(pictures.problems), f'{split} picture')}; "
                f"{pictures.pictures[row].path}: {problem}"
            )
        if len(pictures.problems) == len(pictures):
            raise DataError(f"no picture of the {split} split is left that can be read. Add pictures to it.")
    if made[0].store is None:
        reporter.warn(
            f"{len(made[0]):,} training pictures do not fit into the cache, so each epoch decodes the files anew. "
            "Raise TELLAPART_CACHE_GB, or free disk space."
        )
    return made[0], made[1]
