"""Embeddings of a run's pictures, for its map and its label doctor. In: RunRecord. Out: Embedded. Next: record.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Example, PictureFile
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.embedding import embed_pictures
from tellapart.reporter import Reporter
from tellapart.runs.record import RunRecord
from tellapart.storage import cache_folder

MOST_PICTURES = 5_000  # more are drawn from
MOST_OWN = 2_000  # of a network whose embeddings are in no cache


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """Some of a run's pictures and their embeddings."""

    examples: list[Example]
    vectors: NDArray[np.float32]  # [n, D]
    n_all: int  # usable pictures of the run
    own: bool  # by the run's own network, which has learned the labels


def embed_run(run: RunRecord, cache: Cache, reporter: Reporter) -> Embedded:
    """Embeddings of at most 5,000 pictures by the pretrained network, mostly from the cache.

    A network from scratch had none before it: then its own, of at most 2,000. Raises: BackboneError, StorageError.
    """
    own = run.manifest.strategy == "scratch"
    usable = [example for example in run.examples if not example.problem and example.split]
    chosen, most = usable, MOST_OWN if own else MOST_PICTURES
    if len(usable) > most:
        drawn = np.random.default_rng(run.settings.seed).choice(len(usable), most, replace=False)
        chosen = [usable[row] for row in np.sort(drawn).tolist()]
    backbone = _own(run) if own else _pretrained(run)
    pictures = [_picture(example) for example in chosen]
    features = embed_pictures(
        pictures, backbone, "cpu", None if own else cache, reporter, title="Looking up embeddings"
    )
    kept = [row for row in range(len(chosen)) if row not in features.problems]
    return Embedded(examples=[chosen[row] for row in kept], vectors=features.vectors[kept], n_all=len(usable), own=own)


def _pretrained(run: RunRecord) -> ReadyBackbone:
    """The network that the run began with, exported again where the cache has forgotten it."""
    settings = run.settings
    weights = Path(settings.weights) if settings.weights else None
    pending = prepare_backbone(
        settings.backbone, cache=cache_folder(), weights=weights, size=settings.network.size, crop=settings.network.crop
    )
    try:
        return pending.wait()
    finally:
        pending.cancel()


def _own(run: RunRecord) -> ReadyBackbone:
    """The run's model as a backbone: it gives its embedding, too."""
    record = run.manifest.backbone
    return ReadyBackbone(
        name=record.name,
        network=run.folder / "model.onnx",
        weights=run.folder / "weights.safetensors",
        preprocessing=run.manifest.preprocessing.plain(),
        embedding=record.embedding,
        weights_source=record.weights_source,
        weights_license=record.weights_license,
        fingerprint=record.weights_fingerprint,
        reused=True,
        seconds=0.0,
    )


def _picture(example: Example) -> PictureFile:
    # Its bytes would have to be read for a hash of them; the cache mostly knows the embedding by the pixels' hash.
    return PictureFile(path=example.path, file_hash="", content_hash=example.content_hash)
