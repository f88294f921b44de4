"""Small pictures for a page. In: files, arrays. Out: addresses that decode to them."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from tellapart.reporting.pictures import address, pixel_address, sprites, thumbnails


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text.partition("base64,")[2])))


def test_thumbnails_are_upright_fit_and_say_what_is_gone(tmp_path: Path) -> None:
    picture = Image.new("RGB", (300, 150), (200, 0, 0))
    turned = Image.Exif()
    turned[0x0112] = 6
    picture.save(tmp_path / "wide.png")
    picture.save(tmp_path / "turned.jpg", exif=turned)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    names = ("wide.png", "turned.jpg", "broken.png", "gone.png")
    found = thumbnails([tmp_path / name for name in names], side=60)
    assert [None if image is None else image.size for image in found] == [(60, 30), (30, 60), None, None]


def test_an_address_holds_the_picture() -> None:
    colour = np.full((20, 30, 3), (10, 200, 30), dtype=np.uint8)
    image = opened(address(colour))
    assert image.format == "JPEG"
    assert image.size == (30, 20)
    assert np.abs(np.asarray(image).astype(int) - colour).max() <= 3


def test_pixels_are_exact() -> None:
    values = np.random.default_rng(0).integers(0, 256, (7, 5, 4), dtype=np.uint8)
    assert (np.asarray(opened(pixel_address(values))) == values).all()


def test_sprites_stand_row_by_row_in_the_middle_of_their_squares() -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (0, 250, 250)]
    images = [Image.new("RGB", (40, 40), colour) for colour in colours]
    images[1] = Image.new("RGB", (40, 20), colours[1])
    sheet = sprites([*images[:3], None, *images[4:]], side=20)
    pixels = np.asarray(opened(sheet.address)).astype(int)
    assert (sheet.side, sheet.columns, pixels.shape) == (20, 3, (40, 60, 3))
    for number in (0, 1, 2, 4):
        top, left = number // 3 * 20 + 10, number % 3 * 20 + 10
        assert np.abs(pixels[top, left] - colours[number]).max() < 12
    assert np.abs(pixels[2, 30] - 128).max() < 12  # above the flat one
    assert np.abs(pixels[30, 10] - 128).max() < 12  # the missing one
