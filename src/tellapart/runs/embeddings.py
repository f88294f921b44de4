"""Pictures of a run to embeddings, mostly looked up. In: OpenRun, examples. Out: EmbeddedExamples. Next: neighbourhood.py.

Two networks may be asked: the run's own, which has learned its labels, or the pretrained one that it began with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Example, PictureFile
from tellapart.errors import BackboneError, SettingsError
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.embedding import embed_pictures
from tellapart.features.engine import SHIPPED, CpuEngine, engine_called
from tellapart.preprocessing import fitted
from tellapart.reporter import Reporter
from tellapart.runs.open import WEIGHTS, OpenRun
from tellapart.sources.reading import read_bytes
from tellapart.storage import cache_folder

Drawn = TypeVar("Drawn")

MOST_PICTURES = 5_000  # more are drawn from
MOST_OWN = 2_000  # of a network whose embeddings are in no cache


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbeddedExamples:
    """Some of a run's pictures and their embeddings."""

    examples: list[Example]
    vectors: NDArray[np.float32]  # [n, D]
    n_all: int  # usable pictures of the run
    own: bool  # by the run's own network, which has learned the labels


def embed_run(run: OpenRun, cache: Cache, reporter: Reporter) -> EmbeddedExamples:
    """Embeddings of at most 5,000 pictures by the pretrained network, mostly from the cache.

    A network from scratch had none before it: then its own, of at most 2,000. Raises: BackboneError, StorageError.
    """
    own = run.manifest.strategy == "scratch"
    usable = [example for example in run.examples if not example.problem and example.split]
    chosen = draw(usable, MOST_OWN if own else MOST_PICTURES, seed=run.settings.seed)
    backbone = own_backbone(run) if own else _pretrained(run, reporter)
    vectors, kept = embed_examples(
        chosen,
        backbone,
        frozen=not own,
        engine=engine_called(run.manifest.backbone.embedded_by),
        cache=cache,
        reporter=reporter,
        title="Looking up embeddings",
    )
    # Doubtful labels and pictures that look alike are better found by the last layer alone; see docs/results.md.
    vectors = vectors[:, sum(backbone.stages) :]
    return EmbeddedExamples(examples=[chosen[row] for row in kept], vectors=vectors, n_all=len(usable), own=own)


def try_to_embed(run: OpenRun, cache: Cache, reporter: Reporter) -> EmbeddedExamples | None:
    """The same for a report; None, and a word of why, where the network cannot be had, or there are no two pictures."""
    try:
        embedded = embed_run(run, cache, reporter)
    except (BackboneError, SettingsError) as error:
        reporter.warn(f"The report has no map and no label doctor: {error}")
        return None
    return embedded if len(embedded.examples) >= 2 else None


def embed_by_own(
    run: OpenRun, examples: Sequence[Example], cache: Cache, reporter: Reporter
) -> tuple[NDArray[np.float32], list[int]]:
    """Embeddings [n, D] by the run's own network, of the pictures that can be read, and the rows of those."""
    frozen = run.manifest.strategy == "probe"
    title = "Looking up training pictures"
    engine = engine_called(run.manifest.backbone.embedded_by)
    return embed_examples(
        examples, own_backbone(run), frozen=frozen, engine=engine, cache=cache, reporter=reporter, title=title
    )


def embed_examples(
    examples: Sequence[Example],
    backbone: ReadyBackbone,
    *,
    frozen: bool,
    engine: CpuEngine = SHIPPED,
    cache: Cache,
    reporter: Reporter,
    title: str,
) -> tuple[NDArray[np.float32], list[int]]:
    """Embeddings [n, D] of the pictures that can be read, and the rows of those.

    `frozen`: training has kept them, those of its own pictures as `engine` computed them.
    """
    # It kept them by the pixels' hash, which does not say what the file holds today.
    pictures = [_known(example) if frozen else _as_it_is(example) for example in examples]
    vectors = np.full((len(examples), backbone.embedding), np.nan, dtype=np.float32)
    trained = np.array([example.split == "train" for example in examples], dtype=bool)
    quick = trained if frozen and engine != SHIPPED else np.zeros_like(trained)
    for rows, by in ((np.flatnonzero(quick), engine), (np.flatnonzero(~quick), SHIPPED)):
        if len(rows):
            asked = [pictures[row] for row in rows]
            vectors[rows] = embed_pictures(asked, backbone, "cpu", cache, reporter, title=title, engine=by).vectors
    kept = np.flatnonzero(np.isfinite(vectors).all(axis=1)).tolist()
    return vectors[kept], kept


def last_layer_strength(run: OpenRun) -> float | None:
    """The strength that the run's probe found for vectors as `embed_run` gives them; None if it weighed the stages, too."""
    probe = run.metrics["training"].get("probe") or {}
    weighed: str = probe.get("stages", {}).get("weighing", "last")
    return probe.get("strength") if weighed == "last" else None


def draw(examples: Sequence[Drawn], most: int, *, seed: int) -> list[Drawn]:
    """At most so many of them, drawn at random, in their order."""
    if len(examples) <= most:
        return list(examples)
    drawn = np.random.default_rng(seed).choice(len(examples), most, replace=False)
    return [examples[row] for row in np.sort(drawn).tolist()]


def own_backbone(run: OpenRun) -> ReadyBackbone:
    """The run's model as a backbone: it gives its embedding, too."""
    record = run.manifest.backbone
    return ReadyBackbone(
        name=record.name,
        network=run.file,
        weights=run.folder / WEIGHTS,
        preprocessing=run.preprocessing,
        embedding=record.embedding,
        stages=record.stages,
        pooling=record.pooling,
        weights_source=record.weights_source,
        weights_license=record.weights_license,
        fingerprint=record.weights_fingerprint,
        reused=True,
        seconds=0.0,
    )


def _pretrained(run: OpenRun, reporter: Reporter) -> ReadyBackbone:
    """The network that the run began with, made again where the cache has forgotten it, for pictures read as the run did."""
    settings, own = run.settings, run.preprocessing
    weights = Path(settings.weights) if settings.weights else None
    pending = prepare_backbone(
        settings.backbone,
        cache=cache_folder(),
        weights=weights,
        size=settings.network.size,
        crop=settings.network.crop,
        pooling=settings.network.pooling,
    )
    try:
        ready = pending.wait()
        if pending.remark:
            reporter.warn(pending.remark)
        read = replace(fitted(ready.preprocessing, own.fit, own.value_range), colour=own.colour)
        return replace(ready, preprocessing=read)
    finally:
        pending.cancel()


def _known(example: Example) -> PictureFile:
    # Its bytes would have to be read for a hash of them; the cache mostly knows the embedding by the pixels' hash.
    return PictureFile(path=example.path, file_hash="", content_hash=example.content_hash)


def _as_it_is(example: Example) -> PictureFile:
    try:
        digest = hashlib.sha256(read_bytes(example.path)).hexdigest()
    except OSError:  # extract() will say so
        digest = "0" * 64
    return PictureFile(path=example.path, file_hash=digest, content_hash=f"file:{digest}")
