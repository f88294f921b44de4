"""Features of very many pictures on disk, in 16 bits. In: rows of numbers. Out: blocks of them in float32. Next: preprocessing.py.

They lie in a file that has no name, so that it is gone with the process, however that ends, and all of its place is taken before
the first number is computed, so that a full disk is told then. They are read, not mapped: a mapped page counts as the process'
own memory, and a disk that fails ends it without a word.

Shapes: N rows of D numbers.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError
from tellapart.storage import cache_folder, open_unnamed, storage_errors

IN_MEMORY = 2**29  # bytes of float32, of which learning holds a few copies; more go to disk
AT_ONCE = 50_000  # rows that are answered in one piece; of more the answers are had in pieces
_PIECE = 4_096  # rows: 34 MB of 2,064 numbers

Floats = NDArray[np.float32]
_HALF, _WHOLE = np.dtype(np.float16), np.dtype(np.float32)
_MOST = float(np.finfo(np.float16).max)


class _File:
    """N rows of D numbers of one kind."""

    def __init__(self, count: int, length: int, kind: np.dtype[Any]) -> None:
        folder, self.number = cache_folder(), open_unnamed("features-")
        self._release = weakref.finalize(self, os.close, self.number)
        self._lock = threading.Lock()  # where the system cannot read and write at a place
        self.row_bytes, self.length, self._kind = length * kind.itemsize, length, kind
        with storage_errors(folder):
            _take_room(self.number, count * self.row_bytes, str(folder))

    def read(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """The rows at the places, [n, D]; those that lie side by side at once."""
        found = np.empty((len(places), self.length), dtype=self._kind)
        edges = np.flatnonzero(np.diff(places) != 1) + 1
        for first, last in zip([0, *edges.tolist()], [*edges.tolist(), len(places)], strict=True):
            if last > first:
                self._read(found[first:last].data.cast("B"), int(places[first]) * self.row_bytes)
        return found

    def write(self, place: int, values: NDArray[Any]) -> None:
        data, offset = memoryview(values.tobytes()), place * self.row_bytes
        with storage_errors(cache_folder()):
            while len(data):
                written = self._write_at(data, offset)
                data, offset = data[written:], offset + written

    def _read(self, into: memoryview, offset: int) -> None:
        with storage_errors(cache_folder()):
            while len(into):
                got = self._read_at(into, offset)
                if not got:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                into, offset = into[got:], offset + got

    def _read_at(self, into: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self.number, [into], offset)
        with self._lock:
            os.lseek(self.number, offset, os.SEEK_SET)
            data = os.read(self.number, len(into))
        into[: len(data)] = data
        return len(data)

    def _write_at(self, data: memoryview, offset: int) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self.number, data, offset)
        with self._lock:
            os.lseek(self.number, offset, os.SEEK_SET)
            return os.write(self.number, data)


class _Files(NamedTuple):
    """Where rows lie: at a place from 0 on in the one, at -1 - place in the other."""

    halves: _File
    wholes: _File | None

    def read(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """The rows at the places, [n, D]."""
        if self.wholes is None or (places >= 0).all():
            return self.halves.read(places)
        found = np.empty((len(places), self.halves.length), dtype=_WHOLE)
        found[places >= 0] = self.halves.read(places[places >= 0])
        found[places < 0] = self.wholes.read(-1 - places[places < 0])
        return found


class HalfRows:
    """Rows [N, D] in such a file, or some of its rows and columns; some of them may be kept in 32 bits in another."""

    def __init__(self, files: _Files, places: NDArray[np.int64], columns: slice) -> None:
        """`places` [N] in the files; made by `half_rows`, `part` and `from_column`."""
        self._files, self._places, self._columns = files, places, columns

    @property
    def shape(self) -> tuple[int, int]:
        """N and D."""
        return len(self._places), len(range(*self._columns.indices(self._files.halves.length)))

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: int | slice | NDArray[Any]) -> Floats:
        """A row [D], or rows [n, D] by a slice, numbers or a mask, in float32. Raises: StorageError."""
        places = self._places[rows]
        if places.ndim == 0:
            one: Floats = self._floats(places[None])[0]
            return one
        return self._floats(places)

    def __setitem__(self, row: int, values: Floats) -> None:
        """Raises: DataError for what 16 bits cannot hold, where they must; StorageError."""
        place = int(self._places[row])
        if place < 0 and self._files.wholes is not None:
            self._files.wholes.write(-1 - place, np.asarray(values, dtype=_WHOLE))
            return
        with np.errstate(over="ignore"):
            halves = np.asarray(values).astype(_HALF)
        if not np.isfinite(halves).all() and np.isfinite(values).all():
            raise DataError(
                f"the network gives features up to {float(np.abs(values).max()):,.0f}; those of so many pictures are kept in 16 "
                f"bits, which hold {_MOST:,.0f}. Choose another --backbone, or fewer pictures with --limit."
            )
        self._files.halves.write(place, halves)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All of them, for who cannot work in blocks."""
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    def part(self, rows: NDArray[Any]) -> HalfRows:
        """These rows, still on disk."""
        return HalfRows(self._files, self._places[rows], self._columns)

    def from_column(self, first: int) -> HalfRows:
        """Without the numbers before that one, still on disk."""
        length = self._files.halves.length
        start = range(*self._columns.indices(length))[first] if first < self.shape[1] else length
        return HalfRows(self._files, self._places, slice(start, self._columns.stop))

    def _floats(self, places: NDArray[np.int64]) -> Floats:
        found: Floats = np.ascontiguousarray(self._files.read(places)[:, self._columns], dtype=np.float32)
        return found


class WholeRows:
    """Rows [N, D] of 32 bits in such a file, worked out of others: threads may each fill a part."""

    def __init__(self, count: int, length: int) -> None:
        """All 0. Raises: StorageError where the disk has not so much room."""
        self._file, self.shape = _File(count, length, _WHOLE), (count, length)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | NDArray[Any]) -> Floats:
        """Rows [n, D] by a slice, numbers or a mask. Raises: StorageError."""
        found: Floats = self._file.read(_numbers(rows, len(self)))
        return found

    def __setitem__(self, rows: slice, values: Floats) -> None:
        """Fill rows that lie side by side. Raises: StorageError."""
        self._file.write(rows.indices(len(self))[0], np.asarray(values, dtype=_WHOLE))


def _numbers(rows: slice | NDArray[Any], count: int) -> NDArray[np.int64]:
    """Those of the rows that are chosen, of so many."""
    if isinstance(rows, slice):
        return np.arange(*rows.indices(count), dtype=np.int64)
    return np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)


Rows: TypeAlias = Floats | HalfRows  # [N, D] in memory, or on disk


def half_rows(
    count: int, length: int, *, order: NDArray[np.int64] | None = None, exact: NDArray[np.int64] | None = None
) -> HalfRows:
    """Room for `count` rows of `length` numbers, all 0; `order` [N] are the rows as they will mostly be read, one after the other.

    Those of the rows `exact` [n] are kept in 32 bits. Raises: StorageError where the disk has not so much room.
    """
    order = np.arange(count, dtype=np.int64) if order is None else order
    apart = np.zeros(count, dtype=np.bool_)
    apart[[] if exact is None else exact] = True
    places = np.empty(count, dtype=np.int64)
    rough, fine = order[~apart[order]], order[apart[order]]
    places[rough], places[fine] = np.arange(len(rough)), -1 - np.arange(len(fine))
    halves = _File(len(rough), length, _HALF)
    return HalfRows(_Files(halves, _File(len(fine), length, _WHOLE) if len(fine) else None), places, slice(0, length))


def part(vectors: Rows, rows: NDArray[Any]) -> Rows:
    """Some rows, by their numbers or a mask, on disk where all are."""
    return vectors.part(rows) if isinstance(vectors, HalfRows) else vectors[rows]


def from_column(vectors: Rows, first: int) -> Rows:
    """The numbers from that one on, on disk where all are."""
    return vectors.from_column(first) if isinstance(vectors, HalfRows) else vectors[:, first:]


def without(vectors: Rows, rows: list[int] | NDArray[np.int64]) -> Rows:
    """All but those rows, on disk where all are."""
    if not len(rows):
        return vectors
    if isinstance(vectors, HalfRows):
        return vectors.part(np.delete(np.arange(len(vectors)), rows))
    return np.delete(vectors, rows, axis=0)


def as_rows(vectors: Any) -> Rows:
    """As one whole array, or as they are on disk."""
    return vectors if isinstance(vectors, HalfRows) else np.ascontiguousarray(vectors, dtype=np.float32)


def blocks(count: int, most: int = _PIECE) -> Iterator[slice]:
    """All of `count` rows, at most so many at a time."""
    return (slice(start, min(start + most, count)) for start in range(0, count, most))


def in_blocks(vectors: Rows, function: Callable[[Floats], NDArray[Any]], *, most: int = _PIECE) -> NDArray[Any]:
    """What a function of rows [n, D] gives for each, [N, ...]; of rows on disk block by block."""
    if len(vectors) <= most or isinstance(vectors, np.ndarray):
        return function(vectors[:])
    return np.concatenate([function(vectors[rows]) for rows in blocks(len(vectors), most)])


def _take_room(file: int, size: int, folder: str) -> None:
    """Raises: OSError where there is not so much."""
    if size > shutil.disk_usage(folder).free:  # before all that is free is taken from everybody, to no end
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)
    if hasattr(os, "posix_fallocate") and size:
        os.posix_fallocate(file, 0, size)
    else:
        os.ftruncate(file, size)
