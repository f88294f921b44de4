"""The values of a mask's file. In: files in every mode. Out: its numbers or colours, or why it can be none."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tellapart.data.mask_pixels import count, cut_in_the_middle, read_values
from tellapart.errors import PictureError
from tests.data.mask_data import halves


def encoded(image: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def of(pixels: NDArray[Any], kind: str = "PNG") -> bytes:
    return encoded(Image.fromarray(pixels), kind)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "PPM"])
def test_grey_values_stay_numbers(kind: str) -> None:
    found = read_values(of(halves(3, 9), kind))
    # A GIF has a palette of greys, in which they have other numbers.
    assert (found.values, found.coloured, found.palette) == ((3, 9), False, ())
    np.testing.assert_array_equal(found.indices, halves(0, 1))
    assert found.size == (12, 8)


def test_values_of_one_two_and_four_bytes_and_one_bit() -> None:
    assert read_values(encoded(Image.fromarray(halves(0, 255)).convert("1"))).values == (0, 255)
    assert read_values(of(halves(0, 1).astype(np.uint16) * 26_001)).values == (0, 26_001)
    assert read_values(of(halves(0, 1).astype(np.int32) * 70_000, "TIFF")).values == (0, 70_000)
    assert read_values(of(halves(0, 2).astype(np.float32), "TIFF")).values == (0, 2)
    with pytest.raises(PictureError, match="values that are no whole numbers"):
        read_values(of(halves(0, 1).astype(np.float32) / 2, "TIFF"))


def test_a_palette_gives_numbers_and_their_colours() -> None:
    indexed = Image.frombytes("P", (12, 8), halves(0, 2).tobytes())
    indexed.putpalette([0, 0, 0, 1, 1, 1, 128, 0, 7])
    found = read_values(encoded(indexed))
    assert (found.values, found.palette) == ((0, 2), (0, 0x800007))


def test_colours_are_packed_and_greys_in_three_channels_are_numbers() -> None:
    colours = np.array([[0, 0, 0], [1, 2, 3]], dtype=np.uint8)[halves(0, 1)]
    found = read_values(of(colours))
    assert (found.values, found.coloured) == ((0, 0x010203), True)
    np.testing.assert_array_equal(found.indices, halves(0, 1))
    grey = read_values(of(np.repeat(halves(0, 7)[..., None], 3, axis=2)))
    assert (grey.values, grey.coloured) == ((0, 7), False)


def test_alpha_is_looked_at_only_where_it_alone_says_something() -> None:
    colours = np.array([[0, 0, 0, 9], [1, 2, 3, 200]], dtype=np.uint8)[halves(0, 1)]
    assert read_values(of(colours)).values == (0, 0x010203)
    black = np.array([[0, 0, 0, 0], [0, 0, 0, 255]], dtype=np.uint8)[halves(0, 1)]
    assert read_values(of(black)).values == (0, 255)


def test_a_mask_s_own_exif_turns_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = read_values(encoded(Image.fromarray(halves(0, 1)), exif=exif))
    np.testing.assert_array_equal(found.indices, np.rot90(halves(0, 1), -1))


def test_jpeg_is_refused_with_the_reason() -> None:
    with pytest.raises(
        PictureError, match="saved as JPEG, which changes values along every edge. Save the original as PNG"
    ):
        read_values(of(halves(0, 255), "JPEG"))
    with pytest.raises(PictureError, match="saved as WEBP, which changes"):
        read_values(encoded(Image.fromarray(halves(0, 255)).convert("RGB"), "WEBP", quality=50))
    with pytest.raises(PictureError, match="saved as TIFF with JPEG in it"):
        read_values(encoded(Image.fromarray(halves(0, 255)), "TIFF", compression="jpeg"))
    assert read_values(encoded(Image.fromarray(halves(0, 255)).convert("RGB"), "WEBP", lossless=True)).values == (
        0,
        255,
    )


def test_a_photo_is_no_mask() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with pytest.raises(PictureError, match="more than 256 different values, as a photo has"):
        read_values(of(noise))
    with pytest.raises(PictureError, match="different values that change from pixel to pixel, as in a photo"):
        read_values(of(noise[..., 0] // 4 + 60))
    # Many values in areas are a mask.
    areas = np.repeat(np.repeat(np.arange(64, dtype=np.uint8).reshape(8, 8), 8, axis=0), 8, axis=1)
    assert len(read_values(of(areas)).values) == 64


def test_smoothed_black_and_white_is_known_and_cut() -> None:
    disc = np.zeros((64, 64), dtype=np.uint8)
    disc[20:44, 20:44] = 255
    blurred = Image.fromarray(disc).filter(ImageFilter.GaussianBlur(1))
    found = read_values(encoded(blurred))
    assert found.smoothed
    np.testing.assert_array_equal(cut_in_the_middle(found).indices, (np.asarray(blurred) >= 128).astype(np.uint8))
    classes = disc.copy()
    classes[:, :2], classes[:, 2:4], classes[:, 4:6] = 1, 2, 120
    assert not read_values(of(classes)).smoothed


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_what_is_no_picture_is_no_mask(data: bytes) -> None:
    with pytest.raises(PictureError):
        read_values(data)


def test_pixels_are_counted_by_index() -> None:
    assert count(halves(0, 2), 3) == (48, 0, 48)
