"""How a picture looks at a glance: dark, light, blurred, empty. In: a decoded picture. Out: Looks, its kinds. Next: inspection.py.

Measures and limits are those of CleanVision 0.3.7 (Apache-2.0), on grey pixels; the package itself would bring pandas and
read every file once more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Oddity: TypeAlias = Literal["one colour", "odd shape", "odd size", "dark", "light", "low information", "blurry"]

ODD_SHAPE = 0.35  # shorter over longer side below which a shape is odd
_DARK, _LIGHT = 0.32, 0.95  # brightness, of 1
_ENTROPY = 1.5  # bits of grey; CleanVision's 3 are of three channels together, which adds log2(3) where they agree
_BLURRED, _FLAT, _PER_LEVEL = 0.29, 0.18, 0.01
_LEVELS = np.arange(256)
_SQUARES = _LEVELS * _LEVELS
_SIDE = 64  # pixels at most, where blur is looked for


class Looks(NamedTuple):
    """What one picture looks like."""

    brightest: float  # all but one pixel in a hundred are at most this bright, in [0, 1]
    darkest: float  # all but one in twenty are at least this bright
    entropy: float  # bits of the grey levels, 0 to 8
    edges: float  # standard deviation of the edges at 64 pixels, in grey levels
    crowding: float  # standard deviation of how often each grey level occurs there
    one_colour: bool


def look_at(image: Image.Image, grey: Image.Image) -> Looks:
    """Measure a picture, RGB, and the same in grey."""
    counts = np.array(grey.histogram())
    upward, pixels = counts.cumsum(), grey.width * grey.height
    brightest, darkest = upward.searchsorted((0.99 * pixels, 0.05 * pixels)).tolist()
    small, crowded = grey, counts
    if max(grey.size) > _SIDE:
        ratio = max(grey.size) / _SIDE
        small = grey.resize((max(1, int(grey.width // ratio)), max(1, int(grey.height // ratio))), reducing_gap=3.0)
        crowded = np.array(small.histogram())
    # By sums of squares, in whole numbers: ten times as quick as NumPy's std on so few.
    edges = np.array(small.filter(ImageFilter.FIND_EDGES).histogram())
    return Looks(
        brightest=brightest / 255,
        darkest=darkest / 255,
        entropy=grey.entropy() + 0.0,
        edges=_deviation(int(edges @ _LEVELS), int(edges @ _SQUARES), int(edges.sum())),
        crowding=_deviation(int(crowded.sum()), int(crowded @ crowded), len(crowded)),
        one_colour=int(counts.max()) == pixels and _is_plain(image),
    )


def _deviation(total: int, squares: int, count: int) -> float:
    return math.sqrt(max(0, squares * count - total * total)) / count


def kinds(looks: Looks, *, width: int, height: int, deep: bool) -> list[Oddity]:
    """What is odd about a picture by itself. How bright one of more than 8 bits is depends on the range, and is not told."""
    if looks.one_colour:
        return ["one colour"]
    found: list[Oddity] = []
    if min(width, height) < ODD_SHAPE * max(width, height):
        found.append("odd shape")
    if looks.brightest < _DARK and not deep:
        found.append("dark")
    if looks.darkest > _LIGHT and not deep:
        found.append("light")
    if looks.entropy < _ENTROPY:
        found.append("low information")
    elif _sharpness(looks) < _BLURRED and "odd shape" not in found:  # of a strip too little is left at 64 pixels
        found.append("blurry")
    return found


def size_limits(areas: Sequence[float] | NDArray[np.integer]) -> tuple[float, float]:
    """From which to which area, in pixels, a picture of a set has a usual size.

    The limits are those of a box plot, three times the box beyond it, of the square roots of the areas; but at least from a third
    of the median to three times it.
    """
    sides = np.sqrt(np.array(areas, dtype=np.float64))
    first, median, third = np.percentile(sides, (25, 50, 75))
    reach = 3 * (third - first)
    return max(0.0, min(first - reach, median / 3)) ** 2, max(third + reach, 3 * median) ** 2


def _sharpness(looks: Looks) -> float:
    """From 0, blurred, to 1. A picture with few grey levels has few edges and is not blurred for that."""
    crowding = 1 - math.exp(-_PER_LEVEL * looks.crowding)
    return min(1.0, 1 - math.exp(-_PER_LEVEL * looks.edges) + (0.0 if crowding <= _FLAT else crowding))


def _is_plain(image: Image.Image) -> bool:
    """Whether all pixels of an RGB picture have one colour."""
    return max(sum(1 for count in band.histogram() if count) for band in image.split()) == 1
