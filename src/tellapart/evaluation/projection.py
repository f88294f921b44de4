"""Embeddings on a plane. In: vectors [N, D]. Out: points [N, 2]. Next: layout.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.layout import lay_out, nearest

_COMPONENTS = 50  # van der Maaten and Hinton's own first step
_NEIGHBOURS = 15
_LEAST = 4  # below it there are no neighbours to keep together
_ALL = 256  # of so short a side all components are worked out
_SPARE, _ROUNDS = 10, 4  # components worked out besides those wanted, and rounds that make them better
_SMALL = 1e-4  # how far the points begin apart: small against the kernel, which is 1 wide
_SHAKEN = 1e-6  # so that equal rows, and rows on a line, can part


def project(vectors: NDArray[np.floating], *, seed: int) -> NDArray[np.float64]:
    """Points [N, 2] in [0, 1], near each other where the embeddings [N, D] are; distances far apart say little.

    Principal components, then t-SNE from the first two of them, by cosine distance; see layout.py. Fewer than four rows are put
    on a line.
    """
    count = len(vectors)
    if count < _LEAST:
        line = np.linspace(0.2, 0.8, count) if count > 1 else np.full(count, 0.5)
        return np.stack([line, np.full(count, 0.5)], axis=1)
    values = np.asarray(vectors, dtype=np.float64)
    values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    values = values - values.mean(axis=0)
    if float(np.abs(values).max()) < 1e-9:  # one picture many times
        return np.full((count, 2), 0.5)
    draw = np.random.default_rng(seed)
    kept = principal_components(values.astype(np.float32), min(_COMPONENTS, count - 1, values.shape[1]), draw)
    begin = _SHAKEN * draw.standard_normal((count, 2), dtype=np.float32)
    begin[:, : kept.shape[1]] += kept[:, :2] * (_SMALL / kept[:, 0].std())
    points = lay_out(begin, nearest(kept, min(_NEIGHBOURS, (count - 1) // 3))).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    spread: NDArray[np.float64] = (points - low) / np.maximum(high - low, 1e-9)
    return spread


def principal_components(centred: NDArray[np.float32], count: int, draw: np.random.Generator) -> NDArray[np.float32]:
    """Coordinates [N, count] along the directions of most variance, the largest of each positive; rows have mean 0.

    Of large arrays by Halko, Martinsson and Tropp 2011, arXiv 0909.4061, algorithm 4.4.
    """
    basis = None
    if min(centred.shape) > _ALL:
        basis = draw.standard_normal((centred.shape[1], count + _SPARE), dtype=np.float32)
        for _ in range(_ROUNDS):
            basis = np.linalg.qr(centred.T @ (centred @ basis))[0]
    left, sizes, _ = np.linalg.svd(centred if basis is None else centred @ basis, full_matrices=False)
    found = left[:, :count] * sizes[:count]
    largest = found[np.abs(found).argmax(axis=0), np.arange(count)]
    signed: NDArray[np.float32] = found * np.where(largest < 0, -1, 1).astype(np.float32)
    return signed
