"""How well masks agree, of pixels that were counted. In: a matrix of counts. Out: figures. Next: candidates.py.

Shapes: K classes; a matrix [K, K] counts pixels by true class (row) and answered class (column).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.targets import IGNORED

FIGURE = "iou"  # the first of the figures, by which epochs and candidates are judged


def count_pixels(truth: NDArray[np.integer], answer: NDArray[np.integer], class_count: int) -> NDArray[np.int64]:
    """Pixels by true and answered class, [K, K], of arrays [...] alike; those that are IGNORED in `truth` are left out."""
    counted = truth != IGNORED
    pairs = truth[counted].astype(np.int64) * class_count + answer[counted]
    return np.bincount(pairs, minlength=class_count * class_count).reshape(class_count, class_count)


def figures_of(counts: NDArray[np.number]) -> dict[str, float]:
    """Mean IoU and mean Dice over the classes that occur or are answered, and the share of pixels that are right."""
    both = np.diag(counts).astype(np.float64)
    true, said = counts.sum(1), counts.sum(0)
    there = true + said > 0
    if not there.any():
        return {FIGURE: 0.0, "dice": 0.0, "pixel_accuracy": 0.0}
    either = (true + said - both)[there]
    return {
        FIGURE: float((both[there] / either).mean()),
        "dice": float((2 * both[there] / (true + said)[there]).mean()),
        "pixel_accuracy": float(both.sum() / max(1, counts.sum())),
    }
