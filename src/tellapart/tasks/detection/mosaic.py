"""Several pictures with their boxes become one. In: pictures of a side, boxes. Out: one such picture, its boxes. Next: pictures.py.

Shapes: S side of a picture in pixels, n boxes of a picture. Boxes are float32 [n, 6]: class, left, top, right, bottom in pixels,
and 1 for a difficult one, else 0. Sources: Bochkovskiy et al. 2020, arXiv 2004.10934 (four in one, "mosaic"); Zhang et al. 2019,
arXiv 1902.04103 (mixup with the boxes of both).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PARTS = 4
KEPT = 0.25  # of a box, or of how much of its picture is seen, below which it is left out
_NEAREST = 0.3  # shares of the side, from an edge to the point where the four parts meet


class PartShown(NamedTuple):
    """A picture and what is in it."""

    pixels: NDArray[np.uint8]  # [S, S, 3]
    boxes: NDArray[np.float32]  # [n, 6]


def mosaic(parts: Sequence[PartShown], *, across: float, down: float) -> PartShown:
    """Four pictures in the quarters of one, upper left, upper right, lower left, lower right; [S, S, 3].

    They meet at a point that `across` and `down`, in [0, 1), choose; each is made as small as fills its part, and what does not
    fit into it is cut off at the outer edges. Raises: ValueError for another number of pictures.
    """
    if len(parts) != PARTS:
        raise ValueError(f"{len(parts)} pictures; a mosaic is of {PARTS}")
    side = len(parts[0].pixels)
    column, row = (round(side * (_NEAREST + (1 - 2 * _NEAREST) * share)) for share in (across, down))
    whole, boxes = np.empty_like(parts[0].pixels), []
    for number, part in enumerate(parts):
        left, right = (column, side) if number % 2 else (0, column)
        top, bottom = (row, side) if number // 2 else (0, row)
        small = max(right - left, bottom - top)
        resized = Image.fromarray(part.pixels).resize((small, small), Image.Resampling.BILINEAR)
        # The corner at the meeting point stays: what is cut off lies at the picture's outer edges.
        x, y = (left if number % 2 else right - small), (top if number // 2 else bottom - small)
        whole[top:bottom, left:right] = np.asarray(resized)[top - y : bottom - y, left - x : right - x]
        boxes.append(_within(part.boxes, small / side, (x, y), (left, top, right, bottom)))
    return PartShown(whole, np.concatenate(boxes))


def blended(first: PartShown, second: PartShown, share: float) -> PartShown:
    """`share` of the first and the rest of the second, [S, S, 3], with the boxes of whichever is at least a quarter of it."""
    mixed = share * first.pixels.astype(np.float32) + (1 - share) * second.pixels.astype(np.float32)
    seen = [one.boxes for one, part in ((first, share), (second, 1 - share)) if part >= KEPT]
    return PartShown(np.rint(mixed).astype(np.uint8), np.concatenate(seen))


def _within(
    boxes: NDArray[np.float32], scale: float, moved: tuple[int, int], part: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Boxes made `scale` times as large, moved, and clipped to their part; without those of which less than a quarter is left."""
    whole = boxes.copy()
    whole[:, 1:5] = boxes[:, 1:5] * scale + np.array([*moved, *moved], dtype=np.float32)
    clipped = whole.copy()
    clipped[:, 1:5:2] = whole[:, 1:5:2].clip(part[0], part[2])
    clipped[:, 2:5:2] = whole[:, 2:5:2].clip(part[1], part[3])
    left = _areas(clipped)
    return clipped[(left > 0) & (left >= KEPT * _areas(whole))]


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((boxes[:, 3] - boxes[:, 1]) * (boxes[:, 4] - boxes[:, 2]))
