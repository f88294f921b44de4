"""Pictures in arrays. In: files that NumPy writes. Out: names, PNGs with the same pixels, or why not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.answers.items import expand, read_file
from tellapart.errors import DataError, PictureError
from tellapart.sources.arrays import array_picture_names, open_array_file, read_array_picture
from tellapart.sources.reading import exists, is_picture_table, read_bytes

RANDOM = np.random.default_rng(0)


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("shape", [(3, 5, 7), (3, 5, 7, 1), (3, 5, 7, 3), (3, 5, 7, 4)])
def test_pixels_are_those_of_the_array(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = RANDOM.integers(0, 256, shape, dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x_train=array)
    path = str(tmp_path / "a.npz")
    assert array_picture_names(path) == [f"x_train-{row:07d}.png" for row in range(3)]
    for row in range(3):
        expected = array[row, ..., 0] if shape[-1] == 1 else array[row]
        np.testing.assert_array_equal(pixels(read_bytes(f"{path}/x_train-{row:07d}.png")), expected)
    assert is_picture_table(path)
    assert exists(f"{path}/x_train-0000002.png")


def test_channels_first_are_told(tmp_path: Path) -> None:
    array = RANDOM.integers(0, 256, (2, 3, 8, 9), dtype=np.uint8)
    np.save(tmp_path / "x.npy", array)
    file = open_array_file(str(tmp_path / "x.npy"))
    np.testing.assert_array_equal(pixels(file.picture("", 1)), array[1].transpose(1, 2, 0))
    assert any("channels first" in note for note in file.notes)


def test_the_same_picture_is_the_same_bytes(tmp_path: Path) -> None:
    array = RANDOM.integers(0, 256, (1, 9, 9), dtype=np.uint8)
    for name in ("a.npz", "b.npz"):
        np.savez_compressed(tmp_path / name, x=array)
    first, second = (read_bytes(tmp_path / name / "x-0000000.png") for name in ("a.npz", "b.npz"))
    assert first == second


def test_a_folder_or_command_takes_all_pictures(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 4, 4), np.uint8), y=np.zeros(2))
    expected = [str(tmp_path / "a.npz" / f"x-{row:07d}.png") for row in range(2)]
    assert [item.path for item in expand([str(tmp_path / "a.npz")])] == expected
    assert [item.path for item in expand([str(tmp_path)])] == expected


@pytest.mark.parametrize("name", ["x-0000002.png", "y-0000000.png", "x.png", "other"])
def test_what_is_not_there(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(FileNotFoundError) as caught:
        read_array_picture(str(tmp_path / "a.npz"), name)
    assert caught.value.strerror == (
        "the file has no such picture; there are x-0000000.png ... x-0000001.png, the rows of an array counted from 0"
    )
    with pytest.raises(PictureError, match="^the file has no such picture; there are x-0000000.png"):
        read_file(str(tmp_path / "a.npz" / name))


def test_of_many_arrays_the_first_are_named(tmp_path: Path) -> None:
    stack = np.zeros((2, 4, 4), np.uint8)
    np.savez(tmp_path / "a.npz", **dict.fromkeys("abcde", stack), f=stack[:0])
    np.savez(tmp_path / "b.npz", y=np.zeros(3))
    named = ", ".join(f"{name}-0000000.png ... {name}-0000001.png" for name in "abc")
    with pytest.raises(PictureError, match=f"there are {named}, and 2 more arrays, the rows"):
        read_file(str(tmp_path / "a.npz" / "x.png"))
    with pytest.raises(PictureError, match="^the file has no array of pictures$"):
        read_file(str(tmp_path / "b.npz" / "x.png"))


def test_a_damaged_file_is_a_bad_picture(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\3\4 damaged")
    with pytest.raises(PictureError, match="cannot be read as arrays"):
        read_bytes(tmp_path / "a.npz" / "x-0000000.png")


def test_a_file_without_pictures(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", y=np.zeros(3))
    with pytest.raises(DataError, match=r"no array of pictures; its arrays are: y \[3\]"):
        array_picture_names(str(tmp_path / "a.npz"))
