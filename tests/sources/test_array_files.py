"""Files of arrays. In: files as NumPy, MNIST and CIFAR have them, and damaged ones. Out: arrays, or why not."""

from __future__ import annotations

import contextlib
import gzip
import pickle
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import DataError
from tellapart.sources import array_files
from tellapart.sources.array_files import is_array_name, is_pictures, open_arrays


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    return (
        bytes([0, 0, kind, array.ndim])
        + b"".join(struct.pack(">I", size) for size in array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("kind", "dtype"), [(8, np.uint8), (12, np.int32), (13, np.float32)])
def test_idx(tmp_path: Path, packed: bool, kind: int, dtype: type) -> None:
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(dtype)
    path = tmp_path / ("train-images-idx3-ubyte" + ".gz" * packed)
    path.write_bytes(gzip.compress(idx(array, kind)) if packed else idx(array, kind))
    np.testing.assert_array_equal(open_arrays(str(path)).pictures[""], array)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:-1], "ends 1 bytes too early"),
        (lambda data: data + b"x", "more bytes follow"),
        (lambda data: b"\1" + data[1:], "first four bytes"),
        (lambda data: data[:2] + b"\7" + data[3:], "first four bytes"),
        (lambda data: b"", "too early"),
    ],
)
def test_damaged_idx(tmp_path: Path, change: object, reason: str) -> None:
    path = tmp_path / "t10k-images.idx3-ubyte"
    path.write_bytes(change(idx(np.zeros((2, 3, 4), np.uint8))))  # type: ignore[operator]
    with pytest.raises(DataError, match=reason):
        open_arrays(str(path))


def test_an_idx_header_cannot_ask_for_all_memory(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">III", 4_000_000_000, 28, 28))
    with pytest.raises(DataError, match="the limit is"):
        open_arrays(str(path))


@pytest.mark.parametrize(("labels", "row"), [(["labels"], 3073), (["coarse_labels", "fine_labels"], 3074)])
def test_cifar(tmp_path: Path, labels: list[str], row: int) -> None:
    data = np.random.default_rng(0).integers(0, 256, (4, row), dtype=np.uint8)
    data[:, : len(labels)] %= 10
    data.tofile(tmp_path / "train.bin")
    read = open_arrays(str(tmp_path / "train.bin"))
    assert list(read.others) == labels
    for place, name in enumerate(labels):
        np.testing.assert_array_equal(read.others[name], data[:, place])
    blue = data[2, -1024:].reshape(32, 32)
    np.testing.assert_array_equal(read.pictures[""][2, :, :, 2], blue)


@pytest.mark.parametrize(
    ("row", "place", "label", "reason"),
    [
        (3073, 0, 10, "1 of its 2 pictures have labels over 9, the first 10 in picture 1. Download it again"),
        (3074, 0, 20, "1 of its 2 pictures have coarse_labels over 19, the first 20 in picture 1."),
        (3074, 1, 200, "1 of its 2 pictures have fine_labels over 99, the first 200 in picture 1."),
    ],
)
def test_labels_that_cifar_has_not(tmp_path: Path, row: int, place: int, label: int, reason: str) -> None:
    rows = np.zeros((2, row), np.uint8)
    rows[1, place] = label
    rows.tofile(tmp_path / "train.bin")
    with pytest.raises(DataError, match=re.escape(reason)):
        open_arrays(str(tmp_path / "train.bin"))


def test_a_file_called_as_cifar_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "test.bin").write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match="1,000 bytes, which is no number of pictures of CIFAR"):
        open_arrays(str(tmp_path / "test.bin"))


class Planted:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("import builtins; builtins.PLANTED = True",)


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
def test_objects_are_never_unpickled(tmp_path: Path, name: str) -> None:
    array = np.array([Planted()], dtype=object)
    (np.savez if name == "a.npz" else np.save)(tmp_path / name, array)  # type: ignore[operator]
    with pytest.raises(DataError, match="holds Python objects, which are stored as a pickle"):
        open_arrays(str(tmp_path / name))
    assert "PLANTED" not in __builtins__  # type: ignore[operator]
    assert pickle.dumps(array)  # the trap was set


def test_more_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_files, "MAX_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((20, 8, 8), np.uint8))
    with pytest.raises(DataError, match="more than the limit of 1,000 bytes"):
        open_arrays(str(tmp_path / "a.npz"))


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=300), name=st.sampled_from(["a.npz", "a.npy", "t-images-idx3-ubyte", "train.bin"]))
def test_whatever_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    path = tmp_path_factory.mktemp("any") / name
    for head in (b"", b"\x93NUMPY\x01\x00", b"\0\0\x08\x03", b"\x1f\x8b\x08"):
        path.write_bytes(head + data)
        with contextlib.suppress(DataError):
            open_arrays(str(path))
        is_pictures(str(path))


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("mnist.npz", True),
        ("X.NPY", True),
        ("train-images-idx3-ubyte", True),
        ("t10k-labels.idx1-ubyte.gz", True),
        ("data_batch_5.bin", True),
        ("firmware.bin", False),
        ("ubyte", False),
        ("a.png", False),
    ],
)
def test_names(name: str, is_one: bool) -> None:
    assert is_array_name(name) == is_one


def test_a_header_that_asks_for_more_than_is_stored(tmp_path: Path) -> None:
    import io
    import zipfile

    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 1000, 1000)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as made:
        made.writestr("x.npy", head.getvalue() + b"few")
    with pytest.raises(DataError, match="'x' says that it is larger than what is stored"):
        open_arrays(str(tmp_path / "a.npz"))
