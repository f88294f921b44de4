"""The folds of a run on disk. In: answers as arrays. Out: a file of them, and back; predictions of all folds. Next: writing.py.

Each fold is a run of its own in RUN/folds/1, RUN/folds/2 and so on. What pooling needs of it beside its model lies in answers.npz
until the whole run is finished.
"""

from __future__ import annotations

import contextlib
import heapq
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError
from tellapart.runs.run import FOLDS, MARKER
from tellapart.storage import replacing, storage_errors

ARRAYS = "answers.npz"
_TABLE, _LINES = "predictions.csv", "predictions.jsonl"
_MOST_BYTES = 64 * 2**30  # of one array: more than any test of ours has


def arrays_as_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """NumPy's file of several arrays. Raises: ValueError for an array of objects, which would be pickled."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    return file.getvalue()


def read_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """What a fold's folder has of its answers. Raises: DataError where that is damaged; StorageError."""
    path = folder / ARRAYS
    try:
        with storage_errors(path), zipfile.ZipFile(path) as archive:
            if any(member.file_size > _MOST_BYTES for member in archive.infolist()):
                raise ValueError
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile):
        raise DataError(
            f"{path} is not the answers of a fold as `tellapart train --kfold` writes them. Remove the folder {folder} and go on "
            "with the run: that fold is trained again."
        ) from None


def finished_folds(folder: Path) -> int:
    """How many folds of the run in `folder` are finished."""
    return sum(not (recipe.parent / MARKER).exists() for recipe in folder.glob(f"{FOLDS}/[0-9]*/recipe.toml"))


def clear_arrays(folder: Path) -> None:
    """Remove what only pooling needed of the run's folds."""
    for path in folder.glob(f"{FOLDS}/*/{ARRAYS}"):
        with contextlib.suppress(OSError):
            path.unlink()


def join_predictions(folds: Sequence[tuple[Path, Sequence[int]]], into: Path) -> None:
    """Write the answers of the folds' folders into the folder `into` as one file.

    Each fold's lines are of those places of the data set, rising; the new file has them all in that order, of equal places the
    earlier fold's first. Raises: DataError where a fold's file has other lines; StorageError.
    """
    name = _TABLE if (folds[0][0] / _TABLE).exists() else _LINES
    rows = _csv_rows if name == _TABLE else _lines
    heads = {fold / name: next(_csv_rows(fold / name), b"") for fold, _ in folds} if name == _TABLE else {}
    with replacing(into / name) as file:
        file.write(next(iter(heads.values()), b""))
        parts = [
            _placed(rows(fold / name), places, order, fold / name, heads) for order, (fold, places) in enumerate(folds)
        ]
        for _, _, line in heapq.merge(*parts):
            file.write(line)


def _placed(
    lines: Iterator[bytes], places: Sequence[int], order: int, path: Path, heads: Mapping[Path, bytes]
) -> Iterator[tuple[int, int, bytes]]:
    if heads:
        next(lines, b"")
    count = 0
    for count, line in enumerate(lines, start=1):
        if count > len(places):
            break
        yield places[count - 1], order, line
    if count != len(places):
        raise DataError(
            f"{path} has not the {len(places):,} pictures that its fold tested. Remove the folder {path.parent} and go on with the "
            "run: that fold is trained again."
        )


def _lines(path: Path) -> Iterator[bytes]:
    with storage_errors(path), path.open("rb") as file:
        yield from file


def _csv_rows(path: Path) -> Iterator[bytes]:
    """Rows as they are written: of several lines where a cell holds the end of one."""
    row = b""
    for line in _lines(path):
        row += line
        if row.count(b'"') % 2 == 0:
            yield row
            row = b""
    if row:
        yield row
