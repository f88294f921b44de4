"""What moved a picture moves its mask and boxes. In: Geometry. Out: Motion, moved masks and boxes. Next: augment.py.

Coordinates are x, y in pixels, with (0, 0) in the upper left corner of the picture; the middle of its first pixel is (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.data.transforms import Geometry, sampled_from
from tellapart.preprocessing import Preprocessing, shown_part

Points = NDArray[np.float64]  # [..., 2], x and y
Mask = TypeVar("Mask", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """Where each point of a varied picture came from."""

    side: int  # pixels, S', of the square picture that was varied
    size: int  # pixels, S, of the variant
    linear: tuple[float, float, float, float]  # a, b, c, d: source x = a x + b y + left, source y = c x + d y + top
    offset: tuple[float, float]  # left, top

    def to_source(self, points: Points) -> Points:
        """Points [..., 2] of the variant as points of the picture that was varied."""
        return points @ self._matrix.T + self.offset

    def to_variant(self, points: Points) -> Points:
        """Points [..., 2] of the picture as points of the variant; they may lie outside it."""
        return np.asarray((points - np.array(self.offset)) @ np.linalg.inv(self._matrix).T)

    @property
    def _matrix(self) -> Points:
        return np.array(self.linear, dtype=np.float64).reshape(2, 2)


def into_square(points: NDArray[np.floating], *, width: int, height: int, preprocessing: Preprocessing) -> Points:
    """Points [..., 2] of an upright picture of that size, in its pixels, as points of what `preprocessing.prepare` makes of it.

    Those lie outside 0 to `preprocessing.size` where the part that the network sees does not hold them.
    """
    left, top, right, bottom = shown_part(width, height, preprocessing)
    scale = preprocessing.size / (right - left), preprocessing.size / (bottom - top)
    return np.asarray((np.asarray(points, dtype=np.float64) - (left, top)) * scale)


def motion_of(geometry: Geometry, *, side: int, size: int) -> Motion:
    """How `transforms.reshape` moves a square picture of `side` pixels to one of `size` pixels."""
    a, b, left, c, d, top = sampled_from(geometry, side, size)
    matrix, offset = np.array([[a, b], [c, d]]), np.array([left, top])
    back, middle = np.eye(2), size / 2
    # The last step first: a quarter turn anticlockwise is undone by one clockwise, which takes (x, y) to (-y, x).
    for _ in range(geometry.quarter_turns % 4):
        back = np.array([[0.0, -1.0], [1.0, 0.0]]) @ back
    back = np.diag([-1.0 if geometry.mirrored else 1.0, -1.0 if geometry.flipped else 1.0]) @ back
    # Turns and flips are about the middle of the variant.
    offset = offset + matrix @ (middle - back @ np.array([middle, middle]))
    matrix = matrix @ back
    return Motion(
        side=side,
        size=size,
        linear=(float(matrix[0, 0]), float(matrix[0, 1]), float(matrix[1, 0]), float(matrix[1, 1])),
        offset=(float(offset[0]), float(offset[1])),
    )


def move_mask(mask: NDArray[Mask], motion: Motion, *, fill: int) -> NDArray[Mask]:
    """The mask [S, S] of a variant, from that of the picture, [S', S'], by the nearest pixel.

    What comes from outside the picture has the value `fill`, also where the variant's pixels continue it as in a mirror:
    the value that a loss ignores. Raises: ValueError for a mask of another shape than the picture.
    """
    if mask.shape != (motion.side, motion.side):
        raise ValueError(f"the mask is {mask.shape}, the picture {(motion.side, motion.side)}")
    middles = np.arange(motion.size) + 0.5
    points = np.stack(np.meshgrid(middles, middles), axis=-1)  # [S, S, 2]
    columns, rows = np.moveaxis(np.floor(motion.to_source(points)).astype(np.int64), -1, 0)
    inside = (columns >= 0) & (columns < motion.side) & (rows >= 0) & (rows < motion.side)
    moved = np.full((motion.size, motion.size), fill, dtype=mask.dtype)
    moved[inside] = mask[rows[inside], columns[inside]]
    return moved


def move_boxes(
    boxes: NDArray[np.floating], motion: Motion, *, keep: float = 0.25
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Boxes [N, 4] (left, top, right, bottom) of a picture, as those of its variant, [M, 4], and which they were, [M].

    A moved box is the upright one around the four moved corners, clipped to the variant. One is left out when less than the
    share `keep` of its area, or nothing, is within the variant.
    """
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]  # [N, 4, 2]
    moved = motion.to_variant(corners)
    whole = np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1)
    clipped = whole.clip(0, motion.size)
    left = _areas(clipped)
    kept = np.flatnonzero((left > 0) & (left >= keep * _areas(whole)))
    return clipped[kept], kept


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N]"""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
