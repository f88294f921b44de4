"""What a Python caller may give. In: one picture as everything that can hold it. Out: the same pixels, or a refusal."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from tellapart.answers.given import GivenItem, encoded, gather
from tellapart.answers.items import PathItem
from tellapart.decoding import decode
from tellapart.errors import DataError
from tellapart.preprocessing import MAX_FILE_BYTES

ARRAY: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def png(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def pixels(item: PathItem | GivenItem) -> NDArray[Any]:
    assert isinstance(item, GivenItem)
    assert not item.error
    return item.data if isinstance(item.data, np.ndarray) else np.asarray(Image.open(io.BytesIO(item.data)))


@pytest.mark.parametrize(
    "picture",
    [
        ARRAY,
        png(ARRAY),
        bytearray(png(ARRAY)),
        memoryview(png(ARRAY)),
        io.BytesIO(png(ARRAY)),
        Image.fromarray(ARRAY),
        torch.from_numpy(ARRAY).permute(2, 0, 1),
        torch.from_numpy(ARRAY).permute(2, 0, 1).float().div(255),
        torch.from_numpy(ARRAY).permute(2, 0, 1).double().div(255).requires_grad_(),
    ],
    ids=["array", "bytes", "bytearray", "memoryview", "file", "image", "uint8", "float32", "float64"],
)
def test_one_picture_in_every_shape(picture: Any) -> None:
    for given in (picture, [picture], (picture,)):
        if isinstance(picture, io.BytesIO):
            picture.seek(0)
        (item,) = gather(given)
        np.testing.assert_array_equal(pixels(item), ARRAY)
    assert isinstance(item, GivenItem)
    assert (item.path, item.named) == ("", True)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encoded(item.data)))), ARRAY)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
@pytest.mark.parametrize("kind", ["array", "other byte order", "tensor"])
def test_values_of_16_bits_are_read_by_the_model_s_range(shape: tuple[int, ...], kind: str) -> None:
    values = np.random.default_rng(1).integers(0, 4096, shape).astype(np.uint16)
    given: Any = {"array": values, "other byte order": values.astype(">u2")}.get(kind)
    if kind == "tensor":
        given = torch.from_numpy(np.moveaxis(values, 2, 0).copy() if values.ndim == 3 else values[None])
    (item,) = gather(given)
    assert isinstance(item, GivenItem)
    assert isinstance(item.data, bytes)
    decoded = decode(item.data, target=8, span=(0, 4095))
    assert decoded.deep is not None
    np.testing.assert_array_equal(decoded.deep.values, values)
    grey = np.rint(values * (255 / 4095)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(decoded.image), np.dstack([grey] * 3) if grey.ndim == 2 else grey)
    several = list(gather(np.stack([values, values]))) if values.ndim == 3 else [item]
    assert all(isinstance(one, GivenItem) and one.data == item.data for one in several)


def test_several_at_once() -> None:
    batch = np.stack([ARRAY, ARRAY[::-1]])
    for given in (batch, torch.from_numpy(batch).permute(0, 3, 1, 2), list(batch), iter(batch)):
        found = [pixels(item) for item in gather(given)]
        np.testing.assert_array_equal(found, batch)


def test_grey_and_transparent_pixels_keep_what_they_hold() -> None:
    grey, clear = ARRAY[..., 0], np.dstack([ARRAY, ARRAY[..., :1]])
    for given, wanted in (
        (grey, grey),
        (grey[..., None], grey),
        (torch.from_numpy(grey), grey),
        (torch.from_numpy(grey)[None], grey),
        (clear, clear),
    ):
        (item,) = gather(given)
        np.testing.assert_array_equal(pixels(item), wanted)
    (item,) = gather(torch.from_numpy(clear).permute(2, 0, 1))
    np.testing.assert_array_equal(pixels(item), clear)


def test_the_brightest_and_the_smallest_pictures_are_pictures() -> None:
    for given, wanted in (
        (torch.ones(3, 2, 2), np.full((2, 2, 3), 255)),
        (torch.tensor([[0.0, 1.0], [0.5, 0.25]]), [[0, 255], [128, 64]]),  # 127.5 and 63.75, rounded to even
        (np.full((1, 1, 3), 7, np.uint8), np.full((1, 1, 3), 7)),
        (np.full((1, 4), 7, np.uint8), np.full((1, 4), 7)),
    ):
        (item,) = gather(given)
        np.testing.assert_array_equal(pixels(item), wanted)


def test_pixels_in_rgb_are_handed_on_as_they_are_and_others_as_a_file() -> None:
    (item,) = gather(ARRAY[:, ::-1])
    assert isinstance(item, GivenItem)
    assert isinstance(item.data, np.ndarray)
    assert item.data.flags.c_contiguous
    np.testing.assert_array_equal(item.data, ARRAY[:, ::-1])
    for given in (ARRAY[..., 0], np.dstack([ARRAY, ARRAY[..., :1]])):
        (item,) = gather(given)
        assert isinstance(item, GivenItem)
        assert isinstance(item.data, bytes)


def test_files_are_compressed_quickly_since_no_one_keeps_them() -> None:
    """Source: RFC 1950, 2.2: the two highest bits of the second byte are 0 for the fastest compression, 2 for the usual one."""
    deep = np.zeros((4, 4, 3), np.uint16)
    made = [item.data for given in (ARRAY[..., 0], deep) for item in gather(given) if isinstance(item, GivenItem)]
    for data in (encoded(ARRAY), *made):
        assert isinstance(data, bytes)
        assert data[data.index(b"IDAT") + 5] >> 6 == 0


def test_paths_folders_addresses_and_tables_of_them(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png(ARRAY))
    files = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]

    def paths(given: Any) -> list[str]:
        return [item.path for item in gather(given)]

    assert paths(tmp_path) == paths(str(tmp_path)) == paths([tmp_path / "a.png", files[1]]) == files
    address = "https://example.com/cat?size=*"
    assert paths([address, files[0]]) == [address, files[0]], "the sign * in it is no glob"
    for column in ("path", "image", "filename", "file_name", "file"):
        assert paths(pandas.DataFrame({"label": ["x", "y"], column: files})) == files
    assert paths(pandas.DataFrame({"image": ["no", "no"], "path": files})) == files, "the first name of the list counts"
    assert paths(pandas.Series(files)) == paths(pandas.Series(files).to_numpy()) == paths(np.array(files)) == files
    assert paths(np.array([Path(file) for file in files])) == files


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda: [png(ARRAY), np.zeros((4, 4, 3))], r"picture 1 is an array of float64 \[4, 4, 3\]; pixels are uint8"),
        (lambda: np.zeros((3, 4, 5), np.uint8), r"array of uint8 \[3, 4, 5\]"),
        (lambda: torch.zeros(2, 5, 4, 4), r"picture 0 is a tensor of float32 \[5, 4, 4\]"),
        (
            lambda: [torch.full((3, 4, 4), 1.5)],
            r"picture 0 is a tensor of float32 \[3, 4, 4\].*before it is normalised",
        ),
        (lambda: [torch.full((3, 4, 4), -0.1)], "before it is normalised"),
        (lambda: [torch.full((3, 4, 4), float("nan"))], "before it is normalised"),
        (lambda: [torch.zeros(3, 4, 4, dtype=torch.int64)], "tensor of int64"),
        (lambda: [torch.zeros(3, 0, 4)], "tensor of float32"),
        (lambda: [torch.zeros(5, 4, 4, dtype=torch.uint8)], r"tensor of uint8 \[5, 4, 4\]"),
        (
            lambda: [ARRAY, torch.from_numpy(np.zeros((4, 5, 6), np.uint16))],
            r"picture 1 is an array of uint16 \[5, 6, 4\]",
        ),
        (lambda: np.zeros((0, 4, 3), np.uint8), r"array of uint8 \[0, 4, 3\]"),
        (lambda: np.zeros((4, 0), np.uint16), r"array of uint16 \[4, 0\]"),
        (lambda: np.zeros(4, np.uint8), r"array of uint8 \[4\]"),
        (lambda: [io.StringIO("text")], "picture 0 is a file that gives a str, not bytes. Open it with mode 'rb'"),
        (lambda: [{}], "picture 0 is a dict; a picture is a path"),
        (
            lambda: pandas.DataFrame({"x": ["a"]}),
            r"the table has the columns x; none is called path, .*table\[COLUMN\]",
        ),
        (lambda: pandas.DataFrame({"path": ["a.png", None]}), "row 1 of the table's column 'path' is"),
    ],
)
def test_what_is_not_plainly_a_picture_is_refused(given: Callable[[], Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        list(gather(given()))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            np.zeros((4, 4)),
            (
                "picture 0 is an array of float64 [4, 4]; pixels are uint8 [H, W, 3], [H, W, 4] or [H, W], from 0 to 255, or "
                "uint16 [H, W, 3] or [H, W], read by the model's range. Scale and convert it first."
            ),
        ),
        (
            torch.full((1, 4, 4), 2.0),
            (
                "picture 0 is a tensor of float32 [1, 4, 4]; pixels are uint8 from 0 to 255, uint16 (by the model's range), or "
                "floats from 0 to 1, [3, H, W] or [1, H, W]. Give it before it is normalised."
            ),
        ),
        (
            3,
            (
                "picture 0 is an int; a picture is a path, the bytes of a picture file, an open file, a PIL image, a NumPy array "
                "of uint8 or a torch tensor. Give one of these."
            ),
        ),
        (
            {"a.png": "cat"},
            (
                "picture 0 is a dict; a picture is a path, the bytes of a picture file, an open file, a PIL image, a NumPy array "
                "of uint8 or a torch tensor. Give one of these."
            ),
        ),
        (
            pandas.DataFrame({"x": ["a"], "y": ["b"]}),
            (
                "the table has the columns x, y; none is called path, image, filename, file_name, file, filepath or image_path. "
                "Give its paths alone, as table[COLUMN]."
            ),
        ),
        (
            pandas.DataFrame({"x" * 301: ["a"]}),
            (
                f"the table has the columns {'x' * 300}; none is called path, image, filename, file_name, file, filepath or "
                "image_path. Give its paths alone, as table[COLUMN]."
            ),
        ),
        (
            pandas.DataFrame({"path": ["a.png", 7]}),
            "row 1 of the table's column 'path' is 7, no path. Correct it or leave it out.",
        ),
    ],
    ids=["array", "tensor", "other", "mapping", "columns", "a long column", "row"],
)
def test_a_refusal_says_what_it_is_what_may_be_and_what_to_do(given: Any, message: str) -> None:
    with pytest.raises(DataError) as fault:
        list(gather(given))
    assert str(fault.value) == message


class Long:
    """An open file of so many bytes, of which no more are made than asked for."""

    def __init__(self, length: int) -> None:
        self._length = length
        self.asked: list[int] = []

    def read(self, size: int) -> bytes:
        self.asked.append(size)
        return bytes(min(size, self._length))


def test_of_a_file_no_more_is_read_than_the_limit_and_one_byte_by_which_it_is_seen() -> None:
    file, longer = Long(MAX_FILE_BYTES), Long(MAX_FILE_BYTES + 1)
    whole, refused = gather([file, longer])
    assert isinstance(whole, GivenItem)
    assert isinstance(refused, GivenItem)
    assert (whole.error, len(whole.data)) == ("", MAX_FILE_BYTES)
    assert refused.error == "file of more than 536,870,912 bytes, which is the limit. Store it smaller"
    assert refused.data == b""
    assert file.asked == longer.asked == [MAX_FILE_BYTES + 1]


def test_a_picture_that_breaks_while_it_is_read_has_its_reason() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    cut = Image.open(io.BytesIO(png(np.zeros((300, 300, 3), np.uint8))[:80]))
    found = list(gather([cut, Broken()]))
    assert [item.error for item in found if isinstance(item, GivenItem)][1] == "cannot be read: Input/output error"
    assert isinstance(found[0], GivenItem)
    assert "truncated" in found[0].error
