"""Arrays with their labels as a table. In: .npz as Keras, MedMNIST and scikit-learn name them. Out: Listings, or a question."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.data.array_tables import split_in
from tellapart.data.examples import ReadOptions
from tellapart.data.listing import read_listing
from tellapart.errors import DataError

PICTURES = np.arange(6 * 4 * 4, dtype=np.uint8).reshape(6, 4, 4)
LABELS = np.array([0, 1, 0, 1, 1, 0])


def saved(tmp_path: Path, **arrays: Any) -> Path:
    np.savez(tmp_path / "a.npz", **arrays)
    return tmp_path / "a.npz"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("x_train", "y_train"), ("x_test", "y_test")),
        (("X_train", "Y_train"), ("X_val", "Y_val")),
        (("trainX", "trainY"), ("testX", "testy")),
        (("train_images", "train_labels"), ("test_images", "test_labels")),
        (("xtrain", "ytrain"), ("xvalid", "yvalid")),
        (("images_train", "targets_train"), ("images_dev", "targets_dev")),
    ],
)
def test_names_of_splits(tmp_path: Path, first: tuple[str, str], second: tuple[str, str]) -> None:
    arrays = {first[0]: PICTURES, first[1]: LABELS, second[0]: PICTURES[:2] + 1, second[1]: LABELS[2:4]}
    listing = read_listing(saved(tmp_path, **arrays))
    splits = Counter(entry.split for entry in listing.entries)
    assert splits["train"] == 6
    assert sum(splits.values()) == 8
    assert None not in splits
    by_name = {entry.path.name: entry.target.text for entry in listing.entries}
    assert [by_name[f"{first[0]}-{row:07d}.png"] for row in range(6)] == [str(label) for label in LABELS]
    assert by_name[f"{second[0]}-0000001.png"] == "1"


@pytest.mark.parametrize(
    "names", [("x", "y"), ("images", "labels"), ("data", "target"), ("arr_0", "arr_1"), ("faces", "label")]
)
def test_one_array_and_its_labels(tmp_path: Path, names: tuple[str, str]) -> None:
    listing = read_listing(saved(tmp_path, **{names[0]: PICTURES, names[1]: LABELS}))
    assert [entry.target.text for entry in listing.entries] == [str(label) for label in LABELS]
    assert {entry.split for entry in listing.entries} == {None}


def test_as_scikit_learn_has_digits(tmp_path: Path) -> None:
    path = saved(tmp_path, data=PICTURES.reshape(6, 16), images=PICTURES, target=LABELS, target_names=["cat", "dog"])
    listing = read_listing(path)
    assert [entry.target.text for entry in listing.entries] == ["cat", "dog", "cat", "dog", "dog", "cat"]
    assert any("named by its array 'target_names'" in note for note in listing.notes)


def test_sets_of_classes(tmp_path: Path) -> None:
    labels = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1], [1, 0, 0], [0, 0, 1]])
    listing = read_listing(saved(tmp_path, x=PICTURES, y=labels))
    assert listing.task == "multilabel"
    assert [entry.target.classes for entry in listing.entries][:4] == [("0", "2"), (), ("1",), ("0", "1", "2")]


def test_pickled_labels_beside_good_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'y' in .* holds Python objects"):
        read_listing(saved(tmp_path, x=PICTURES, y=np.array(["a", None] * 3, dtype=object)))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"y": LABELS}, r"no array of pictures; its arrays are: y \[6\]"),
        ({"x": PICTURES.reshape(6, 16), "y": LABELS}, r"16 numbers a row.*reshape\(6, 4, 4\)"),
        ({"x": PICTURES}, "holds 6 pictures, and no labels go with it"),
        ({"x_train": PICTURES, "y_train": LABELS[:5]}, "Add y_train with 6 labels"),
        (
            {"x": PICTURES, "y": np.array([0, 1, np.nan, 0, 1, 0])},
            "labels in .* hold values that are not finite numbers",
        ),
        ({"x": PICTURES, "y": LABELS, "labels": LABELS}, "several arrays that may be the labels"),
        ({"a": PICTURES, "b": PICTURES, "label_a": LABELS, "label_b": LABELS}, "their names say no split"),
    ],
)
def test_what_is_doubtful_is_refused(tmp_path: Path, arrays: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        read_listing(saved(tmp_path, **arrays))


def test_what_has_no_labels_is_told(tmp_path: Path) -> None:
    listing = read_listing(saved(tmp_path, x_train=PICTURES, y_train=LABELS, x_test=PICTURES))
    assert len(listing.entries) == 6
    assert any("are not read: 'x_test'" in note for note in listing.notes)


def test_an_array_without_a_row_holds_no_picture(tmp_path: Path) -> None:
    empty = saved(tmp_path, x_train=PICTURES[:0], y_train=LABELS[:0])
    with pytest.raises(
        DataError, match=r"holds no picture: its arrays of them are empty, x_train \[0, 4, 4\]. Save some"
    ):
        read_listing(empty)


def test_the_other_labels_of_cifar_100(tmp_path: Path) -> None:
    rows = np.zeros((3, 3074), np.uint8)
    rows[:, 0], rows[:, 1] = [4, 5, 4], [10, 11, 12]
    rows[:, 2] = [1, 2, 3]
    rows.tofile(tmp_path / "train.bin")
    assert read_listing(tmp_path / "train.bin").classes == ("10", "11", "12")
    listing = read_listing(tmp_path / "train.bin", ReadOptions(label_column="coarse_labels"))
    assert listing.classes == ("4", "5")


@pytest.mark.parametrize(
    ("name", "split"),
    [("x_train", "train"), ("t10k-images-idx3-ubyte", "test"), ("trainX", "train"), ("x", None), ("train_test", None)],
)
def test_split_in(name: str, split: str | None) -> None:
    assert split_in(name) == split
