"""A folder of arrays that are one data set: MNIST's files, CIFAR's, x_train.npy. In: a folder. Out: its files. Next: listing.py.

MNIST/raw/train-images-idx3-ubyte, cifar-10-batches-bin/data_batch_1.bin, or x_train.npy and y_train.npy. A data set that is
stored as a pickle is refused, with how to have it without.
"""

from __future__ import annotations

import re
from pathlib import Path

from tellapart.data.array_tables import split_in
from tellapart.data.examples import Split
from tellapart.data.metadata import Metadata
from tellapart.data.table_folders import TableFolder, inside
from tellapart.errors import DataError
from tellapart.sources.array_files import is_cifar_name, is_idx_name, is_pictures
from tellapart.sources.reading import is_array_file

_DEEPEST = 3  # folders that may lie in between
_PICKLES = (".pkl", ".pickle", ".p", ".joblib")
_CIFAR_PICKLE = re.compile(r"data_batch_\d|test_batch|batches\.meta|train|test|meta")


def find_array_files(folder: Path) -> TableFolder | None:
    """The files of arrays that a folder holds, in it or in the one folder in it; None for anything else.

    Raises: DataError where they are pickles.
    """
    here = folder
    for _ in range(_DEEPEST):
        files, folders = inside(here)
        found = [path for path in files if is_array_file(path) and _holds_pictures(path)]
        if found:
            return _by_name(_once(found))
        _refuse_cifar_pickles(here, files)
        if len(folders) != 1 or files:
            return None
        here = folders[0]
    return None


def refuse_pickle(path: Path) -> None:
    """Raises: DataError for a file that is a pickle, which is never opened."""
    if path.is_file() and (path.suffix.lower() in _PICKLES or _CIFAR_PICKLE.fullmatch(path.name)) and _is_pickle(path):
        raise DataError(
            f"{str(path)!r} is a pickle; opening one can run any code, so none is opened. Save its arrays once, where you trust "
            "it, by numpy.savez('data.npz', x_train=..., y_train=...)."
        )


def _holds_pictures(path: Path) -> bool:
    """Whether a file of arrays holds pictures, by its name or its head: not labels alone."""
    if is_cifar_name(path.name):
        return True
    return "idx3" in path.name.lower() if is_idx_name(path.name) else is_pictures(str(path))


def _once(files: list[Path]) -> list[Path]:
    """Of a file that lies there packed and unpacked, the unpacked one."""
    names = {path.name for path in files}
    return [path for path in files if not (path.suffix.lower() == ".gz" and path.stem in names)]


def _by_name(files: list[Path]) -> TableFolder:
    named = {path: _split_of(path) for path in files}
    if not any(named.values()) or len(files) == 1:
        return TableFolder(tuple(Metadata(path, split) for path, split in named.items()), ())
    others = [path.name for path, split in named.items() if split is None]
    note = (
        f"{files[0].parent}: files of arrays whose names say no split are not read: {', '.join(map(repr, others[:5]))}."
    )
    kept = tuple(Metadata(path, split) for path, split in named.items() if split is not None)
    return TableFolder(kept, (note,) if others else ())


def _split_of(path: Path) -> Split | None:
    if is_cifar_name(path.name):
        return "test" if path.name.lower().startswith("test") else "train"
    return split_in(path.stem)


def _refuse_cifar_pickles(folder: Path, files: list[Path]) -> None:
    found = [path for path in files if _CIFAR_PICKLE.fullmatch(path.name) and _is_pickle(path)]
    if found:
        raise DataError(
            f"the files in {str(folder)!r} ({', '.join(path.name for path in found[:3])}, ...) are pickles, as CIFAR's Python "
            "version has them; opening one can run any code, so none is opened. Download the binary version "
            "(cifar-10-binary.tar.gz), or save the arrays with numpy.savez('cifar10.npz', x_train=..., y_train=...)."
        )


def _is_pickle(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(2)
    except OSError:
        return False
    return len(head) == 2 and head[0] == 0x80 and head[1] <= 5
