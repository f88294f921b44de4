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
from PIL import Image, ImageCms

from tellapart.answers.given import GivenItem, encoded, gather
from tellapart.answers.items import PathItem
from tellapart.decoding import decode
from tellapart.errors import DataError

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
        (torch.from_numpy(grey), grey),
        (torch.from_numpy(grey)[None], grey),
        (clear, clear),
    ):
        (item,) = gather(given)
        np.testing.assert_array_equal(pixels(item), wanted)
    (item,) = gather(torch.from_numpy(clear).permute(2, 0, 1))
    np.testing.assert_array_equal(pixels(item), clear)


def test_a_profile_travels_with_its_picture() -> None:
    picture = Image.fromarray(ARRAY)
    picture.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (item,) = gather(picture)
    assert isinstance(item, GivenItem)
    assert isinstance(item.data, bytes)
    assert Image.open(io.BytesIO(item.data)).info["icc_profile"] == picture.info["icc_profile"]


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
    assert paths(pandas.Series(files)) == files


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
        (lambda: [io.StringIO("text")], "picture 0 is a file that gives str, not bytes. Open it with mode 'rb'"),
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


def test_a_picture_that_breaks_while_it_is_read_has_its_reason() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    cut = Image.open(io.BytesIO(png(np.zeros((300, 300, 3), np.uint8))[:80]))
    found = list(gather([cut, Broken()]))
    assert [item.error for item in found if isinstance(item, GivenItem)][1] == "cannot be read: Input/output error"
    assert isinstance(found[0], GivenItem)
    assert "truncated" in found[0].error
