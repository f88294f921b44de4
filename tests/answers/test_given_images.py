"""Pictures that Pillow has open. In: one of each kind of pixels, damaged ones. Out: the same pixels, upright, or the reason."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from tellapart.answers.given import GivenItem, gather

ARRAY: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("mode", "layout", "stored"),
    [
        *((mode, "PNG", mode) for mode in ("1", "L", "LA", "P", "RGBA", "I;16")),
        *((mode, "TIFF", mode) for mode in ("CMYK", "YCbCr", "LAB", "F", "I", "PA")),
        *(("La", "PNG", "LA"), ("RGBa", "PNG", "RGBA"), ("RGBX", "PNG", "RGB"), ("HSV", "PNG", "RGB")),
    ],
)
def test_an_open_picture_keeps_its_kind_of_pixels_where_a_format_holds_it(mode: str, layout: str, stored: str) -> None:
    through = {"PA": "P", "La": "LA", "RGBa": "RGBA", "I;16": "I", "LAB": ""}.get(mode, "RGB")
    picture = Image.new("LAB", (3, 2), (50, 10, 20))
    if through:
        start = Image.fromarray(ARRAY).convert("L" if through == "I" else through)
        picture = (start.convert(through) if through != "RGB" else start).convert(mode)
    (item,) = gather(picture)
    assert isinstance(item, GivenItem)
    assert isinstance(item.data, bytes), item.error
    found = Image.open(io.BytesIO(item.data))
    assert (found.format, found.mode, found.size) == (layout, stored, picture.size)
    whole = picture.convert(stored) if stored != mode else picture
    assert found.tobytes() == whole.tobytes()


def test_an_open_picture_in_rgb_becomes_pixels_and_one_with_a_clear_colour_a_file() -> None:
    (item,) = gather(Image.fromarray(ARRAY))
    assert isinstance(item, GivenItem)
    assert isinstance(item.data, np.ndarray)
    picture = Image.fromarray(ARRAY)
    picture.info["transparency"] = (1, 2, 3)
    (item,) = gather(picture)
    assert isinstance(item, GivenItem)
    assert isinstance(item.data, bytes)
    assert Image.open(io.BytesIO(item.data)).info["transparency"] == (1, 2, 3)


def test_an_open_picture_stands_upright() -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(ARRAY).save(file, "PNG", exif=exif)
    (item,) = gather(Image.open(file))
    assert isinstance(item, GivenItem)
    assert isinstance(item.data, np.ndarray)
    np.testing.assert_array_equal(item.data, ARRAY[::-1, ::-1])


def test_a_profile_travels_with_its_picture() -> None:
    picture = Image.fromarray(ARRAY)
    picture.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (item,) = gather(picture)
    assert isinstance(item, GivenItem)
    assert isinstance(item.data, bytes)
    assert Image.open(io.BytesIO(item.data)).info["icc_profile"] == picture.info["icc_profile"]


class Damaged(Image.Image):
    """An open picture that cannot be read any more."""

    def __init__(self, reason: Exception) -> None:
        super().__init__()
        self._mode, self._size, self._reason = "RGB", (2, 2), reason

    def load(self) -> None:
        raise self._reason


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (OSError(" cut \n off\there "), "damaged or truncated (cut off here)"),
        (ValueError(), "damaged or truncated (ValueError)"),
        (ValueError("x" * 120), f"damaged or truncated ({'x' * 120})"),
        (ValueError("x" * 121), f"damaged or truncated ({'x' * 119}…)"),
    ],
    ids=["spaces", "no words", "120 signs", "121 signs"],
)
def test_the_reason_of_an_open_picture_is_one_short_line(fault: Exception, error: str) -> None:
    (item,) = gather(Damaged(fault))
    assert isinstance(item, GivenItem)
    assert item.error == error
