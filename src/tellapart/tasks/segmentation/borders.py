"""How well borders between classes agree. In: masks, true and told. Out: pixels that agree, distances. Next: judging.py.

A pixel is on its class's border where one of its four neighbours counts and is of another class; at the picture's edge nobody
knows what is beyond. H rows, W columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.mask_files import IGNORED

TOLERANCE = 2  # pixels that a border may be off and still agree
PERCENTILE = 95.0

Flags = NDArray[np.bool_]
Values = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class BorderMatch:
    """The border of one class in one picture."""

    told: int  # pixels of the told border
    right: int  # of them, so many are near a true one
    true: int
    found: int  # of the true ones, so many are near a told one
    distance: (
        float  # Hausdorff's, of 95 % of the pixels, in pixels; NaN where one of the masks has no border of the class
    )


def border_of(mask: Values, label: int) -> Flags:
    """Pixels of a class that touch a pixel of another one, [H, W]; 255 is no class."""
    inside, other = mask == label, (mask != label) & (mask != IGNORED)
    touches = np.zeros(mask.shape, dtype=np.bool_)
    touches[1:] |= other[:-1]
    touches[:-1] |= other[1:]
    touches[:, 1:] |= other[:, :-1]
    touches[:, :-1] |= other[:, 1:]
    return np.asarray(inside & touches)


def match_borders(true: Values, told: Values, label: int, *, tolerance: float = TOLERANCE) -> BorderMatch:
    """Compare the border of a class in two masks [H, W].

    Sources: boundary F1 of one class, Csurka et al. 2013, What is a good evaluation measure for semantic segmentation?, BMVC,
    section 3.2, with a tolerance in pixels; the 95th percentile of Hausdorff's distance, the larger of both directions, as in
    Taha and Hanbury 2015, BMC Medical Imaging 15:29.
    """
    borders = border_of(true, label), border_of(told, label)
    counts = [int(one.sum()) for one in borders]
    if not all(counts):
        return BorderMatch(told=counts[1], right=0, true=counts[0], found=0, distance=float("nan"))
    away, missed = _distances(borders[1], borders[0]), _distances(borders[0], borders[1])
    return BorderMatch(
        told=counts[1],
        right=int((away <= tolerance).sum()),
        true=counts[0],
        found=int((missed <= tolerance).sum()),
        distance=float(max(np.percentile(one, PERCENTILE) for one in (away, missed))),
    )


def _distances(of: Flags, to: Flags) -> NDArray[np.float64]:
    """How far each pixel of `of` is from the nearest of `to`, in pixels."""
    from scipy import ndimage

    # Nothing outside the box around both is nearer.
    rows, columns = (np.flatnonzero((of | to).any(axis=axis)) for axis in (1, 0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    distances: NDArray[np.float64] = ndimage.distance_transform_edt(~to[box])
    return distances[of[box]]
