"""Connected parts of a mask: cells, cracks, whatever is counted. In: a mask. Out: MaskParts. Next: mask_outlines.py.

NumPy alone: a mask is taken apart into runs of equal pixels, rows are joined by runs that touch, and every run ends up with the
number of the first one of its part. H rows, W columns, R runs, P parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskParts:
    """The connected parts of a mask, the first found first: from the top, then from the left."""

    labels: Numbers  # [P], value of the mask
    sizes: Numbers  # [P], pixels
    of_run: Numbers  # [R], number of the part
    starts: Numbers  # [R], where runs begin, counted over the rows; the last ends with the mask

    def sizes_of(self, label: int) -> list[int]:
        """Pixels of each part with that value, the largest first."""
        return sorted(self.sizes[self.labels == label].tolist(), reverse=True)

    def numbered(self, height: int, width: int) -> Numbers:
        """The number of the part at each pixel of the mask, [H, W]."""
        lengths = np.diff(self.starts, append=height * width)
        return np.repeat(self.of_run, lengths).reshape(height, width)


def find_parts(mask: NDArray[np.uint8]) -> MaskParts:
    """The parts of a mask [H, W] of equal values. Pixels that touch at a corner belong together (8-connectivity)."""
    height, width = mask.shape
    if not mask.size:
        empty = np.zeros(0, dtype=np.int64)
        return MaskParts(labels=empty, sizes=empty, of_run=empty, starts=empty)
    begins = np.ones(mask.shape, dtype=np.bool_)
    begins[:, 1:] = mask[:, 1:] != mask[:, :-1]
    starts = np.flatnonzero(begins)
    values, lengths = mask.reshape(-1)[starts], np.diff(starts, append=mask.size)
    first = _joined(len(starts), *_touching(starts, lengths, values, height, width))
    kept, of_run = np.unique(first, return_inverse=True)
    sizes = np.bincount(of_run, weights=lengths, minlength=len(kept)).astype(np.int64)
    return MaskParts(labels=values[kept].astype(np.int64), sizes=sizes, of_run=of_run.astype(np.int64), starts=starts)


def _touching(
    starts: Numbers, lengths: Numbers, values: NDArray[np.uint8], height: int, width: int
) -> tuple[Numbers, Numbers]:
    """Pairs of runs of equal value of which the second is in the row below the first, and touches it."""
    rows = starts // width
    of_row = np.searchsorted(rows, np.arange(height + 1))  # [H + 1], where each row's runs begin
    last = np.minimum(rows + 1, height - 1)
    low, high = of_row[last], of_row[last + 1]  # the runs of the row below
    below = starts + width
    # A run below touches where it ends no earlier than one column before, and begins no later than one after.
    ends = starts + lengths
    left = np.searchsorted(ends, below - 1, side="right")
    right = np.searchsorted(starts, below + lengths, side="right")
    left, right = np.clip(left, low, high), np.clip(right, low, high)
    counts = np.where(rows + 1 < height, np.maximum(right - left, 0), 0)
    above = np.repeat(np.arange(len(starts)), counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    under = np.repeat(left, counts) + place
    same = values[above] == values[under]
    return above[same], under[same]


def _joined(count: int, above: Numbers, under: Numbers) -> Numbers:
    """The first run of each run's part, [R]: the smaller number wins along every pair until nothing changes."""
    first = np.arange(count)
    while len(above):
        low, high = np.minimum(first[above], first[under]), np.maximum(first[above], first[under])
        differ = low != high
        if not differ.any():
            break
        above, under = above[differ], under[differ]
        np.minimum.at(first, high[differ], low[differ])
        while True:  # every run points at the end of its chain
            further = first[first]
            if np.array_equal(further, first):
                break
            first = further
    return first
