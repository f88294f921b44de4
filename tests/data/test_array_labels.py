"""Labels in arrays. In: arrays of numbers and texts. Out: a text for each picture, or why not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.array_labels import class_names, label_cells
from tellapart.errors import DataError

PATH = Path("a.npz")


@pytest.mark.parametrize(
    ("array", "cells"),
    [
        (np.array([3, 1]), ["3", "1"]),
        (np.array([[3], [1]], np.uint8), ["3", "1"]),
        (np.array([3.0, 1.0]), ["3", "1"]),
        (np.array([0.5, 1.0]), ["0.5", "1.0"]),  # left to who asks about measured numbers
        (np.array([True, False]), ["1", "0"]),
        (np.array([" cat", "狗"]), ["cat", "狗"]),
        (np.array([b"cat", "狗".encode()]), ["cat", "狗"]),
        (np.array([[0, 1], [1, 0]]), ["1", "0"]),
        (np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), ["1", "2"]),
    ],
)
def test_cells(array: np.ndarray, cells: list[str]) -> None:
    assert label_cells(PATH, array, ()).cells == cells


def test_sets() -> None:
    found = label_cells(PATH, np.array([[1, 1], [0, 0]]), ["cat", "dog"])
    assert found.several
    assert found.cells == ["cat|dog", ""]


@pytest.mark.parametrize(
    ("array", "names", "reason"),
    [
        (np.array([1j]), (), "of the type complex128"),
        (np.array([[0.2, 0.8]]), (), "2 columns that are not 0 and 1"),
        (np.array([["a", "b"]]), (), "2 columns that are not 0 and 1"),
        (np.array([b"\xff"]), (), "not UTF-8"),
        (np.array([0, -1]), ("cat", "dog"), "have '-1', and its classes have 2 names"),
    ],
)
def test_refused(array: np.ndarray, names: tuple[str, ...], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        label_cells(PATH, array, names)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (
            ["a", "b"],
            "the array 'class_names' in '{path}' names 2 classes, and the labels go up to 2, which takes 3 names. Give every",
        ),
        (["a", " ", "c"], "has an empty name, for class 1. Give every class its name, or leave the names out."),
        (
            ["a", "b", "a", "c"],
            "has the name 'a' 2 times, which would make one class of several. Give every class a name of its own",
        ),
    ],
)
def test_names_that_cannot_be_are_refused(names: list[str], reason: str) -> None:
    with pytest.raises(DataError, match=re.escape(reason.format(path=PATH))):
        class_names(PATH, {"class_names": np.array(names)}, [np.array([0, 1]), np.array([0, 2])])


def test_more_names_than_labels_and_names_of_other_things() -> None:
    labels = [np.array([0, 1, 1])]
    files = np.array(["1.png", "2.png", "3.png"])
    assert class_names(PATH, {"filenames": files, "feature_names": files}, labels) == ((), "")
    names, told = class_names(PATH, {"filenames": files, "target_names": np.array(["a", "b", "c"])}, labels)
    assert list(names) == ["a", "b", "c"]
    assert told.endswith("classes are named by its array 'target_names'.")


def test_names_beside_cifar(tmp_path: Path) -> None:
    (tmp_path / "batches.meta.txt").write_text("airplane\nautomobile\n\n")
    names, told = class_names(tmp_path / "data_batch_1.bin", {}, [np.array([0, 1])])
    assert list(names) == ["airplane", "automobile"]
    assert "named by batches.meta.txt" in told
