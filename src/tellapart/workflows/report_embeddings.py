"""Embeddings of a run's pictures, for its map and its label doctor. In: RunRecord. Out: Embedded. Next: report_pictures.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Example
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.engine import open_engine
from tellapart.features.extract import Picture, extract
from tellapart.preprocessing import Preprocessing
from tellapart.storage import cache_folder
from tellapart.workflows.record import RunRecord
from tellapart.workflows.reporter import Reporter

MOST_PICTURES = 5_000  # more are drawn from
MOST_OWN = 2_000  # of a network whose embeddings are in no cache


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """Some of a run's pictures and their embeddings."""

    examples: list[Example]
    vectors: NDArray[np.float32]  # [n, D]
    n_all: int  # usable pictures of the run
    own: bool  # by the run's own network, which has learned the labels


class _ReadOnly:
    """The cache without writing: what is computed here was not looked at by an audit."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def get_many(self, kind: str, keys: Sequence[str]) -> dict[str, bytes]:
        return self._cache.get_many(kind, keys)

    def put_many(self, kind: str, items: Mapping[str, bytes]) -> None:
        pass


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
    with reporter.step("Looking up embeddings", len(chosen)) as advance:
        features = extract(
            [_picture(example) for example in chosen], engine=open_engine(backbone, "cpu"),
            preprocessing=backbone.preprocessing, embedding=backbone.embedding, fingerprint=backbone.fingerprint,
            cache=None if own else _ReadOnly(cache), advance=advance,
        )  # fmt: skip
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
        name=record.name, network=run.folder / "model.onnx", weights=run.folder / "weights.safetensors",
        preprocessing=Preprocessing(**run.manifest.preprocessing.model_dump()), embedding=record.embedding,
        weights_source=record.weights_source, weights_license=record.weights_license,
        fingerprint=record.weights_fingerprint, reused=True, seconds=0.0,
    )  # fmt: skip


def _picture(example: Example) -> Picture:
    # Its bytes would have to be read for a hash of them; the cache mostly knows the embedding by the pixels' hash.
    return Picture(path=example.path, file_hash="", content_hash=example.content_hash)
