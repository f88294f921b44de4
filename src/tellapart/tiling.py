"""Where overlapping tiles of a picture lie, and their pixels. In: its size, its pixels. Out: Parts, uint8 tiles. Next: runtime.py.

A large picture with small things is shown to a network in squares of its own pixels. This is the only place that cuts: training,
evaluation, command line and server come through here. Shapes: S side of a tile in pixels of the network's input.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.preprocessing import RESAMPLING, Preprocessing, mean_colour

Beyond: TypeAlias = Literal["colour", "mirror"]  # what a tile shows beyond the picture's right and lower edge


class TilePart(NamedTuple):
    """A part of a picture, in its pixels; it may reach beyond the right and the lower edge of a small one."""

    left: float
    top: float
    right: float
    bottom: float


def tile_parts(width: int, height: int, preprocessing: Preprocessing) -> list[TilePart]:
    """What the tiles of an upright picture of that size show, row by row, each S x S once it is scaled.

    They are as few as cover it, evenly laid, and any two neighbours share at least `preprocessing.overlap` pixels of the input.
    """
    across, down = scaled_size(width, height, preprocessing)
    wide, high = width / across, height / down  # pixels of the picture in one of the input
    size, overlap = preprocessing.size, preprocessing.overlap
    return [
        TilePart(left * wide, top * high, (left + size) * wide, (top + size) * high)
        for top in tile_starts(down, size, overlap)
        for left in tile_starts(across, size, overlap)
    ]


def tile_starts(length: int, size: int, overlap: int) -> list[int]:
    """Where tiles of `size` begin along `length`, all in pixels; the last one ends where the picture does, if it is larger."""
    if length <= size:
        return [0]
    steps = math.ceil((length - size) / (size - overlap))
    return [round(number * (length - size) / steps) for number in range(steps + 1)]


def part_around(
    box: tuple[float, float, float, float], width: int, height: int, preprocessing: Preprocessing
) -> TilePart:
    """A tile of a picture of that size with a box, left, top, right and bottom, in its middle as far as the picture allows."""
    first = tile_parts(width, height, preprocessing)[0]
    left = min(max((box[0] + box[2] - first.right) / 2, 0.0), max(width - first.right, 0.0))
    top = min(max((box[1] + box[3] - first.bottom) / 2, 0.0), max(height - first.bottom, 0.0))
    return TilePart(round(left), round(top), round(left) + first.right, round(top) + first.bottom)


def scaled_size(width: int, height: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """How wide and high a picture of that size is in pixels of the network's input."""
    return max(1, round(width * preprocessing.scale)), max(1, round(height * preprocessing.scale))


def cut_part(
    image: Image.Image, part: TilePart, preprocessing: Preprocessing, beyond: Beyond = "colour"
) -> NDArray[np.uint8]:
    """The pixels of a part of an upright RGB picture, uint8 [S, S, 3]; what lies beyond it is of the mean colour, or mirrored."""
    size = preprocessing.size
    inside = (max(part.left, 0.0), max(part.top, 0.0), min(part.right, image.width), min(part.bottom, image.height))
    across = round(size * (inside[2] - inside[0]) / (part.right - part.left))
    down = round(size * (inside[3] - inside[1]) / (part.bottom - part.top))
    if preprocessing.scale == 1.0:
        shown = image.crop((round(inside[0]), round(inside[1]), round(inside[2]), round(inside[3])))
    else:
        shown = image.resize((max(1, across), max(1, down)), RESAMPLING[preprocessing.interpolation], box=inside)
    pixels = np.asarray(shown)
    right, below = size - shown.width, size - shown.height
    if right == below == 0:
        return pixels
    if beyond == "mirror":
        return np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="reflect")
    filled = np.empty((size, size, 3), dtype=np.uint8)
    filled[:] = mean_colour(preprocessing)
    filled[: shown.height, : shown.width] = pixels
    return filled
