"""Numbers as they are told: seven significant digits. In: a number, or arrays. Out: the same, rounded. Next: plain.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_DIGITS = 7  # a float32 carries seven significant decimal digits
_FEW = 24  # numbers that take less one by one than NumPy's calls for all of them
_POWERS = np.array([10.0**power for power in range(-16, _DIGITS + 1)])
_WHOLE = np.array([10.0**power for power in range(23)])  # all of which are exact


def figure(value: float) -> float:
    """The nearest number with seven significant digits."""
    return float(f"{value:.{_DIGITS}g}")


def figures(values: NDArray[Any]) -> NDArray[np.float64]:
    """The same of an array [...], all at once: whole numbers of seven digits, over a power of ten."""
    found = np.asarray(values, dtype=np.float64)
    flat = found.reshape(-1)
    if len(flat) <= _FEW:
        return np.array([figure(value) for value in flat.tolist()], dtype=np.float64).reshape(found.shape)
    place = np.searchsorted(_POWERS, flat, side="right") - 1
    usual = (place >= 0) & (place < len(_POWERS) - 1)
    scale = _WHOLE[np.clip(_DIGITS - 1 - (place - 16), 0, 22)]
    scaled = np.where(usual, flat, 0) * scale
    whole = np.rint(scaled)
    told = whole / scale
    # Below 1e-16, from 1e7, below 0, no number; or so near the middle of two that the product's own rounding could decide.
    for index in np.flatnonzero(~usual | (np.abs(np.abs(scaled - whole) - 0.5) < 1e-6)).tolist():
        told[index] = figure(flat[index])
    return np.asarray(told.reshape(found.shape), dtype=np.float64)
