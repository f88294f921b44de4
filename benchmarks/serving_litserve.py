"""LitServe as its guide has it: base64, batches, a process a core. In: model.onnx. Out: labels. Next: serving.py."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import litserve
import numpy as np

from tellapart.bundle import open_model
from tellapart.preprocessing import load


class Classify(litserve.LitAPI):
    """The hooks in the order in which a request meets them."""

    def setup(self, device: str) -> None:
        self.model = open_model(Path(os.environ["MODEL"]))  # a session of one thread; there is a worker a core

    def decode_request(self, request: dict[str, str]) -> np.ndarray:
        return load(base64.b64decode(request["image"]), self.model.preprocessing)

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        return np.stack(inputs)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.compute(x if x.ndim == 4 else x[None], ("probabilities", "novelty"))["probabilities"]

    def unbatch(self, output: np.ndarray) -> list[np.ndarray]:
        return list(output)

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        row = output.reshape(-1)
        best = int(row.argmax())
        return {"label": self.model.manifest.classes[best], "probability": float(row[best])}


if __name__ == "__main__":
    api = Classify(max_batch_size=int(os.environ["BATCH"]), batch_timeout=0.0)
    workers = int(os.environ["WORKERS"])
    server = litserve.LitServer(api, accelerator="cpu", devices=1, workers_per_device=workers, fast_queue=True)
    server.run(
        host="127.0.0.1", port=int(os.environ["PORT"]), num_api_servers=1, log_level="error", generate_client_file=False
    )
