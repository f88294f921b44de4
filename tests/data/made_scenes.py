"""Pictures with detail enough to find again, and variations of them as people make them."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from tellapart.data.landmarks import Landmarks, find_landmarks


def made_scene(seed: int, *, width: int = 240, height: int = 180) -> Image.Image:
    """Rectangles and discs of random places, sizes and greys over a smooth ground; one of each seed."""
    random = np.random.default_rng(seed)
    ground = Image.fromarray(random.integers(60, 190, (6, 8), dtype=np.uint8)).resize((width, height))
    pixels = np.asarray(ground, dtype=np.float32).copy()
    down, across = np.mgrid[:height, :width]
    for number in range(90):
        x, y, size, grey = (
            random.uniform(0, width),
            random.uniform(0, height),
            random.uniform(4, 18),
            random.uniform(0, 255),
        )
        inside = (
            (across - x) ** 2 + (down - y) ** 2 < size**2
            if number % 2
            else (abs(across - x) < size) & (abs(down - y) < size / 2)
        )
        pixels[inside] = grey
    return Image.fromarray(pixels.astype(np.uint8)).convert("RGB").filter(ImageFilter.GaussianBlur(0.8))


def turned(picture: Image.Image, degrees: float) -> Image.Image:
    """As Keras does it: by any angle, with what was outside drawn out from the border."""
    pad = max(picture.size)
    drawn = Image.fromarray(np.pad(np.asarray(picture), ((pad, pad), (pad, pad), (0, 0)), mode="edge"))
    left, top = pad, pad
    return drawn.rotate(degrees, Image.Resampling.BILINEAR).crop(
        (left, top, left + picture.width, top + picture.height)
    )


def cropped(picture: Image.Image, share: float) -> Image.Image:
    """The middle of it, brought back to the same size."""
    width, height = picture.size
    left, top = width * (1 - share) / 2, height * (1 - share) / 2
    return picture.resize(picture.size, Image.Resampling.BILINEAR, box=(left, top, width - left, height - top))


def landmarks(picture: Image.Image) -> Landmarks:
    """Those of it."""
    return find_landmarks(picture)
