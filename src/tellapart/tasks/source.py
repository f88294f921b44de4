"""What a training reads of a split. In: Dataset, ShrunkPictures. Out: UsableRows. Next: classification/task.py.

Where targets move with the pictures, as boxes do, a task has a source of its own in which they are one row.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.augment import Augment
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Split
from tellapart.data.loading import RowSource
from tellapart.features.shrink import AugmentedPictures, ShrunkPictures
from tellapart.tasks.prepared import Prepared


class UsableRows(RowSource, Protocol):
    """A source that knows which rows it cannot give."""

    @property
    def problems(self) -> dict[int, str]:
        """Row -> why it must not be asked for."""
        ...


class MakeSource(Protocol):
    """How a task makes its source of batches."""

    def __call__(
        self, dataset: Dataset, split: Split, pictures: ShrunkPictures, *, augment: Augment | None, seed: int
    ) -> UsableRows:
        """The rows of `dataset.rows[split]`, whose squares `pictures` are in that order.

        With an `augment` varied anew in every epoch, a function of `seed`, picture and epoch alone; with None as they are.
        """
        ...


class PictureCrops(UsableRows, Protocol):
    """A source that gives parts of pictures, several rows a picture."""

    @property
    def origin(self) -> NDArray[np.int64]:
        """[rows], which picture of the split each row is of."""
        ...


class MakeCrops(Protocol):
    """How a task makes such a source; it opens the pictures itself."""

    def __call__(
        self, dataset: Dataset, split: Split, prepared: Prepared, *, augment: Augment | None, seed: int
    ) -> PictureCrops:
        """Parts of the pictures of `dataset.rows[split]`, for the network that is prepared; with an `augment` varied anew in
        every epoch, with None as they are, each pixel once.
        """
        ...


def pictures_alone(
    dataset: Dataset, split: Split, pictures: ShrunkPictures, *, augment: Augment | None, seed: int
) -> UsableRows:
    """The source of a task whose targets stay as they are however a picture is varied."""
    if augment is None:
        return pictures
    return AugmentedPictures(pictures=pictures, augment=augment, seed=seed)


def usable_rows(source: UsableRows) -> NDArray[np.int64]:
    """The rows that may be asked for, int64 [n], in order."""
    return np.array([row for row in range(len(source)) if row not in source.problems], dtype=np.int64)
