"""Embeddings by OpenVINO, where it is asked for. In: a network's file. Out: OpenVinoEngine, or why there is none. Next: extract.py.

In bfloat16 it takes half of ONNX Runtime's time on processors that compute in it, and gives other numbers than the file that
ships; what that costs is in docs/results.md.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.openvino_session import Find, OpenVinoSession, Precision, Refused
from tellapart.runtime import cores

BATCH = 4  # pictures; like ONNX Runtime's, more fall out of the core's cache


class OpenVinoEngine:
    """The CPU: a stream of OpenVINO a core, each on a small batch of its own."""

    batch = BATCH

    def __init__(self, network: Path, *, precision: Precision, size: int, find: Find = importlib.import_module) -> None:
        """Compile `network`, which takes uint8 [N, size, size, 3], and try it. Raises: Refused."""
        self._session = OpenVinoSession(network, precision=precision, find=find)
        self.name = self._session.name
        self.workers = cores()
        (tried,) = self._session.tried(np.zeros((1, size, size, 3), dtype=np.uint8), ["embedding"])
        if tried.ndim != 2 or len(tried) != 1:
            raise Refused(f"{self._session.called} gives {tried.shape} of one picture, not one vector")

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures [B, S, S, 3] to embeddings [B, D]."""
        (embedding,) = self._session.run(images, ["embedding"])
        return embedding
