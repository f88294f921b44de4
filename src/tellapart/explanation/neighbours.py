"""The training pictures that look most alike to the network. In: embeddings. Out: rows. Next: drawing/explain_sheet.py.

Shapes: n known pictures, D embedding.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nearest(embedding: NDArray[np.float32], known: NDArray[np.float32], count: int) -> list[tuple[int, float]]:
    """The rows of `known` [n, D] most like `embedding` [D], with their cosine similarity in [-1, 1], the highest first."""
    lengths = np.linalg.norm(known, axis=1) * np.linalg.norm(embedding)
    similarities = (known @ embedding) / np.where(lengths > 0, lengths, 1)
    order = np.argsort(-similarities, kind="stable")[:count]
    return [(int(row), float(np.clip(similarities[row], -1, 1))) for row in order]
