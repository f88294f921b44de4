"""Pictures far from square: how many, and what a crop of the middle leaves of them. In: sizes. Out: numbers. Next: survey.py."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

ELONGATED = (
    1.52  # longer over shorter side: 3:2, the longest that cameras take, and what rounding adds to it (341 x 512)
)
MANY_ELONGATED = 0.05  # share of a data set from which on the middle alone is not taken for granted

_Size = tuple[int, int]  # width and height in pixels


def is_elongated(size: _Size) -> bool:
    """Whether a picture is longer than 3:2."""
    return max(size) > ELONGATED * min(size)


def share_elongated(sizes: Sequence[_Size]) -> float:
    """The share of pictures longer than 3:2; 0 of none."""
    return sum(map(is_elongated, sizes)) / len(sizes) if sizes else 0.0


def unseen(sizes: Sequence[_Size]) -> float:
    """The median share of the elongated pictures that lies beside a square in the middle; 0 where there is none."""
    lost = [1 - min(size) / max(size) for size in sizes if is_elongated(size)]
    return statistics.median(lost) if lost else 0.0
