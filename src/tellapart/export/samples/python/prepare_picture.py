"""A picture file becomes the network's input, with Pillow. In: bytes. Out: uint8 [S, S, 3]. Next: usual_faults.py.

Settings are those of preprocessing.json. Needs numpy and Pillow; nothing of tellapart.
"""

from __future__ import annotations

import io
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

Settings = dict[str, Any]
Pixels = NDArray[np.uint8]
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
GAP = 3.0  # pictures this many times too large are first averaged in whole blocks, which Pillow does itself


class ShownPart(NamedTuple):
    """What an input shows of the whole upright picture, in its pixels; it may reach beyond."""

    left: float
    top: float
    right: float
    bottom: float


def decode(data: bytes, settings: Settings) -> tuple[Image.Image, int, int]:
    """Upright RGB, and width and height of the whole picture: a large JPEG is decoded smaller.

    Pictures of more than 8 bits a channel are left to tellapart.
    """
    image = Image.open(io.BytesIO(data))
    width, height = image.size
    if settings["fit"] not in ("tile", "crop_or_pad"):
        image.draft(None, (2 * settings["size"], 2 * settings["size"]))
    upright = ImageOps.exif_transpose(image)
    if (upright.width < upright.height) != (width < height):
        width, height = height, width
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        with_alpha = upright.convert("RGBA")
        upright = Image.new("RGB", upright.size, "white")
        upright.paste(with_alpha, mask=with_alpha)
    return _in_srgb(upright, settings), width, height


def _in_srgb(image: Image.Image, settings: Settings) -> Image.Image:
    """RGB as the colour profile means it, where the model's pictures are read so."""
    profile = image.info.get("icc_profile") if settings["colour"] == "srgb" else None
    if not profile or image.mode not in ("RGB", "L", "CMYK"):
        return image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        changed = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except ImageCms.PyCMSError:  # a broken profile, or one for other colours
        return image.convert("RGB")
    return changed or image.convert("RGB")


def parts(width: int, height: int, settings: Settings) -> list[ShownPart]:
    """What each input of a picture of that size shows: one part, or tiles row by row."""
    size, fit = settings["size"], settings["fit"]
    if fit == "tile":
        return _tiles(width, height, settings)
    if fit == "pad":
        across, down = _padded(width, height, size)
        wide, high = width / across, height / down
        left, top = -((size - across) // 2) * wide, -((size - down) // 2) * high
        return [ShownPart(left, top, left + size * wide, top + size * high)]
    if fit == "crop_or_pad":
        left, top = int((width - size) / 2), int((height - size) / 2)
        return [ShownPart(left, top, left + size, top + size)]
    share = size / max(size, math.floor(size / settings["crop"]))
    if fit == "squash":
        left, top = (1 - share) / 2 * width, (1 - share) / 2 * height
        return [ShownPart(left, top, width - left, height - top)]
    side = min(width, height) * share
    left, top = (width - side) / 2, (height - side) / 2
    return [ShownPart(left, top, left + side, top + side)]


def prepare(image: Image.Image, part: ShownPart, settings: Settings) -> Pixels:
    """The input for one part of a decoded picture, uint8 [S, S, 3]; `part` counts for tiles alone."""
    size, fit = settings["size"], settings["fit"]
    resampling = FILTERS[settings["interpolation"]]
    if fit == "tile":
        return _cut(image, part, settings)
    if fit == "pad":
        across, down = _padded(image.width, image.height, size)
        square = Image.new("RGB", (size, size), _colour(settings))
        inner = image.resize((across, down), resampling, reducing_gap=GAP)
        square.paste(inner, ((size - across) // 2, (size - down) // 2))
        return np.asarray(square)
    (box,) = parts(image.width, image.height, settings)
    if fit == "crop_or_pad":
        left, top, right, bottom = map(int, box)
        square = Image.new("RGB", (size, size), _colour(settings))
        inner = image.crop((max(0, left), max(0, top), min(image.width, right), min(image.height, bottom)))
        square.paste(inner, (max(0, -left), max(0, -top)))
        return np.asarray(square)
    return np.asarray(image.resize((size, size), resampling, box=box, reducing_gap=GAP))


def _padded(width: int, height: int, size: int) -> tuple[int, int]:
    longer = max(width, height)
    return max(1, round(size * width / longer)), max(1, round(size * height / longer))


def _colour(settings: Settings) -> tuple[int, int, int]:
    red, green, blue = (round(255 * one) for one in settings["mean"])
    return red, green, blue


def _tiles(width: int, height: int, settings: Settings) -> list[ShownPart]:
    size, scale = settings["size"], settings["scale"]
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    wide, high = width / across, height / down
    return [
        ShownPart(left * wide, top * high, (left + size) * wide, (top + size) * high)
        for top in _starts(down, size, settings["overlap"])
        for left in _starts(across, size, settings["overlap"])
    ]


def _starts(length: int, size: int, overlap: int) -> list[int]:
    if length <= size:
        return [0]
    steps = math.ceil((length - size) / (size - overlap))
    return [round(number * (length - size) / steps) for number in range(steps + 1)]


def _cut(image: Image.Image, part: ShownPart, settings: Settings) -> Pixels:
    size = settings["size"]
    inside = (max(part.left, 0.0), max(part.top, 0.0), min(part.right, image.width), min(part.bottom, image.height))
    across = max(1, round(size * (inside[2] - inside[0]) / (part.right - part.left)))
    down = max(1, round(size * (inside[3] - inside[1]) / (part.bottom - part.top)))
    if settings["scale"] == 1.0:
        left, top, right, bottom = (round(one) for one in inside)
        shown = image.crop((left, top, right, bottom))
    else:
        shown = image.resize((across, down), FILTERS[settings["interpolation"]], box=inside)
    pixels = np.asarray(shown)
    below, beside = size - shown.height, size - shown.width
    if settings["beyond"] == "mirror":
        return np.pad(pixels, ((0, below), (0, beside), (0, 0)), mode="reflect")
    filled = np.empty((size, size, 3), dtype=np.uint8)
    filled[:] = _colour(settings)
    filled[: shown.height, : shown.width] = pixels
    return filled
