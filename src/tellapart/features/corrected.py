"""Embeddings of less precision, brought near those that ship. In: some pictures' both. Out: all. Next: embedding.py.

A part of what rounding does to a number is the same in every picture, since the weights are rounded once: a few hundred pictures
embedded both ways tell a slope and an offset for each number. A map from all numbers to each predicts more of the error, and the
classifier was none the better for it (docs/results.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KNOWN = 300  # pictures that are embedded both ways
FEWEST = 1000  # training pictures; below, embedding KNOWN of them twice costs more than bfloat16 saves of the others

_CONSTANT = 1e-9  # a number whose squared deviation is below this part of its mean square has no slope


def correct(vectors: NDArray[np.float32], known: NDArray[np.int64], exact: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors [N, D] of less precision to [N, D], each number on its least-squares line; the rows `known` become `exact`.

    `exact` [n, D] are the same pictures as vectors[known], in float32. Rows that are NaN stay so, and numbers that never vary
    in those rows get an offset only.
    """
    own = vectors[known].astype(np.float64)
    mean, target = own.mean(axis=0), exact.mean(axis=0, dtype=np.float64)
    moved = own - mean
    spread = np.square(moved).sum(axis=0)
    varies = spread > _CONSTANT * np.square(own).sum(axis=0)
    slope = np.ones_like(mean)
    np.divide((moved * (exact - target)).sum(axis=0), spread, out=slope, where=varies)
    corrected = np.asarray(vectors * slope + (target - slope * mean), dtype=np.float32)
    corrected[known] = exact
    return corrected
