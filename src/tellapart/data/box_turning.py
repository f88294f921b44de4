"""Boxes drawn on a picture as it is stored, on the upright one. In: a file, boxes. Out: boxes. Next: box_repair.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from tellapart.data.targets import Box
from tellapart.errors import PictureError
from tellapart.picture_files import open_picture
from tellapart.sources.reading import read_bytes

_QUARTER = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
_RIGHT_TO_LEFT = (2, 3, 6, 7)  # those whose upright x runs against what it is taken from
_BOTTOM_TO_TOP = (3, 4, 7, 8)


def orientation_of(path: Path) -> int:
    """EXIF's orientation of a picture's file, 1 to 8; 1, upright, where it says nothing or cannot be read."""
    try:
        found = open_picture(read_bytes(path)).getexif().get(0x0112, 1)
        return int(found) if int(found) in range(1, 9) else 1
    except (OSError, PictureError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError):
        return 1


def exchanges_sides(orientation: int) -> bool:
    """Whether the upright picture is as wide as the stored one is high."""
    return orientation in _QUARTER


def upright(boxes: Sequence[Box], orientation: int, *, width: float, height: float) -> list[Box]:
    """Boxes of the stored picture as those of the upright one, which is `width` x `height` pixels. Source: EXIF 2.32, tag 274."""
    return [_upright(box, orientation, width, height) for box in boxes]


def _upright(box: Box, orientation: int, width: float, height: float) -> Box:
    across, down = (box.left, box.right), (box.top, box.bottom)
    if orientation in _QUARTER:
        across, down = down, across
    if orientation in _RIGHT_TO_LEFT:
        across = width - across[1], width - across[0]
    if orientation in _BOTTOM_TO_TOP:
        down = height - down[1], height - down[0]
    return replace(box, left=across[0], right=across[1], top=down[0], bottom=down[1])
