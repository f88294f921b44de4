"""Pictures of more than 8 bits: their values, and which are black and white. In: arrays. Out: Depth, uint8. Next: decoding.py.

A range is two numbers: the value that becomes black, and the one that becomes white. One range for a whole data set keeps
two pictures comparable; a range of each picture's own would make a dark one and a bright one look the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import PictureError

Span: TypeAlias = tuple[float, float]  # the value that is black, the value that is white

NARROW = 16  # a picture that uses less than this part of the range is nearly black, or nearly one grey
_FEW = 0.001  # share of a picture's pixels that is not worth a word: dead and hot ones
_SAMPLED = 1_000_000  # values from which the bulk of a picture is told
_STRIP_VALUES = 4_000_000
_MOST_BITS = 32
_CROWDED = 4  # where all pictures lie within this part of the bits that they use, their own limits are taken


class Depth(NamedTuple):
    """Which values one picture of more than 8 bits holds."""

    lowest: float
    low: float  # all but one pixel in a thousand are at least this
    high: float  # and at most this
    highest: float
    whole: bool  # no value has a fraction
    bits: int  # that the file says its values have; 0 where it says nothing
    windowed: bool = False  # the file says itself which of them are black and white


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deep:
    """The values of a picture of more than 8 bits, as they are stored, not yet turned upright."""

    values: NDArray[np.generic]  # [H, W] grey, or [H, W, 3] RGB; integers or floats, all finite
    usual: Span  # what is taken where no range is known
    inverted: bool = False  # the lowest value is white
    clear: float | None = None  # the value that is transparent, and becomes white
    opacity: NDArray[np.uint8] | None = None  # [H, W]; what is not opaque is mixed with white
    bits: int = 0  # that the file says its values have
    windowed: bool = False  # `usual` is what the file says

    def depth(self) -> Depth:
        """Which values it holds; of a large picture the bulk is told from a million of them, evenly spread."""
        flat = self.values.reshape(-1)
        part = flat[:: max(1, flat.size // _SAMPLED)].astype(np.float64)
        low, high = np.quantile(part, (_FEW, 1 - _FEW), method="nearest")
        return Depth(
            lowest=float(flat.min()),
            low=float(low),
            high=float(high),
            highest=float(flat.max()),
            whole=self.values.dtype.kind in "iu" or bool((part == np.rint(part)).all()),
            bits=self.bits,
            windowed=self.windowed,
        )

    def scaled(self, span: Span) -> NDArray[np.uint8]:
        """uint8 of the same shape: `span` to 0 and 255, what lies beyond is cut off."""
        low, high = span
        grey = np.empty(self.values.shape, dtype=np.uint8)
        rows = max(1, _STRIP_VALUES // max(1, self.values[0].size))  # whole, the largest picture would take 4 GB
        for top in range(0, len(self.values), rows):
            values = self.values[top : top + rows].astype(np.float64)
            scaled = np.clip((values - low) * (255.0 / max(high - low, 1e-12)), 0.0, 255.0)
            if self.inverted:
                scaled = 255.0 - scaled
            if self.clear is not None:
                scaled[values == self.clear] = 255.0
            if self.opacity is not None:
                opacity = self.opacity[top : top + rows, :, None] / 255.0
                scaled = scaled * opacity + 255.0 * (1.0 - opacity)
            grey[top : top + rows] = np.rint(scaled)
        return grey


def check_numbers(values: NDArray[np.generic]) -> Span:
    """The lowest and the highest of values of any shape. Raises: PictureError where there are values that are not numbers."""
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise PictureError("it holds values that are not numbers")
    return low, high


def find_span(depths: Sequence[Depth]) -> Span | None:
    """The range that the pictures of a data set use together; None where there is none.

    Whole numbers take the bits that are used: 0 to 4095 where the highest is 3,900. Numbers with a fraction take 0 to 1
    where they lie in it, or else their own limits. So do whole numbers that all lie in a small part of their bits, such as
    temperatures of 29,000 to 31,000. Pictures that say themselves what is black and white need no range.
    """
    if all(one.windowed for one in depths):
        return None
    lowest, highest = min(one.lowest for one in depths), max(one.highest for one in depths)
    if all(one.whole for one in depths):
        declared = max(one.bits for one in depths) if all(one.bits for one in depths) else 0
        low = 0.0 if lowest >= 0 else -float(2 ** math.ceil(math.log2(-lowest)))
        high = max(255.0, float(2 ** max(declared, _bits(highest)) - 1))
    elif lowest >= 0 and highest <= 1:
        return 0.0, 1.0
    else:
        low, high = min(0.0, lowest), highest
    part = (high - low) / _CROWDED
    if 0 < highest - lowest < part < lowest - low:
        low, high = lowest, highest
    return (low, high) if high > low else (low, low + 1.0)


def _bits(highest: float) -> int:
    """How many bits a whole number needs; 0 for none."""
    return min(_MOST_BITS, int(highest).bit_length()) if highest > 0 else 0


def outside(depth: Depth, span: Span) -> str:
    """What of a picture lies beyond a range, or that it uses next to nothing of it; "" where it fits."""
    low, high = span
    if depth.low < low or depth.high > high:
        return f"its values from {number(depth.low)} to {number(depth.high)} reach beyond the range {as_text(span)} and are cut off"
    if depth.high - low < (high - low) / NARROW:
        return f"its values up to {number(depth.high)} are less than a sixteenth of the range {as_text(span)}: it is nearly black"
    return ""


def as_text(span: Span) -> str:
    """A range as a person writes it: 0:4095."""
    return f"{number(span[0])}:{number(span[1])}"


def parse_span(text: str) -> Span:
    """The range of `LOW:HIGH`. Raises: ValueError unless these are two numbers, the lower one first."""
    low, colon, high = text.partition(":")
    try:
        span = float(low), float(high)
    except ValueError:
        span = (0.0, 0.0)
    if not colon or not all(map(math.isfinite, span)) or span[0] >= span[1]:
        raise ValueError("a range is LOW:HIGH, two numbers with the lower first, such as 0:4095")
    return span


def number(value: float) -> str:
    """A value without a fraction that it does not have: 4095, 0.25."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.6g}"
