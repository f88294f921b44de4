"""Heat by covering: what must be hidden for the class to fall. In: a picture, predict. Out: a heatmap. Next: gradients.py.

Works with every network. Shapes: N pictures, S side of the picture, K classes, P positions of the window a side.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.explanation.activation import scaled
from tellapart.explanation.faithfulness import Predict
from tellapart.runtime import BATCH

_WINDOW = 1 / 6  # of the side
_STRIDE = 1 / 14  # of the side: 13 x 13 windows


def occlusion(
    image: NDArray[np.uint8], target: int, *, predict: Predict, background: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """How far the log-odds of class `target` fall, on average, while each place is covered: float32 [P, P] in [0, 1].

    A square of the colour `background`, uint8 [3], goes over the picture uint8 [S, S, 3]. Log-odds, since a probability
    of 0.9999 hardly falls however much is covered. Source: Zeiler and Fergus 2013, arXiv 1311.2901, section 4.2.
    """
    side = len(image)
    window, stride = max(1, round(_WINDOW * side)), max(1, round(_STRIDE * side))
    starts = np.unique([*range(0, side - window, stride), side - window])
    places = [(top, left) for top in starts for left in starts]
    whole = log_odds(predict(image[None]), target)[0]
    falls = np.empty(len(places), dtype=np.float32)
    for first in range(0, len(places), 4 * BATCH):
        part = places[first : first + 4 * BATCH]
        covered = np.repeat(image[None], len(part), axis=0)
        for one, (top, left) in zip(covered, part, strict=True):
            one[top : top + window, left : left + window] = background
        falls[first : first + len(part)] = whole - log_odds(predict(covered), target)
    return scaled(_mean_over(places, falls, side=side, window=window, positions=len(starts)))


def log_odds(probabilities: NDArray[np.float32], target: int) -> NDArray[np.float64]:
    """log(p / (1 - p)) of one column of probabilities [N, K]: float64 [N].

    1 - p is the sum of the others, which keeps its digits where p rounds to 1.
    """
    least = np.finfo(np.float32).tiny
    others = np.delete(probabilities.astype(np.float64), target, axis=1).sum(axis=1)
    found: NDArray[np.float64] = np.log(np.maximum(probabilities[:, target], least)) - np.log(np.maximum(others, least))
    return found


def _mean_over(
    places: list[tuple[int, int]], falls: NDArray[np.float32], *, side: int, window: int, positions: int
) -> NDArray[np.float64]:
    """The mean fall of all windows that cover a point, for the middles of P x P equal cells: [P, P]."""
    middles = (np.arange(positions) + 0.5) * side / positions
    total, count = np.zeros((positions, positions)), np.zeros((positions, positions))
    for (top, left), fall in zip(places, falls, strict=True):
        rows = (middles >= top) & (middles < top + window)
        columns = (middles >= left) & (middles < left + window)
        inside = np.outer(rows, columns)
        total += fall * inside
        count += inside
    mean: NDArray[np.float64] = total / np.maximum(count, 1)
    return mean
