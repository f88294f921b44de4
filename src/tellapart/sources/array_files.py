"""Files that hold arrays, read without unpickling. In: a path. Out: its arrays by name. Next: array_values.py.

NumPy's .npz and .npy, the IDX files that MNIST comes in (plain or with gzip), and the binary files of CIFAR-10 and CIFAR-100.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError, one_line

MAX_BYTES = 4 * 1024**3  # of the arrays of one file that must be in memory
_SIDE = 32  # pixels, of CIFAR
# Bytes of a picture with its labels -> these, and how many classes each has.
_CIFAR: Mapping[int, Mapping[str, int]] = {3073: {"labels": 10}, 3074: {"coarse_labels": 20, "fine_labels": 100}}
_CIFAR_NAME = re.compile(r"(data_batch(_\d+)?|test_batch|train|test)\.bin", re.IGNORECASE)
_IDX_NAME = re.compile(r".*[-.]idx[13][-.]ubyte(\.gz)?", re.IGNORECASE)
_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_MOST_SIDE = 16384  # pixels of a picture in an array
_DAMAGED = (ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, OverflowError)

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadArrays:
    """What one file holds."""

    pictures: Mapping[str, Array]  # name -> [N, H, W] or [N, H, W, C]; "" where the file holds one alone
    others: Mapping[str, Array] = field(default_factory=dict)
    notes: Sequence[str] = ()


def is_array_name(name: str) -> bool:
    """Whether a file's name says that it holds arrays of pictures."""
    return name.lower().endswith((".npz", ".npy")) or _IDX_NAME.fullmatch(name) is not None or is_cifar_name(name)


def is_cifar_name(name: str) -> bool:
    """Whether a file is called as those of CIFAR's binary version."""
    return _CIFAR_NAME.fullmatch(name) is not None


def is_idx_name(name: str) -> bool:
    """Whether a file is called as those of MNIST: train-images-idx3-ubyte.gz, t10k-labels.idx1-ubyte."""
    return _IDX_NAME.fullmatch(name) is not None


def is_pictures(path: str) -> bool:
    """Whether a file of NumPy holds pictures, by the heads of its arrays. False where it cannot be read."""
    try:
        if not path.lower().endswith(".npz"):
            with open(path, "rb") as file:
                return _is_stack(_head(file)[0])
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                with archive.open(member) as opened:
                    if _is_stack(_head(opened)[0]):
                        return True
    except (OSError, *_DAMAGED):
        return path.lower().endswith(".npz")  # told by who opens it
    return False


def open_arrays(path: str) -> ReadArrays:
    """All arrays of a file. Raises: DataError where it is damaged, holds pickled objects or more than the limit; OSError."""
    name = os.path.basename(path)
    try:
        if name.lower().endswith(".npz"):
            return _sorted(_read_npz(path))
        if name.lower().endswith(".npy"):
            return _sorted({"": _read_npy(path)})
        if is_cifar_name(name):
            return _read_cifar(path)
        return _sorted({"": _read_idx(path)})
    except _DAMAGED as error:
        raise DataError(f"{path!r} cannot be read as arrays: {one_line(error)}. Save or download it again.") from None


def _read_npz(path: str) -> dict[str, Array]:
    found: dict[str, Array] = {}
    total = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as opened:
                shape, dtype = _check_header(path, name, opened)
            if math.prod(shape) * dtype.itemsize > member.file_size:
                raise ValueError(f"the array {name!r} says that it is larger than what is stored of it")
            total += member.file_size
            if total > MAX_BYTES:
                raise DataError(
                    f"the arrays in {path!r} take more than the limit of {MAX_BYTES:,} bytes. Save each with numpy.save in one "
                    "folder, as x_train.npy and y_train.npy, which is read without holding all of it."
                )
    with np.load(path, allow_pickle=False) as loaded:
        for name in loaded.files:
            found[name] = loaded[name]
    return found


def _read_npy(path: str) -> Array:
    with open(path, "rb") as file:
        _check_header(path, "", file)
    array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def _check_header(path: str, name: str, file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Raises: DataError for an array of Python objects, which only pickle can read; ValueError where it is no array."""
    shape, dtype = _head(file)
    if dtype.hasobject:
        what = f"the array {name!r} in {path!r}" if name else repr(path)
        raise DataError(
            f"{what} holds Python objects, which are stored as a pickle; opening one can run any code, so none is opened. Save it "
            "as numbers or texts: array.astype(numpy.int64), or array.astype(str)."
        )
    if len(shape) > 8:
        raise ValueError(f"an array has {len(shape)} dimensions")
    return shape, dtype


def _head(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the type of an array of NumPy's. Raises: ValueError where it is none."""
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    return shape, dtype


def _read_idx(path: str) -> Array:
    """The one array of an IDX file: magic number, its dimensions (big-endian uint32), its values."""
    with _unpacked(path) as file:
        head = _exactly(file, 4)
        kind, dimensions = _IDX_TYPES.get(head[2]), head[3]
        if head[:2] != b"\0\0" or kind is None or not 1 <= dimensions <= 4:
            raise ValueError("its first four bytes are not those of an IDX file")
        shape = [int.from_bytes(_exactly(file, 4), "big") for _ in range(dimensions)]
        size = math.prod(shape) * np.dtype(kind).itemsize
        if size > MAX_BYTES:
            raise DataError(
                f"the array in {path!r} takes {size:,} bytes; the limit is {MAX_BYTES:,}. Store it in parts."
            )
        data = _exactly(file, size)
        if file.read(1):
            raise ValueError("more bytes follow than its header says")
    values = np.frombuffer(data, dtype=kind).reshape(shape)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _unpacked(path: str) -> BinaryIO | gzip.GzipFile:
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"  # by its bytes: browsers unpack files and keep their names
    return gzip.open(path, "rb") if packed else open(path, "rb")


def _exactly(file: Any, size: int) -> bytes:
    data: bytes = file.read(size)
    if len(data) != size:
        raise ValueError(f"it ends {size - len(data):,} bytes too early")
    return data


def _read_cifar(path: str) -> ReadArrays:
    """Rows of labels and 3 x 32 x 32 bytes, channel by channel, of CIFAR-10 (one label) or CIFAR-100 (coarse, fine)."""
    size = os.path.getsize(path)
    row = next((row for row in _CIFAR if size and size % row == 0), None)
    if row is None:
        raise DataError(
            f"{path!r} has {size:,} bytes, which is no number of pictures of CIFAR-10 (3,073 bytes each) or CIFAR-100 (3,074). "
            "Download the binary version again."
        )
    if size > MAX_BYTES:
        raise DataError(f"{path!r} has {size:,} bytes; the limit is {MAX_BYTES:,}. Store it in parts.")
    rows = np.fromfile(path, dtype=np.uint8).reshape(-1, row)
    names = _CIFAR[row]
    for place, (name, count) in enumerate(names.items()):
        wrong = np.flatnonzero(rows[:, place] >= count)
        if wrong.size:
            raise DataError(
                f"{path!r} is called as a file of CIFAR, and {wrong.size:,} of its {len(rows):,} pictures have {name} over "
                f"{count - 1}, the first {rows[wrong[0], place]} in picture {wrong[0]}. Download it again; for data of your own, "
                "save the arrays with numpy.savez('data.npz', x_train=..., y_train=...)."
            )
    pixels = rows[:, len(names) :].reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    return ReadArrays(pictures={"": pixels}, others={name: rows[:, place] for place, name in enumerate(names)})


def _sorted(arrays: Mapping[str, Array]) -> ReadArrays:
    """Which arrays are pictures, with their channels last."""
    pictures: dict[str, Array] = {}
    notes: list[str] = []
    for name, array in arrays.items():
        if array.dtype.kind not in "uifb" or not _is_stack(array.shape):
            continue
        if array.ndim == 4 and array.shape[3] not in (1, 3, 4):
            array = array.transpose(0, 2, 3, 1)
            notes.append(f"{name or 'the array'} has its channels first, [N, {array.shape[3]}, height, width]")
        pictures[name] = array
    return ReadArrays(
        pictures=pictures,
        others={name: array for name, array in arrays.items() if name not in pictures},
        notes=notes,
    )


def _is_stack(shape: Sequence[int]) -> bool:
    """Whether an array of this shape can be pictures: N of at least two pixels a side, with 1, 3 or 4 channels."""
    if len(shape) == 4:
        channels_last = shape[3] in (1, 3, 4)
        sides = shape[1:3] if channels_last else shape[2:4]
        return (channels_last or shape[1] in (1, 3, 4)) and all(2 <= side <= _MOST_SIDE for side in sides)
    return len(shape) == 3 and all(2 <= side <= _MOST_SIDE for side in shape[1:])
