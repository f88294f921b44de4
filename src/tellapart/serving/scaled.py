"""Pixels that a client has scaled, as Keras' tutorials do. In: floats, what the server accepts. Out: uint8. Next: tensors.py.

A model of ours takes pixels of 0 to 255 and scales them itself. What a client sends as fractions cannot be told from a dark
picture, so it is taken only where the server was told how it was scaled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tellapart.serving.bodies import shown
from tellapart.serving.refusals import Refusal

Accept = Literal["bytes", "scaled01", "scaled11"]
ACCEPTED: tuple[Accept, ...] = get_args(Accept)
REMEDY = "A server that is to take scaled ones is started with --accept scaled01 (0 to 1) or scaled11 (-1 to 1)"
_RANGES: Mapping[Accept, tuple[float, float]] = {"scaled01": (0.0, 1.0), "scaled11": (-1.0, 1.0)}
_BEYOND = 0.01  # of the range; resizing bicubically overshoots by less than that in most pictures
_MOST_DEPTH = 4


def to_pixels(values: NDArray[np.floating[Any]], accept: Accept, name: str) -> NDArray[np.uint8]:
    """Pixels [...] of scaled values [...], rounded. Raises: Refusal for values outside the range, or that are no numbers."""
    low, high = _RANGES[accept]
    least, most = (float(values.min()), float(values.max())) if values.size else (low, high)
    beyond = _BEYOND * (high - low)
    if not (math.isfinite(least) and math.isfinite(most)) or least < low - beyond or most > high + beyond:
        raise Refusal(
            f"input {shown(name)!r} holds values from {least:g} to {most:g}; this server takes {low:g} to {high:g} "
            f"(--accept {accept}), or whole numbers from 0 to 255 as UINT8."
        )
    scaled = (values.astype(np.float64) - low) * (255.0 / (high - low))
    return np.rint(np.clip(scaled, 0.0, 255.0)).astype(np.uint8)


def told_range(accept: Accept) -> str:
    """Which numbers are taken as pixels, in words."""
    if accept == "bytes":
        return "0 to 255"
    low, high = _RANGES[accept]
    return f"{low:.0f} to {high:.0f} (--accept {accept})"


def from_lists(values: Sequence[Any], accept: Accept, name: str) -> NDArray[np.uint8]:
    """Pixels of nested lists of scaled numbers, at most four deep. Raises: Refusal where they are none."""
    shape, flat = [len(values)], list(values)
    while flat and isinstance(flat[0], list):
        lengths = {len(one) if isinstance(one, list) else -1 for one in flat}
        if len(lengths) != 1 or len(shape) == _MOST_DEPTH:
            raise _no_numbers(name)
        shape.append(lengths.pop())
        flat = [inner for one in flat for inner in one]
    if any(type(one) not in (int, float) for one in flat):
        raise _no_numbers(name)
    try:
        numbers = np.array(flat, dtype=np.float64)
    except OverflowError:
        raise _no_numbers(name) from None
    return to_pixels(numbers.reshape(shape), accept, name)


def _no_numbers(name: str) -> Refusal:
    return Refusal(
        f"{shown(name)!r} must hold numbers in lists of equal length, at most {_MOST_DEPTH} deep: RGB pixels, scaled as the server "
        "was told."
    )
