"""Embeddings of less precision, brought near those that ship. In: some pictures' both. Out: all. Next: embedding.py.

Rounding moves an embedding in ways that the embedding itself tells in part: the weights are rounded once, for every picture alike.
A linear map, learned from a few hundred pictures embedded both ways, predicts a number's error from all numbers. A slope and an
offset for each number alone predict too little of it (docs/results.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KNOWN = 300  # pictures that are embedded both ways
FEWEST = 2 * KNOWN  # training pictures below which the whole set is embedded in float32 sooner

_PENALTY = 1.0  # on the map, beside a mean squared number of 1
_AT_ONCE = 4096  # rows


def correct(vectors: NDArray[np.float32], known: NDArray[np.int64], exact: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors [N, D] of less precision to [N, D] without the error that ridge regression predicts; the rows `known` become `exact`.

    `exact` [n, D] are the same pictures as vectors[known], in float32. Rows that are NaN stay so.
    Source: ridge regression in its dual form, Saunders et al. 1998, eq. 9, on standardised numbers, the penalty 1 x D.
    """
    own = vectors[known].astype(np.float64)
    mean, scale = own.mean(axis=0), own.std(axis=0) + 1e-6
    inputs = (own - mean) / scale
    error = exact - own
    offset, size = error.mean(axis=0), inputs.shape[1]
    dual = np.linalg.solve(inputs @ inputs.T / size + _PENALTY * np.eye(len(inputs)), error - offset)
    corrected = np.empty_like(vectors)
    for start in range(0, len(vectors), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        likeness = ((vectors[rows] - mean) / scale) @ inputs.T / size
        corrected[rows] = vectors[rows] + (likeness @ dual + offset)
    corrected[known] = exact
    return corrected
