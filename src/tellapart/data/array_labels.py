"""Labels that stand in an array, as cells of a table. In: arrays. Out: texts, and what was found. Next: array_folders.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.data.json_lines import cell_text
from tellapart.errors import DataError

Array = NDArray[Any]

_NAME_WORDS = ("name", "classes", "category", "categories")  # in the name of an array that names the classes
_OTHER_WORDS = ("file", "path", "image", "picture", "feature", "column")  # of names, but not of classes
# Files beside CIFAR's that name its classes, a line each, by how many there are.
_NAME_FILES = ("batches.meta.txt", "fine_label_names.txt")
_MOST_NAMES = 100_000


class LabelCells(NamedTuple):
    """One text for each picture."""

    cells: list[str]
    several: bool = False  # each names a set of classes
    note: str = ""


def label_cells(path: Path, array: Array, names: Sequence[str]) -> LabelCells:
    """The labels of N pictures, [N], [N, 1], or [N, K] with 0 and 1 for each class; numbers by their names where there are some.

    Raises: DataError for labels of another kind, or numbers that have no name.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind not in "biufSU":
        raise DataError(
            f"labels in {str(path)!r} are of the type {array.dtype}. Save them as whole numbers or texts: array.astype(str)."
        )
    if array.ndim == 2:
        return _of_columns(path, array, names)
    return LabelCells([_name(path, text, names) for text in _texts(path, array)])


def class_names(path: Path, others: Mapping[str, Array], labels: Sequence[Array]) -> tuple[Sequence[str], str]:
    """The names of classes that the file, or one beside it, has for numbers 0, 1, 2 ..., and a sentence on them.

    Nothing where there are none. Raises: DataError for fewer names than numbers, an empty name, or one that two classes have.
    """
    if not labels or any(array.dtype.kind not in "biuf" for array in labels):
        return (), ""
    if any(array.dtype.kind == "f" and not np.isfinite(array).all() for array in labels):
        raise DataError(
            f"labels in {str(path)!r} hold values that are not finite numbers. Give each picture a number or a text."
        )
    count = max(map(_classes_of, labels))
    for name, array in others.items():
        if array.dtype.kind in "SU" and array.ndim == 1 and len(array) <= _MOST_NAMES and _names_classes(name):
            names = _texts(path, array)
            _check_names(f"the array {name!r} in {str(path)!r}", names, count)
            return names, f"{path}: classes are named by its array {name!r}."
    for name in _NAME_FILES if path.suffix.lower() == ".bin" else ():
        beside = path.parent / name
        if beside.is_file() and beside.stat().st_size < _MOST_NAMES:
            names = [line.strip() for line in beside.read_text("utf-8", errors="replace").splitlines() if line.strip()]
            _check_names(repr(str(beside)), names, count)
            return names, f"{path}: classes are named by {name}."
    return (), ""


def _classes_of(labels: Array) -> int:
    """How many classes labels [N] or [N, K] need."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        return int(labels.shape[1])
    return int(labels.max()) + 1 if labels.size else 0


def _names_classes(name: str) -> bool:
    """Whether an array is called as one of names of classes: class_names, target_names, and not filenames or feature_names."""
    low = name.lower()
    return any(word in low for word in _NAME_WORDS) and not any(word in low for word in _OTHER_WORDS)


def _check_names(where: str, names: Sequence[str], count: int) -> None:
    """Raises: DataError for what cannot be the names of so many classes."""
    if len(names) < count:
        raise DataError(
            f"{where} names {len(names):,} classes, and the labels go up to {count - 1}, which takes {count:,} names. Give every "
            "class its name, or leave the names out: then the classes are called by their numbers."
        )
    if "" in names:
        raise DataError(
            f"{where} has an empty name, for class {names.index('')}. Give every class its name, or leave the names out."
        )
    twice, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise DataError(
            f"{where} has the name {twice!r} {times} times, which would make one class of several. Give every class a name "
            "of its own, in the order of their numbers, or leave the names out."
        )


def _of_columns(path: Path, array: Array, names: Sequence[str]) -> LabelCells:
    """One column a class: one class a row where each row has one, or else sets."""
    if array.dtype.kind in "SU" or not np.isin(array, (0, 1)).all():
        raise DataError(
            f"labels in {str(path)!r} have {array.shape[1]} columns that are not 0 and 1. Give each picture one number or text, or "
            "0 and 1 for each class."
        )
    known = [_name(path, str(place), names) for place in range(array.shape[1])]
    if (array.sum(axis=1) == 1).all():
        note = f"{path}: labels are read from {len(known)} columns with one 1 in each row (one-hot)."
        return LabelCells([known[place] for place in array.argmax(axis=1).tolist()], note=note)
    note = f"{path}: each of {len(known)} columns of labels is a class, and a picture may have several."
    return LabelCells(
        [cell_text([known[place] for place in np.flatnonzero(row).tolist()]) for row in array], several=True, note=note
    )


def _texts(path: Path, array: Array) -> list[str]:
    """Numbers without a fraction as whole ones, others as they are written."""
    if array.dtype.kind == "S":
        try:
            return [text.decode("utf-8").strip() for text in array.tolist()]
        except UnicodeDecodeError:
            raise DataError(f"labels in {str(path)!r} are bytes that are not UTF-8. Save them as texts.") from None
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.rint(array)).all():
        array = array.astype(np.int64)
    if array.dtype.kind == "b":
        array = array.astype(np.int64)
    return [str(text).strip() for text in array.tolist()]


def _name(path: Path, text: str, names: Sequence[str]) -> str:
    if not names:
        return text
    if not text.isdecimal() or int(text) >= len(names):
        raise DataError(f"labels in {str(path)!r} have {text!r}, and its classes have {len(names)} names, from 0 on.")
    return names[int(text)]
