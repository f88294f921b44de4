"""The files of very many pictures, made when they are asked for. In: entries, inspections. Out: PictureFiles. Next: dataset.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Entry, Inspection, PictureFile, picture_file


class PicturesOf(Sequence[PictureFile]):
    """The files of the entries at some places, as the audit saw them."""

    def __init__(self, entries: Sequence[Entry], inspections: Sequence[Inspection], places: NDArray[np.int64]) -> None:
        """One inspection an entry; `places` [n]."""
        self._entries, self._inspections, self._places = entries, inspections, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> PictureFile: ...
    @overload
    def __getitem__(self, index: slice) -> PicturesOf: ...
    def __getitem__(self, index: int | slice) -> PictureFile | PicturesOf:
        if isinstance(index, slice):
            return PicturesOf(self._entries, self._inspections, self._places[index])
        place = int(self._places[index])
        return picture_file(self._entries[place], self._inspections[place])

    def __reduce__(self) -> tuple[type[tuple[PictureFile, ...]], tuple[tuple[PictureFile, ...]]]:
        # Another process reads pictures, and not the thumbnails that this one keeps in a file of its own.
        return tuple, (tuple(self),)

    def part(self, rows: NDArray[np.int64]) -> PicturesOf:
        """Those of them, in that order."""
        return PicturesOf(self._entries, self._inspections, self._places[rows])

    def __iter__(self) -> Iterator[PictureFile]:
        return (self[index] for index in range(len(self)))


def pictures_at(pictures: Sequence[PictureFile], rows: NDArray[np.int64]) -> Sequence[PictureFile]:
    """The files of some rows, made when they are asked for where the others are."""
    return pictures.part(rows) if isinstance(pictures, PicturesOf) else tuple(pictures[row] for row in rows.tolist())
