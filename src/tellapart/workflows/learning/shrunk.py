"""The pictures of a training as small squares, decoded once. In: Dataset. Out: ShrunkSplits. Next: rehearsal.py."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.errors import DataError
from tellapart.features.caching import row_limit_bytes
from tellapart.features.shrink import ShrunkPictures, shrink, training_square
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import Reporter, counted
from tellapart.storage import cache_folder


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShrunkSplits:
    """Train and validation pictures; rows are in the order of the pictures' contents."""

    train: ShrunkPictures  # with a margin around what the network sees, to vary pictures in
    train_targets: NDArray[Any]
    validation: ShrunkPictures  # exactly what the network will see
    validation_targets: NDArray[Any]

    @property
    def contents(self) -> str:
        """SHA-256 over what is in them, in order."""
        digest = hashlib.sha256()
        for picture in (*self.train.pictures, *self.validation.pictures):
            digest.update(picture.content_hash.encode())
        return digest.hexdigest()


def shrink_splits(dataset: Dataset, preprocessing: Preprocessing, reporter: Reporter) -> ShrunkSplits:
    """Decode each train and validation picture once. Raises: DataError when a whole split has vanished; StorageError."""
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
    return ShrunkSplits(
        train=made[0],
        train_targets=dataset.targets[train],
        validation=made[1],
        validation_targets=dataset.targets[validation],
    )
