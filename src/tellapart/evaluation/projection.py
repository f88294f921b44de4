"""Embeddings on a plane. In: vectors [N, D]. Out: points [N, 2]. Next: labels.py."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

_COMPONENTS = 50  # van der Maaten and Hinton's own first step
_PERPLEXITY = 30.0
_STEPS = 500  # of gradient descent; beyond it dots hardly move
_LEAST = 4  # below it there are no neighbours to keep together


def project(vectors: NDArray[np.floating], *, seed: int) -> NDArray[np.float64]:
    """Points [N, 2] in [0, 1], near each other where the embeddings [N, D] are; distances far apart say little.

    Principal components, then t-SNE (van der Maaten and Hinton 2008; Barnes-Hut 2014), by cosine distance. Fewer than four
    rows are put on a line.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    count = len(vectors)
    if count < _LEAST:
        line = np.linspace(0.2, 0.8, count) if count > 1 else np.full(count, 0.5)
        return np.stack([line, np.full(count, 0.5)], axis=1)
    values = np.asarray(vectors, dtype=np.float64)
    values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    values = values - values.mean(axis=0)
    if float(np.abs(values).max()) < 1e-9:  # one picture many times
        return np.full((count, 2), 0.5)
    kept = min(_COMPONENTS, count - 1, values.shape[1])
    solver: Literal["randomized", "full"] = "randomized" if kept < min(values.shape) // 2 else "full"
    values = PCA(kept, svd_solver=solver, random_state=seed).fit_transform(values)
    method = TSNE(
        perplexity=min(_PERPLEXITY, (count - 1) / 3),
        init="pca" if values.shape[1] > 1 else "random",
        max_iter=_STEPS,
        random_state=seed,
    )
    points = method.fit_transform(values).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    spread: NDArray[np.float64] = (points - low) / np.maximum(high - low, 1e-9)
    return spread
