"""ONNX Runtime, the engine that predicts. In: the bytes of an ONNX file. Out: arrays. Next: bundle.py.

One thread inside a session and one batch per core outside it is quicker here than many threads on one batch: each
core keeps its own small batch in its cache (175 against 100 pictures a second on two AVX2 cores, docs/results.md).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tellapart.errors import ModelFileError

BATCH = 8  # pictures; larger batches fall out of the core's cache and run slower


def cores() -> int:
    """How many cores this process may use; at least 1. Containers and `taskset` often allow fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


class Session:
    """One ONNX network on the CPU. `run` may be called from several threads at once."""

    def __init__(self, model: bytes | Path, *, source: str) -> None:
        """Raises: ModelFileError when ONNX Runtime cannot load `model`; `source` names it in the message."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
            )
        # ONNX Runtime raises a dozen classes of its own for a graph it cannot load.
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelFileError(
                f"{source} cannot be loaded by ONNX Runtime {onnxruntime.__version__} ({reason}). "
                "Train it again, or upgrade onnxruntime."
            ) from None
        self.inputs = {item.name: tuple(item.shape) for item in self._session.get_inputs()}
        self.outputs = {item.name: tuple(item.shape) for item in self._session.get_outputs()}

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """Run uint8 pictures [N, H, W, 3] and return the named outputs, each float32 [N, ...]."""
        result: list[NDArray[np.float32]] = self._session.run(list(outputs), {"image": images})
        return result
