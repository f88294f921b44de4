"""Folders of arrays. In: MNIST's and CIFAR's files, .npy files, pickles. Out: Listings, or why not."""

from __future__ import annotations

import gzip
import pickle
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.listing import read_listing
from tellapart.errors import DataError


def idx(array: np.ndarray) -> bytes:
    """An array of bytes as MNIST's files have it."""
    head = bytes([0, 0, 8, array.ndim])
    return head + b"".join(struct.pack(">I", size) for size in array.shape) + array.tobytes()


PICTURES = np.arange(4 * 5 * 5, dtype=np.uint8).reshape(4, 5, 5)
LABELS = np.array([0, 1, 1, 0], np.uint8)


@pytest.mark.parametrize("style", ["-idx{}-ubyte", ".idx{}-ubyte"])
def test_mnist(tmp_path: Path, style: str) -> None:
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, pictures in (("train", PICTURES), ("t10k", PICTURES[:2] + 1)):
        (folder / f"{name}-images{style.format(3)}").write_bytes(idx(pictures))
        (folder / f"{name}-images{style.format(3)}.gz").write_bytes(gzip.compress(idx(pictures)))
        (folder / f"{name}-labels{style.format(1)}").write_bytes(idx(LABELS[: len(pictures)]))
    listing = read_listing(tmp_path)
    assert Counter(entry.split for entry in listing.entries) == {"train": 4, "test": 2}
    train = [entry.target.text for entry in listing.entries if entry.split == "train"]
    assert train == ["0", "1", "1", "0"]


def test_cifar(tmp_path: Path) -> None:
    for number, name in enumerate(("data_batch_1", "data_batch_2", "test_batch")):
        rows = np.full((2, 3073), number, np.uint8)
        rows[:, 0], rows[:, 5] = [0, 1], [1, 2]
        rows.tofile(tmp_path / f"{name}.bin")
    (tmp_path / "batches.meta.txt").write_text("airplane\nautomobile\n")
    (tmp_path / "readme.html").write_text("<p>")
    listing = read_listing(tmp_path)
    assert Counter(entry.split for entry in listing.entries) == {"train": 4, "test": 2}
    assert listing.classes == ("airplane", "automobile")


def test_arrays_in_files_of_their_own(tmp_path: Path) -> None:
    for name, array in (
        ("x_train", PICTURES),
        ("y_train", LABELS),
        ("X_test", PICTURES[:2] + 1),
        ("y_test", LABELS[:2]),
        ("x_extra", PICTURES),
        ("y_extra", LABELS),
    ):
        np.save(tmp_path / f"{name}.npy", array)
    listing = read_listing(tmp_path)
    assert Counter(entry.split for entry in listing.entries) == {"train": 4, "test": 2}
    assert any("say no split are not read: 'x_extra.npy'" in note for note in listing.notes)


def test_labels_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "y_train.npy", LABELS)
    with pytest.raises(DataError, match="has no array of pictures"):
        read_listing(tmp_path / "y_train.npy")


def test_cifar_as_pickles(tmp_path: Path) -> None:
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (tmp_path / name).write_bytes(pickle.dumps({}))
    with pytest.raises(DataError, match=r"are pickles, as CIFAR's Python version.*cifar-10-binary.tar.gz"):
        read_listing(tmp_path)
    with pytest.raises(DataError, match="is a pickle; opening one can run any code"):
        read_listing(tmp_path / "data_batch_1")


def test_one_pickle_of_cifar(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({}))
    with pytest.raises(DataError, match="are pickles"):
        read_listing(tmp_path)


def test_any_pickle(tmp_path: Path) -> None:
    (tmp_path / "data.pkl").write_bytes(pickle.dumps([1]))
    with pytest.raises(DataError, match="is a pickle"):
        read_listing(tmp_path / "data.pkl")


def test_folders_of_classes_stay_so(tmp_path: Path) -> None:
    """A stray array beside class folders makes no data set of arrays."""
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (9, 9)).save(tmp_path / name / "a.png")
    np.save(tmp_path / "embeddings.npy", np.zeros((4, 5)))
    assert read_listing(tmp_path).classes == ("cat", "dog")
