"""Shapes become pixels: polygons and run lengths. In: points, runs. Out: bool [H, W]. Next: masks_coco.py.

A pixel belongs to a shape when its middle does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.data.mask_fit import Size
from tellapart.errors import PictureError

MOST_POINTS = 1_000_000  # of one shape
_FARTHEST = 1e7  # pixels from the picture's corner


def fill_polygon(points: NDArray[np.float64], size: Size) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """The pixels inside a closed line, bool [h, w], and where their upper left corner lies: (left, top).

    `points` [N, 2] are x and y in pixels from the picture's corner; `size` is its width and height. What the line encloses twice
    is outside (even-odd). Raises: PictureError for points that are no numbers, or too many.
    """
    check_points(points)
    width, height = size
    if len(points) < 3:
        return np.zeros((0, 0), dtype=np.bool_), (0, 0)
    left, right = (int(np.clip(round(edge), 0, width)) for edge in (points[:, 0].min() - 1, points[:, 0].max() + 1))
    top, bottom = (int(np.clip(round(edge), 0, height)) for edge in (points[:, 1].min() - 1, points[:, 1].max() + 1))
    if right <= left or bottom <= top:
        return np.zeros((0, 0), dtype=np.bool_), (0, 0)
    rows, columns = _crossings(points - (left, top), right - left, bottom - top)
    # A pixel is inside where the line was crossed an odd number of times to its left.
    crossed = np.bincount(rows * (right - left + 1) + columns, minlength=(bottom - top) * (right - left + 1))
    odd = (crossed & 1).astype(np.uint8).reshape(bottom - top, right - left + 1)
    return np.bitwise_xor.accumulate(odd, axis=1)[:, :-1].astype(np.bool_), (left, top)


def check_points(points: NDArray[np.float64]) -> None:
    """Raises: PictureError for points that are no numbers, far outside of any picture, or too many."""
    if len(points) > MOST_POINTS or not np.isfinite(points).all() or np.abs(points).max(initial=0) > _FARTHEST:
        raise PictureError("a shape with points that are no numbers, far outside, or more than a million")


def _crossings(points: NDArray[np.float64], width: int, height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the edges cross the middles of rows: the rows, and the first column whose middle is not left of it, at most `width`."""
    start, end = points, np.roll(points, -1, axis=0)
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    first = np.clip(np.ceil(low - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.ceil(high - 0.5), 0, height).astype(np.int64)
    counts = last - first
    edges = np.repeat(np.arange(len(points)), counts)
    rows = np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edges]
    slope = (end[edges, 0] - start[edges, 0]) / (end[edges, 1] - start[edges, 1])
    across = start[edges, 0] + (rows + 0.5 - start[edges, 1]) * slope
    return rows, np.clip(np.ceil(across - 0.5), 0, width).astype(np.int64)


def fill_runs(counts: Sequence[int], size: Size) -> NDArray[np.bool_]:
    """Run lengths of 0, 1, 0 ... down the columns, as COCO has them, as bool [H, W].

    Raises: PictureError where they are not as many as the pixels of a picture of `size`, width and height.
    """
    runs = np.asarray(counts, dtype=np.int64)
    width, height = size
    if runs.ndim != 1 or (runs < 0).any() or int(runs.sum()) != width * height:
        raise PictureError(f"run lengths that do not add up to {width} x {height} pixels")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(width, height).T


def read_runs(text: str) -> list[int]:
    """Run lengths out of COCO's compact text. Raises: PictureError where it is none.

    Five bits a character from 48 on, the sixth says that another follows; from the fourth run on the difference to the one before
    the last. Source: the COCO API's maskApi.c, rleFrString.
    """
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 40:
            raise PictureError("run lengths in a text that is none of COCO's")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise PictureError("run lengths in a text that ends in the middle of one")
    return runs
