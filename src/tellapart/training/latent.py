"""Sparse rows as short dense ones: latent semantic analysis. In: CSR [N, F]. Out: vectors [N, D]. Next: ngram_probe.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = 50
_SPARE, _ROUNDS = 10, 3  # directions worked out besides those wanted, and rounds that make them better


def latent(matrix: Any, *, most: int = DIRECTIONS, seed: int = 0) -> NDArray[np.float32]:
    """Each row of SciPy's CSR [N, F] by the directions in which rows differ most, float32 [N, D], D at most `most`.

    A truncated singular value decomposition, as Deerwester et al. 1990 (JASIS 41) have it for texts, by the randomised method of
    Halko, Martinsson and Tropp 2011, arXiv 0909.4061, algorithm 4.4. Rows with nothing in them are 0.
    """
    count = max(1, min(most, *matrix.shape))
    width = min(count + _SPARE, *matrix.shape)
    if width == 0:
        return np.zeros((matrix.shape[0], 1), dtype=np.float32)
    draw, turned = np.random.default_rng(seed), matrix.T.tocsr()
    rows = np.asarray(matrix @ draw.standard_normal((matrix.shape[1], width), dtype=np.float32))
    for _ in range(_ROUNDS):  # rows are fewer than n-grams, so that they are what is kept orthogonal
        rows = np.asarray(matrix @ np.asarray(turned @ np.linalg.qr(rows)[0]))
    rows = np.linalg.qr(rows)[0]
    across = np.asarray(turned @ rows)
    squares, within = np.linalg.eigh(across.T @ across)
    sizes = np.sqrt(np.maximum(squares[::-1], 0))[:count]
    found: NDArray[np.float32] = (rows @ within[:, ::-1][:, :count] * sizes).astype(np.float32)
    return found
