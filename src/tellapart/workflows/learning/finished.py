"""A trained network becomes a candidate that answers as its model.onnx will. In: a network. Out: Candidate. Next: strategies.py."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import safetensors.torch
from numpy.typing import NDArray

from tellapart.data.examples import PictureFile
from tellapart.errors import DataError
from tellapart.evaluation.choosing import LinearCandidate
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.embedding import embed_pictures
from tellapart.models.build import network_state
from tellapart.models.scaffold import take_down
from tellapart.models.staged import StagedNetwork
from tellapart.models.tracing import export_embedding
from tellapart.reporter import Reporter
from tellapart.runs.run import WORK, Run
from tellapart.storage import write_bytes
from tellapart.tasks.prepared import Prepared
from tellapart.training.progress import Fitted, how_it_went


def finish_network(
    prepared: Prepared, fitted: Fitted, pictures: Sequence[PictureFile], run: Run, reporter: Reporter
) -> LinearCandidate:
    """Export a trained network and answer for `pictures` through the exported file alone, over all views of a picture.

    Raises: BackboneError, StorageError; TypeError for a network that is no linear classifier on an embedding.
    """
    work, network, views = run.folder / WORK, prepared.network, run.settings.network.test_time_augmentation
    if not isinstance(network, StagedNetwork):
        raise TypeError(
            f"a trained {type(network).__name__} has no linear classifier on an embedding, which a candidate is made of. "
            "Give a StagedNetwork."
        )
    take_down(network)
    with reporter.step("Exporting the network", 1) as advance:
        tensors = {key: value.detach().contiguous() for key, value in network_state(network).items()}
        weights = safetensors.torch.save(tensors)
        write_bytes(work / "weights.safetensors", weights)
        export_embedding(network, size=prepared.preprocessing.size, path=work / "network.onnx", views=views)
        advance(1)
    backbone = ReadyBackbone(
        name=prepared.name,
        network=work / "network.onnx",
        weights=work / "weights.safetensors",
        preprocessing=prepared.preprocessing,
        embedding=network.embedding,
        weights_source=prepared.source,
        weights_license=prepared.license,
        fingerprint=hashlib.sha256(weights).hexdigest(),
        reused=False,
        seconds=0.0,
        test_time_augmentation=views,
        pooling=network.pooling,
    )
    return LinearCandidate(
        strategy=prepared.strategy,
        backbone=backbone,
        weight=tensors["classifier.weight"].numpy().astype(np.float32),
        bias=tensors["classifier.bias"].numpy().astype(np.float32),
        embeddings=EmbedOnce(pictures, backbone, reporter),
        details=how_it_went(fitted),
    )


class EmbedOnce:
    """Embeddings of pictures by row through the exported file; what was asked for once is kept."""

    def __init__(self, pictures: Sequence[PictureFile], backbone: ReadyBackbone, reporter: Reporter) -> None:
        self._pictures, self._backbone, self._reporter = pictures, backbone, reporter
        self._known: dict[int, NDArray[np.float32]] = {}

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows [n] to embeddings [n, D]. Raises: DataError when a picture can no longer be read."""
        missing = np.array([row for row in rows.tolist() if row not in self._known], dtype=np.int64)
        if len(missing):
            pictures = [self._pictures[row] for row in missing]
            features = embed_pictures(pictures, self._backbone, "cpu", None, self._reporter)
            if features.problems:
                row, problem = next(iter(features.problems.items()))
                raise DataError(
                    f"{pictures[row].path}: {problem}. Scoring needs it; put it back as it was, and resume the run."
                )
            self._known.update(zip(missing.tolist(), features.vectors, strict=True))
        return np.stack([self._known[row] for row in rows.tolist()])
