"""The values of arrays as pixels. In: arrays of pictures. Out: a Scale, uint8 or uint16 pixels. Next: arrays.py.

Arrays do not say what is black and white. Bytes are pixels as they are; other numbers are read by the values that the whole file
holds, which is told; what may mean two things is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError

_BYTE, _DEEP = 255, 65535
_DARK = 128  # whole numbers that stay below half of a byte have a white of their own
_PART = 64 * 1024**2  # values looked at together


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How a value becomes a pixel: (value - black) * factor, rounded."""

    black: float = 0.0
    factor: float = 1.0
    deep: bool = False  # pixels have 16 bits
    note: str = ""  # in words, where it is not plain


def find_scale(stacks: Iterable[NDArray[np.generic]], path: str) -> Scale:
    """One scale for all arrays of pictures in a file.

    Raises: DataError where values are no numbers, or may mean several things.
    """
    others = [stack for stack in stacks if stack.size and stack.dtype != np.uint8]
    if not others:
        return Scale()
    if all(stack.dtype == np.bool_ for stack in others):
        return Scale(factor=_BYTE, note="its pictures are true and false, taken as white and black")
    low, high, whole = _limits(others, path)
    if low >= 0 and whole and high > 1:
        return _whole_numbers(high, grey=all(stack.ndim == 3 or stack.shape[-1] == 1 for stack in others), path=path)
    if low >= 0 and high <= 1:
        return Scale(factor=_BYTE, note="its values lie between 0 and 1, taken as black and white")
    if low >= -1 and high <= 1:
        return Scale(black=-1.0, factor=_BYTE / 2, note="its values lie between -1 and 1, taken as black and white")
    if low >= 0 and _DARK < high <= _BYTE:
        return Scale(note="its values are fractions between 0 and 255, rounded to whole numbers")
    raise DataError(
        f"the pictures in {path!r} have values from {low:g} to {high:g}, which says nothing of black and white. Save them as "
        "uint8 from 0 to 255, or as numbers from 0 to 1."
    )


def as_pixels(picture: NDArray[np.generic], scale: Scale) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Pixels [H, W], [H, W, 3] or [H, W, 4] of one picture of any of the shapes that an array holds."""
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    if picture.dtype == np.uint8:
        return np.ascontiguousarray(picture, dtype=np.uint8)
    values = np.rint((picture.astype(np.float64) - scale.black) * scale.factor)
    if scale.deep:
        return np.clip(values, 0, _DEEP).astype(np.uint16)
    return np.clip(values, 0, _BYTE).astype(np.uint8)


def _whole_numbers(high: float, *, grey: bool, path: str) -> Scale:
    if high <= _DARK:
        return Scale(
            factor=_BYTE / high, note=f"its values are whole numbers from 0 to {high:g}, taken as black and white"
        )
    if high <= _BYTE:
        return Scale()
    if high <= _DEEP and grey:
        return Scale(deep=True, note=f"its pictures have up to 16 bits: whole numbers up to {high:g}")
    most = "65535" if grey else "255, for colours,"
    raise DataError(
        f"the pictures in {path!r} have whole numbers up to {high:g}, where {most} is the most. Divide "
        "them, and save them as uint8 from 0 to 255."
    )


def _limits(stacks: Iterable[NDArray[np.generic]], path: str) -> tuple[float, float, bool]:
    """The lowest and the highest value, and whether none has a fraction. Raises: DataError for what is no number."""
    low, high, whole = math.inf, -math.inf, True
    for stack in stacks:
        rows = max(1, _PART // max(1, math.prod(stack.shape[1:])))
        for first in range(0, len(stack), rows):
            part = np.asarray(stack[first : first + rows])
            low, high = min(low, float(part.min())), max(high, float(part.max()))
            if whole and part.dtype.kind == "f":
                whole = bool((part == np.rint(part)).all())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError(
            f"the pictures in {path!r} hold values that are not finite numbers. Replace them, with numpy.nan_to_num for instance."
        )
    return low, high, whole
