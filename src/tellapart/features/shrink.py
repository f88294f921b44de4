"""Pictures decoded once to small squares. In: Pictures. Out: ShrunkPictures, uint8 squares by row. Next: frozen.py.

Without it every epoch would decode each 12-megapixel file again. Shapes: B rows asked for, S side of the square.
"""

from __future__ import annotations

import functools
import hashlib
import math
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from tellapart.data.examples import PictureFile
from tellapart.errors import DataError, PictureError
from tellapart.features.row_folder import open_rows, relatives
from tellapart.features.rows import Computed, RowStore, fill
from tellapart.preprocessing import Preprocessing, load
from tellapart.runtime import cores
from tellapart.threads import as_they_come

AugmentFunction = Callable[
    [NDArray[np.uint8], tuple[int, ...]], NDArray[np.uint8]
]  # data/augment.py; pure, in any thread

_FILLED = ("pad", "crop_or_pad", "tile")  # with the mean colour
_VERSION = 1  # raise it when the same file gives other pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class ShrunkPictures:
    """Pictures as squares of one size, by row. A source of batches for data/loading.py; cheap to pickle."""

    pictures: tuple[PictureFile, ...]
    preprocessing: Preprocessing
    problems: dict[int, str]  # row -> why there is no square; such a row must not be asked for
    store: RowStore | None  # None where it did not fit: then every access decodes the file
    slots: NDArray[np.int64]  # [N] row -> number of its content; copies share one
    first: NDArray[np.int64]  # [contents] the row of each content's first copy
    seeds: NDArray[np.uint64]  # [contents] a number made of each content, see `content_number`

    @property
    def side(self) -> int:
        """Pixels, S."""
        return self.preprocessing.size

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Squares uint8 [B, S, S, 3]. Raises: DataError where a file has to be read and is gone or has changed."""
        return self.read_contents(self.slots[np.asarray(rows, dtype=np.int64)])

    def read_contents(self, slots: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The same by number of content, `slots` int64 [B]. Raises: DataError, as `read`."""
        if self.store is not None:
            squares: NDArray[np.uint8] = self.store.read(slots)
            return squares
        wanted = [self.pictures[row] for row in self.first[slots]]
        # A worker process is one of many already.
        if len(wanted) < 2 or multiprocessing.parent_process() is not None:
            return np.stack([self._decode(picture) for picture in wanted])
        with ThreadPoolExecutor(cores()) as pool:
            return np.stack(list(pool.map(self._decode, wanted)))

    def get(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.uint8]:
        """The squares uint8 [B, S, S, 3] as they are, in every epoch: what validation sees. Raises: DataError, as `read`."""
        return self.read(rows)

    def _decode(self, picture: PictureFile) -> NDArray[np.uint8]:
        try:
            return load(picture.read(), self.preprocessing)
        except PictureError as error:
            raise DataError(
                f"{picture.path}: {error}. Training needs it in every epoch; put it back as it was, or train again."
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentedPictures:
    """Training pictures, varied anew in every epoch. A source of batches for data/loading.py."""

    pictures: ShrunkPictures  # squares of `training_square`
    augment: AugmentFunction
    seed: int

    @property
    def problems(self) -> dict[int, str]:
        """Row -> why it must not be asked for."""
        return self.pictures.problems

    def __len__(self) -> int:
        return len(self.pictures)

    def get(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.uint8]:
        """Variants uint8 [B, S, S, 3]; a function of seed, picture and epoch alone."""
        shrunk, seeds = self.pictures.read(rows), self.pictures.seeds[self.pictures.slots[rows]]
        return np.stack(
            [
                self.augment(square, (self.seed, number, epoch))
                for square, number in zip(shrunk, seeds.tolist(), strict=True)
            ]
        )


def training_square(preprocessing: Preprocessing) -> Preprocessing:
    """How training pictures are kept: the whole centre square, as large as validation sees it before its crop."""
    return replace(preprocessing, size=math.floor(preprocessing.size / preprocessing.crop), crop=1.0)


def shrink(
    pictures: Sequence[PictureFile],
    *,
    preprocessing: Preprocessing,
    folder: Path,
    limit_bytes: int,
    advance: Callable[[int], None] | None = None,
) -> ShrunkPictures:
    """Every picture once through `preprocessing.load`, kept in the cache folder `folder`.

    For validation give the network's own preprocessing, for training that of `training_square`. A picture that can no
    longer be read, or that has changed since the audit, gets a problem. Where the squares cannot fit `limit_bytes`,
    files are decoded on every access instead. `advance` is told how many pictures are done. Raises: StorageError.
    """
    names = sorted({picture.content_hash for picture in pictures})
    slot_of = {name: slot for slot, name in enumerate(names)}
    slots = np.array([slot_of[picture.content_hash] for picture in pictures], dtype=np.int64)
    _, first = np.unique(slots, return_index=True)
    side = preprocessing.size
    settings = repr(
        (
            "shrink",
            _VERSION,
            PIL.__version__,
            side,
            preprocessing.crop,
            preprocessing.interpolation,
            *_fitted(preprocessing),
        )
    )
    store = open_rows(folder, settings, names, shape=(side, side, 3), dtype=np.uint8, limit_bytes=limit_bytes)
    if store is None:
        problems = _check(pictures, advance)
    else:
        compute = functools.partial(_compute, [pictures[row] for row in first], preprocessing)
        order = np.argsort(first).tolist()  # as the files lie on the disk, most likely
        with relatives(store) as others:
            found = fill(store, order, compute, unit=1, workers=cores(), others=others, advance=advance)
        if advance is not None and len(pictures) > len(names):
            advance(len(pictures) - len(names))  # copies
        problems = {row: found[slot] for row, slot in enumerate(slots.tolist()) if slot in found}
    return ShrunkPictures(
        pictures=tuple(pictures),
        preprocessing=preprocessing,
        problems=problems,
        store=store,
        slots=slots,
        first=first,
        seeds=np.array([content_number(name) for name in names], dtype=np.uint64),
    )


def _fitted(preprocessing: Preprocessing) -> tuple[object, ...]:
    """What else the squares depend on; nothing where all is as it has always been. Padding has the network's mean colour."""
    beside = {"size", "crop", "interpolation", "std"} | (set() if preprocessing.fit in _FILLED else {"mean"})
    return tuple((name, value) for name, value in sorted(preprocessing.identity().items()) if name not in beside)


def content_number(content_hash: str) -> int:
    """A number from 0 to 2^64 - 1 for a picture's content: seeds made of it do not depend on the order of files."""
    return int.from_bytes(hashlib.blake2b(content_hash.encode(), digest_size=8).digest(), "little")


def _compute(copies: Sequence[PictureFile], preprocessing: Preprocessing, slots: list[int]) -> Computed:
    values, good, problems = [], [], {}
    for slot in slots:
        try:
            values.append(load(copies[slot].read(), preprocessing))
            good.append(slot)
        except PictureError as error:
            problems[slot] = str(error)
    return Computed(rows=good, values=np.array(values), problems=problems)


def _check(pictures: Sequence[PictureFile], advance: Callable[[int], None] | None) -> dict[int, str]:
    """What is wrong with which files, told before training rather than in the midst of it."""

    def check(row: int) -> tuple[int, str]:
        try:
            pictures[row].read()
        except PictureError as error:
            return row, str(error)
        return row, ""

    problems = {}
    for row, problem in as_they_come(range(len(pictures)), check, workers=cores(), name="shrink"):
        if problem:
            problems[row] = problem
        if advance is not None:
            advance(1)
    return dict(sorted(problems.items()))
