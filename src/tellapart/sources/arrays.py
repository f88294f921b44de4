"""Pictures that stand in arrays: .npz, .npy, IDX, CIFAR's. In: a file. Out: its arrays, a picture's bytes. Next: parquets.py.

A picture's path is the file's with its array and row behind it: mnist.npz/x_train-0000012.png. There it is a PNG, made when it is
read: the same values always give the same bytes. Nothing in such a file is ever unpickled.
"""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.errors import DataError, PictureError
from tellapart.sources.array_files import open_arrays
from tellapart.sources.array_values import Scale, as_pixels, find_scale
from tellapart.sources.open_files import OpenFiles

_MEMBER = re.compile(r"(?:(.+)-)?(\d+)\.png")
_NAMED = 3  # arrays that a refusal names
_FILES_KEPT = 16  # CIFAR-10 has six


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArrayFile:
    """One file, open: its arrays of pictures, what else it holds, and how values become pixels."""

    pictures: Mapping[str, NDArray[np.generic]]  # name -> [N, H, W], [N, H, W, 1], [N, H, W, 3] or [N, H, W, 4]
    others: Mapping[str, NDArray[np.generic]]  # name -> labels, names of classes, and whatever else is there
    scale: Scale  # one for all arrays of pictures in the file
    notes: tuple[str, ...]  # how the arrays were read, in sentences

    def names(self, name: str) -> list[str]:
        """What the pictures of one array are called, row by row."""
        return [_member(name, row) for row in range(len(self.pictures[name]))]

    def picture(self, name: str, row: int) -> bytes:
        """One picture as PNG. Raises: FileNotFoundError where there is no such row; it names those that there are."""
        stack = self.pictures.get(name)
        if stack is None or not 0 <= row < len(stack):
            raise FileNotFoundError(errno.ENOENT, self.said_absent())
        written = io.BytesIO()
        Image.fromarray(as_pixels(np.asarray(stack[row]), self.scale)).save(written, "PNG", compress_level=1)
        return written.getvalue()

    def said_absent(self) -> str:
        """What to say of a name that it has not: which there are, of the first arrays, and how they are counted."""
        counts = [(name, len(stack)) for name, stack in self.pictures.items() if len(stack)]
        named = ", ".join(f"{_member(one, 0)} ... {_member(one, count - 1)}" for one, count in counts[:_NAMED])
        if not named:
            return "the file has no array of pictures"
        if len(counts) > _NAMED:
            named = f"{named}, and {len(counts) - _NAMED} more arrays"
        return f"the file has no such picture; there are {named}, the rows of an array counted from 0"


def _member(array: str, row: int) -> str:
    return f"{array}-{row:07d}.png" if array else f"{row:07d}.png"


def open_array_file(path: str) -> ArrayFile:
    """The arrays of a file. Raises: DataError where it holds none, pickled objects, or more than the limit; OSError."""
    return _OPEN_FILES.get(path)


def array_picture_names(path: str) -> list[str]:
    """What the pictures in a file are called, array by array. Raises: DataError where there are none; OSError."""
    file = open_array_file(path)
    if not file.pictures:
        found = ", ".join(f"{name} {list(array.shape)}" for name, array in file.others.items()) or "[]"
        raise DataError(
            f"{path!r} has no array of pictures; its arrays are: {found}. Pictures are [N, height, width] or "
            "[N, height, width, 3]: save them so with numpy.savez."
        )
    return [member for name in file.pictures for member in file.names(name)]


def read_array_picture(path: str, member: str) -> bytes:
    """The PNG of a picture in a file, by its name there. Raises: PictureError; FileNotFoundError where nothing has that name."""
    named = _MEMBER.fullmatch(member)
    array, row = ("", -1) if named is None else (named[1] or "", int(named[2]))
    try:
        return open_array_file(path).picture(array, row)
    except DataError as error:
        raise PictureError(str(error)) from None


def _opened(path: str) -> ArrayFile:
    read = open_arrays(path)
    scale = find_scale(read.pictures.values(), path)
    return ArrayFile(
        pictures=read.pictures,
        others=read.others,
        scale=scale,
        notes=tuple(f"{path}: {note}" for note in (*read.notes, scale.note) if note),
    )


_OPEN_FILES = OpenFiles(_opened, most=_FILES_KEPT)
