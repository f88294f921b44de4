"""Classes against classes, as cells or as an image. In: counts [K, K]. Out: CrossTable. Next: advice.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.reporting.facts import CrossTable
from tellapart.reporting.pictures import pixel_address

FEW_CLASSES = 30  # up to here it is a table
_DIAGONAL, _OFF = (11, 98, 168), (194, 65, 12)  # as --cell and --miss in report.css
_FAINTEST = 50  # of 255: a single picture must be seen, too


def cross_table(
    classes: Sequence[str],
    counts: NDArray[np.int64],
    totals: NDArray[np.int64] | None = None,
    *,
    off_is_wrong: bool = True,
) -> CrossTable:
    """Counts [K, K] and their shares of `totals` [K], by default of the rows' sums.

    Of many classes there is an image of a pixel a cell too; off the diagonal it has the colour of mistakes where
    `off_is_wrong`.
    """
    whole = counts.sum(axis=1) if totals is None else totals
    rates = counts / np.maximum(whole[:, None], 1)
    image = None
    if len(classes) > FEW_CLASSES:
        pixels = np.zeros((*counts.shape, 4), dtype=np.uint8)
        pixels[..., :3] = _OFF if off_is_wrong else _DIAGONAL
        pixels[np.arange(len(classes)), np.arange(len(classes)), :3] = _DIAGONAL
        pixels[..., 3] = np.where(counts > 0, _FAINTEST + np.rint((255 - _FAINTEST) * rates), 0)
        image = pixel_address(pixels)
    return CrossTable(classes=list(classes), counts=counts.tolist(), rates=rates.tolist(), image=image)
