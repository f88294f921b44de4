"""Thumbnails of many pictures on disk instead of in memory. In: uint8 [1024] each. Out: rows of them. Next: likeness.py.

They are read from a file that has no name, so that a million of them take no memory but what is looked at.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tellapart.storage import cache_folder, open_unnamed, storage_errors

SIDE = 32  # pixels
BYTES = SIDE * SIDE
_WRITTEN_AT_ONCE = 256


class Shelf:
    """Grows by a thumbnail at a time; threads may share it."""

    def __init__(self) -> None:
        """Raises: StorageError where there is no place for a file."""
        self._file = open_unnamed("thumbnails-")
        self._release = weakref.finalize(self, os.close, self._file)
        self._lock = threading.Lock()
        self._waiting: list[bytes] = []
        self._count = 0

    def keep(self, thumbnail: bytes) -> Shelved:
        """Put one there. Raises: StorageError where the disk is full."""
        with self._lock:
            self._waiting.append(thumbnail)
            row = self._count
            self._count += 1
            if len(self._waiting) == _WRITTEN_AT_ONCE:
                self._flush()
        return Shelved(self, row)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Those of the rows, uint8 [B, 32, 32]; of -1 a black one."""
        with self._lock:
            self._flush()
        found = np.zeros((len(rows), BYTES), dtype=np.uint8)
        for place, row in enumerate(rows.tolist()):
            if row >= 0:
                self._read(row, found[place].data)
        return found.reshape(-1, SIDE, SIDE)

    def _read(self, row: int, into: memoryview) -> None:
        if hasattr(os, "preadv"):
            os.preadv(self._file, [into], row * BYTES)
            return
        with self._lock:
            os.lseek(self._file, row * BYTES, os.SEEK_SET)
            into[:] = os.read(self._file, BYTES)

    def _flush(self) -> None:
        if not self._waiting:
            return
        data = memoryview(b"".join(self._waiting))
        with storage_errors(cache_folder()):
            os.lseek(self._file, 0, os.SEEK_END)
            while len(data):
                data = data[os.write(self._file, data) :]
        self._waiting.clear()


class Shelved:
    """One of them, as if it were its bytes."""

    __slots__ = ("_row", "_shelf")

    def __init__(self, shelf: Shelf, row: int) -> None:
        self._shelf, self._row = shelf, row

    def __len__(self) -> int:
        return BYTES

    def __bytes__(self) -> bytes:
        return self._shelf.read(np.array([self._row])).tobytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, bytes | Shelved) and bytes(self) == bytes(other)

    def __hash__(self) -> int:
        return hash(bytes(self))

    @property
    def place(self) -> tuple[Shelf, int]:
        """Where it is."""
        return self._shelf, self._row


class ThumbnailRows:
    """Some of a shelf's thumbnails as a stack [N, 32, 32]; only what is taken out is in memory."""

    def __init__(self, shelf: Shelf, rows: NDArray[np.int64]) -> None:
        self._shelf, self._rows = shelf, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, chosen: slice | NDArray[np.int64]) -> NDArray[np.uint8]:
        return self._shelf.read(self._rows[chosen])

    def part(self, rows: NDArray[np.int64]) -> ThumbnailRows:
        """A stack of these rows of it."""
        return ThumbnailRows(self._shelf, self._rows[rows])


Stack: TypeAlias = NDArray[np.uint8] | ThumbnailRows  # [N, 32, 32], in memory or on disk


def part_of(stack: Stack, rows: NDArray[np.int64]) -> Stack:
    """These rows of a stack, on disk where the stack is."""
    return stack.part(rows) if isinstance(stack, ThumbnailRows) else stack[rows]


def stacked(thumbnails: Sequence[bytes | Shelved]) -> Stack:
    """All as one stack; what is no thumbnail becomes a black one."""
    shelf = next((one.place[0] for one in thumbnails if isinstance(one, Shelved)), None)
    if shelf is not None and all(isinstance(one, Shelved) or len(one) != BYTES for one in thumbnails):
        rows = [one.place[1] if isinstance(one, Shelved) else -1 for one in thumbnails]
        return ThumbnailRows(shelf, np.array(rows, dtype=np.int64))
    blank = bytes(BYTES)
    pixels = b"".join(bytes(one) if len(one) == BYTES else blank for one in thumbnails)
    return np.frombuffer(pixels, dtype=np.uint8).reshape(-1, SIDE, SIDE)
