"""Bring one relief exactly onto another. In: reliefs, an affine map nearly right. Out: a better one. Next: same_scene.py.

Landmarks stand on whole pixels, and a few wrong ones bend the map; where the pictures themselves agree, they tell it better.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tellapart.data.landmarks import RELIEF, SIDE

_ENOUGH = 1e-3
_SMOOTHED = 3  # pixels, so that an edge is felt from some way off


def refine(
    first: NDArray[np.uint8], second: NDArray[np.uint8], matrix: NDArray[np.float64], *, iterations: int
) -> NDArray[np.float64] | None:
    """The affine map [2, 3] in pixels at SIDE that lays the first relief best on the second; None where there is none near.

    Source: Evangelidis and Psarakis 2008, enhanced correlation coefficient.
    """
    scale = RELIEF / SIDE
    start = matrix.copy()
    start[:, 2] *= scale
    back = np.asarray(cv2.invertAffineTransform(start), dtype=np.float32)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, iterations, _ENOUGH)
    everywhere = np.full(first.shape, 255, dtype=np.uint8)
    try:
        _, refined = cv2.findTransformECC(second, first, back, cv2.MOTION_AFFINE, stop, everywhere, _SMOOTHED)
    except cv2.error:  # it drifted away, or one of them is plain
        return None
    found = np.asarray(cv2.invertAffineTransform(np.asarray(refined, dtype=np.float64)), dtype=np.float64)
    found[:, 2] /= scale
    return found if bool(np.isfinite(found).all()) else None
