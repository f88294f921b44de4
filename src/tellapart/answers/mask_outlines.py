"""Outlines of a mask's parts as polygons. In: a mask, its parts. Out: Outlines. Next: mask_blending.py.

The border runs along the edges of pixels, so that a polygon's corners are whole numbers, and a part of one pixel is a square
of side 1. Corners that lie within `tolerance` pixels of the line between others are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.mask_parts import MaskParts

TOLERANCE = 1.0  # pixels: stairs of a slanting border become a line
Corner = tuple[int, int]  # x, y: pixels from the left and the top edge of the picture
_WAYS = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])  # right, down, left, up


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The border of one part; a polygon's last corner is joined to its first."""

    label: int  # value of the mask
    pixels: int  # of the part
    polygon: list[Corner]  # clockwise, as one sees it
    holes: list[list[Corner]]  # counter-clockwise

    @property
    def area(self) -> float:
        """Of the polygon without its holes, in pixels."""
        return _signed_area(self.polygon) + sum(map(_signed_area, self.holes))


def outline_parts(
    mask: NDArray[np.uint8], parts: MaskParts, *, leave_out: int | None = None, tolerance: float = TOLERANCE
) -> list[Outline]:
    """The outlines of the parts of a mask [H, W], the largest part first; none of those with the value `leave_out`.

    With a tolerance of 0 they cover exactly the pixels. MaskParts whose pixels touch at corners alone have one polygon that
    touches itself. Source of leaving out: Douglas and Peucker 1973, Cartographica 10:112-122.
    """
    numbers = parts.numbered(*mask.shape)
    found: dict[int, list[list[Corner]]] = defaultdict(list)
    for part, loop in _loops(numbers):
        if parts.labels[part] != leave_out:
            found[part].append(loop)
    outlines = []
    for part, loops in found.items():
        outer = max(loops, key=_signed_area)  # holes have a negative one
        outlines.append(
            Outline(
                label=int(parts.labels[part]),
                pixels=int(parts.sizes[part]),
                polygon=_simplified(outer, tolerance),
                holes=[_simplified(loop, tolerance) for loop in loops if loop is not outer],
            )
        )
    return sorted(outlines, key=lambda one: (-one.pixels, one.polygon[0][1], one.polygon[0][0]))


def _loops(numbers: NDArray[np.int64]) -> Iterator[tuple[int, list[Corner]]]:
    """Closed ways around each part along the edges of its pixels, the part on the right: its number, and the corners."""
    height, width = numbers.shape
    framed = np.full((height + 2, width + 2), -1, dtype=np.int64)
    framed[1:-1, 1:-1] = numbers
    middle = framed[1:-1, 1:-1]
    neighbours = (framed[:-2, 1:-1], framed[1:-1, 2:], framed[2:, 1:-1], framed[1:-1, :-2])  # above, right, below, left
    begins = ((0, 0), (1, 0), (1, 1), (0, 1))  # of the edge, clockwise around the pixel
    # (part, y, x) -> the ways on from that corner; two where pixels of a part touch at a corner.
    onward: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for way, (neighbour, (right, down)) in enumerate(zip(neighbours, begins, strict=True)):
        ys, xs = np.nonzero(middle != neighbour)
        for key in zip(middle[ys, xs].tolist(), (ys + down).tolist(), (xs + right).tolist(), strict=True):
            onward[key].append(way)
    for start in list(onward):
        while onward[start]:
            yield start[0], _walk(onward, start)


def _walk(onward: dict[tuple[int, int, int], list[int]], start: tuple[int, int, int]) -> list[Corner]:
    """One way around from `start` until it is back; the corners where it turns. What was walked is taken out."""
    part, y, x = start
    corners: list[Corner] = []
    before = -1
    while True:
        ways = onward[part, y, x]
        # Where there are two ways on, the one to the left goes around both pixels, since what touches belongs together.
        way = ways[0] if len(ways) == 1 or before < 0 else next(one for one in ways if one == (before - 1) % 4)
        ways.remove(way)
        if way != before:
            corners.append((x, y))
        before = way
        x, y = x + int(_WAYS[way][0]), y + int(_WAYS[way][1])
        if (part, y, x) == start and not _goes_on(onward[start], before):
            return corners


def _goes_on(ways: list[int], before: int) -> bool:
    """Whether the way back at its start has a second time to go through it."""
    return (before - 1) % 4 in ways


def _signed_area(corners: list[Corner]) -> float:
    """Above 0 where the corners go clockwise, as one sees them with y downwards."""
    points = np.array(corners, dtype=np.float64)
    following = np.roll(points, -1, axis=0)
    return float((points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]).sum() / 2)


def _simplified(corners: list[Corner], tolerance: float) -> list[Corner]:
    """Without corners that lie near the line between those that stay; at least three stay."""
    if tolerance <= 0 or len(corners) <= 4:
        return corners
    points = np.array(corners, dtype=np.float64)
    far = int(((points - points[0]) ** 2).sum(1).argmax())
    kept = {0, far}
    waiting = [(0, far), (far, len(corners))]
    ring = np.vstack([points, points[:1]])
    while waiting:
        begin, end = waiting.pop()
        if end - begin < 2:
            continue
        inner, line = ring[begin + 1 : end] - ring[begin], ring[end] - ring[begin]
        length = float(np.hypot(*line))
        distances = (
            np.abs(inner[:, 0] * line[1] - inner[:, 1] * line[0]) / length
            if length
            else np.hypot(inner[:, 0], inner[:, 1])
        )
        at = int(distances.argmax())
        if distances[at] > tolerance:
            middle = begin + 1 + at
            kept.add(middle)
            waiting += [(begin, middle), (middle, end)]
    order = sorted(kept)
    return [corners[at] for at in order] if len(order) > 2 else corners
