"""Arrays of pictures with their labels as a table. In: a file of arrays. Out: Cells. Next: array_labels.py.

Which labels go with which pictures is known by name and length, as Keras, MedMNIST and scikit-learn name them: x_train and y_train,
train_images and train_labels, images and target. A split in the name is the pictures' split. What stays doubtful is refused.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from tellapart.data.array_labels import class_names, label_cells
from tellapart.data.cells import Cells
from tellapart.data.columns import split_named
from tellapart.data.examples import ReadOptions, Split
from tellapart.errors import DataError, StorageError
from tellapart.sources.array_files import is_cifar_name
from tellapart.sources.arrays import ArrayFile, open_array_file
from tellapart.sources.reading import is_array_file

Array = NDArray[Any]

# What a name says of what an array holds, not of which part of the data it is.
_PICTURE_WORDS = frozenset(
    ("x", "img", "imgs", "image", "images", "picture", "pictures", "data", "pixels", "features", "inputs", "arr")
)
_LABEL_WORDS = frozenset(
    ("y", "label", "labels", "target", "targets", "class", "classes", "category", "idx", "fine", "coarse", "arr")
)
_ONE_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_JOINED = re.compile(r"(x|y)(train|test|val|valid|validation|dev)|(train|test|val|valid|validation|dev)(x|y)")
_KIND = re.compile(r"([-.]idx[13][-.]ubyte)?([.]gz|[.]npy)?$", re.IGNORECASE)
_TEST = "t10k"  # how MNIST calls its test split


class Stack(NamedTuple):
    """One array of pictures with its labels."""

    name: str  # "" where the file holds one alone
    labels: Mapping[str, Array]  # column -> [N] or [N, K]; the first is the label
    split: Split | None


def open_array_table(path: Path, ignored: Counter[str], options: ReadOptions) -> Cells:
    """The pictures of a file as a table with the columns path, label (or labels) and, where the names say it, split.

    Raises: DataError where it is no such file, or which labels are whose is not known; StorageError.
    """
    try:
        file = open_array_file(str(path))
    except OSError as error:
        raise StorageError(f"the arrays {str(path)!r} cannot be read: {error.strerror}. Check the disk.") from None
    stacks, left = _stacks(path, file)
    names, told = class_names(path, file.others, [next(iter(stack.labels.values())) for stack in stacks])
    columns = {
        stack.name: {
            column: label_cells(path, array, names if place == 0 else ())
            for place, (column, array) in enumerate(stack.labels.items())
        }
        for stack in stacks
    }
    several = any(cells.several for found in columns.values() for cells in list(found.values())[:1])
    header = ["path", "labels" if several else "label", *list(stacks[0].labels)[1:], "split"]
    notes = [*file.notes, *_told(path, stacks, left), *([told] if told else [])]
    notes += dict.fromkeys(cells.note for found in columns.values() for cells in found.values() if cells.note)
    return Cells(path, header, lambda: _rows(path, file, stacks, columns), ignored, notes=notes)


def split_in(name: str) -> Split | None:
    """The split that an array's or a file's name says among other words: x_train, t10k-images, trainY."""
    words = _words(name)
    found = {split for word in words if (split := "test" if word == _TEST else split_named(word))}
    return found.pop() if len(found) == 1 else None


def _rows(
    path: Path, file: ArrayFile, stacks: Sequence[Stack], columns: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[int, list[str]]]:
    number = 2
    for stack in stacks:
        cells = [column.cells for column in columns[stack.name].values()]
        for name, *labels in zip(file.names(stack.name), *cells, strict=True):
            yield number, [f"{path.name}/{name}", *labels, stack.split or ""]
            number += 1


def _stacks(path: Path, file: ArrayFile) -> tuple[list[Stack], list[str]]:
    """The arrays of pictures with their labels, and the names of those that are left out. Raises: DataError."""
    if not file.pictures:
        raise _no_pictures(path, file)
    if not any(len(array) for array in file.pictures.values()):
        names = ", ".join(f"{name or 'one'} {list(array.shape)}" for name, array in file.pictures.items())
        raise DataError(f"{str(path)!r} holds no picture: its arrays of them are empty, {names}. Save some in it.")
    others = {**file.others, **_beside(path, file)}
    paired = [
        Stack(name, _labels_of(path, name, len(array), others, alone=len(file.pictures) == 1), split_in(name))
        for name, array in file.pictures.items()
    ]
    bare = [stack.name for stack in paired if not stack.labels]
    if len(bare) == len(paired):
        raise _no_labels(path, paired[0].name, file, others)
    labelled = [stack for stack in paired if stack.labels]
    with_split = [stack for stack in labelled if stack.split]
    kept = with_split or labelled
    if len(kept) > 1 and not with_split:
        names = ", ".join(repr(stack.name) for stack in kept)
        raise DataError(
            f"{path!s} holds {len(kept)} arrays of pictures with labels, {names}, and their names say no "
            "split. Keep one, or call them x_train, x_val and x_test."
        )
    columns = {tuple(stack.labels)[1:] for stack in kept}
    if len(columns) > 1:
        kept = [stack._replace(labels=dict(list(stack.labels.items())[:1])) for stack in kept]
    return kept, [*bare, *(stack.name for stack in labelled if stack not in kept and stack.name not in bare)]


def _labels_of(path: Path, name: str, count: int, others: Mapping[str, Array], *, alone: bool) -> dict[str, Array]:
    """The labels that go with an array of `count` pictures, by column; the first is the label. Raises: DataError."""
    fitting = {key: array for key, array in others.items() if array.ndim in (1, 2) and len(array) == count and count}
    key = _key(name, _PICTURE_WORDS)
    found = {other: array for other, array in fitting.items() if _key(other, _LABEL_WORDS) == key and _is_label(other)}
    if not found and alone:
        found = {other: array for other, array in fitting.items() if _is_label(other)}
        found = found or (fitting if len(fitting) == 1 else {})
    if len(found) > 1:
        return _several(path, name, found)
    return found


def _several(path: Path, name: str, found: Mapping[str, Array]) -> dict[str, Array]:
    """Several arrays of labels for the same pictures: CIFAR-100's fine ones first, the others as columns of their own."""
    fine = [key for key in found if "fine" in _words(key)]
    if len(fine) == 1:
        return {key: found[key] for key in (*fine, *(key for key in found if key not in fine))}
    raise DataError(
        f"{path!s} holds several arrays that may be the labels of {name!r}: {', '.join(map(repr, found))}. Keep one of them."
    )


def _is_label(name: str) -> bool:
    return bool(_LABEL_WORDS & set(_words(name)))


def _key(name: str, role: frozenset[str]) -> tuple[str, ...]:
    """What is left of a name without the words for what it holds, in order; a split is called by its usual name."""
    return tuple(sorted(split_named(word) or word for word in _words(name) if word not in role))


def _file_key(name: str, role: frozenset[str]) -> tuple[str, ...]:
    """The same of a file's name, without what it says of the file's kind."""
    return _key(_KIND.sub("", name), role)


def _words(name: str) -> list[str]:
    """The words of a name, in small letters: x_train, trainX, XTrain, train-labels."""
    words = []
    for part in re.split(r"[\W_]+", name):
        if part.lower() == _TEST:
            words.append(_TEST)
            continue
        joined = _JOINED.fullmatch(part.lower())
        words += [one for one in joined.groups() if one] if joined else [w.lower() for w in _ONE_WORD.findall(part)]
    return words


def _beside(path: Path, file: ArrayFile) -> dict[str, Array]:
    """The labels of a file of one array alone, which stand in a file beside it: train-labels-idx1-ubyte, y_train.npy."""
    if set(file.pictures) != {""} or is_cifar_name(path.name):
        return {}
    key = _file_key(path.name, _PICTURE_WORDS)
    found: dict[str, Array] = {}
    for name in sorted(os.listdir(path.parent)):
        other = path.parent / name
        if name != path.name and is_array_file(other) and _is_label(name) and _file_key(name, _LABEL_WORDS) == key:
            for array in open_array_file(str(other)).others.values():
                found["labels"] = array
    return found


def _told(path: Path, stacks: Sequence[Stack], left: Sequence[str]) -> Iterator[str]:
    for stack in stacks:
        if stack.name:
            what = f"the labels of {stack.name!r} are {next(iter(stack.labels))!r}"
            yield f"{path}: {what}{f', its split is {stack.split}' if stack.split else ''}."
    if left:
        yield f"{path}: arrays of pictures without labels, or without a split, are not read: {', '.join(map(repr, left))}."


def _no_pictures(path: Path, file: ArrayFile) -> DataError:
    flat = next(
        (
            name
            for name, array in file.others.items()
            if array.ndim == 2 and array.shape[1] >= 16 and not _is_label(name)
        ),
        None,
    )
    if flat is not None:
        count, width = file.others[flat].shape
        side = round(width**0.5)
        shape = f"({count}, {side}, {side})" if side * side == width else f"({count}, height, width)"
        return DataError(
            f"the array {flat!r} in {str(path)!r} has {width:,} numbers a row, and no height and width. Give it its shape and save "
            f"it again: array.reshape{shape}."
        )
    found = ", ".join(f"{name or 'one'} {list(array.shape)}" for name, array in file.others.items()) or "[]"
    return DataError(
        f"{str(path)!r} has no array of pictures; its arrays are: {found}. Pictures are [N, height, width] or "
        "[N, height, width, 3], their labels [N]: save them as x_train and y_train with numpy.savez."
    )


def _no_labels(path: Path, name: str, file: ArrayFile, others: Mapping[str, Array]) -> DataError:
    count = len(file.pictures[name])
    found = ", ".join(f"{other} {list(array.shape)}" for other, array in others.items())
    beside = f"other arrays are {found}" if found else "there is no other array"
    what = f"the array {name!r} in {str(path)!r}" if name else repr(str(path))
    wanted = name.replace("x", "y").replace("images", "labels") if name else "a file of labels beside it"
    return DataError(
        f"{what} holds {count:,} pictures, and no labels go with it: {beside}. Add {wanted} with {count:,} labels."
    )
