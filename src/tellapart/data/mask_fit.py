"""A mask laid on its picture: turned as EXIF turns it, at its size. In: indices. Out: indices, what was done. Next: masks.py."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.data.box_turning import exchanges_sides

Size = tuple[int, int]  # width and height in pixels


class Laid(NamedTuple):
    """How a mask comes to lie on its picture."""

    turned: int  # EXIF's orientation by which it is turned; 1: not at all
    kind: Literal["", "turned", "perhaps turned", "scaled"]  # what a person should know of it


def how_to_lay(mask: Size, picture: Size, orientation: int) -> Laid | None:
    """For a mask and an upright picture of these sizes, which EXIF turned by `orientation`; None where they do not fit.

    A mask of another size but the same shape is scaled. Which way a mask was drawn that fits either way nobody knows: it is
    taken as drawn on the upright picture.
    """
    if mask == picture:
        return Laid(1, "perhaps turned" if orientation != 1 else "")
    stored = mask[::-1]
    if exchanges_sides(orientation) and stored == picture:
        return Laid(orientation, "turned")
    if _same_shape(mask, picture):
        return Laid(1, "scaled")
    if exchanges_sides(orientation) and _same_shape(stored, picture):
        return Laid(orientation, "scaled")
    return None


def _same_shape(mask: Size, picture: Size) -> bool:
    """Whether one is the other at another size, but for the rounding of a side."""
    return min(mask) > 0 and (
        abs(mask[0] * picture[1] / picture[0] - mask[1]) <= 1 or abs(mask[1] * picture[0] / picture[1] - mask[0]) <= 1
    )


def lay(indices: NDArray[np.uint8], size: Size, turned: int) -> NDArray[np.uint8]:
    """The indices [H, W] turned by EXIF's orientation and at the size of the picture, (0, 0) for their own; nearest neighbours.

    Source: EXIF 2.32, tag 274.
    """
    found = _turn(indices, turned)
    if size == (0, 0) or size == (found.shape[1], found.shape[0]):
        return found
    across = _nearest(found.shape[1], size[0])
    down = _nearest(found.shape[0], size[1])
    return found[down][:, across]


def _nearest(there: int, wanted: int) -> NDArray[np.int64]:
    """Of `wanted` pixels the one of `there` in which the middle of each lies."""
    places = (2 * np.arange(wanted, dtype=np.int64) + 1) * there // (2 * wanted)
    return np.minimum(places, there - 1)


def _turn(indices: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    found = indices.T if orientation in (5, 6, 7, 8) else indices
    if orientation in (2, 3, 6, 7):
        found = found[:, ::-1]
    if orientation in (3, 4, 7, 8):
        found = found[::-1]
    return found
