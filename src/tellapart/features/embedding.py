"""Embeddings with progress on the screen. In: a data set or pictures, a backbone. Out: Embedded. Next: training/probe.py."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.examples import PictureFile
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.cache import Cache
from tellapart.features.engine import open_engine
from tellapart.features.extract import Features, extract
from tellapart.reporter import Reporter

_TITLE = "Computing embeddings"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """The embedding of every usable picture of a data set, and what it cost."""

    backbone: ReadyBackbone
    vectors: NDArray[np.float32]  # [N, D], by row of the data set
    computed: int  # pictures that went through the network
    reused: int  # pictures whose embedding was in the cache
    seconds: float
    pace: float | None  # seconds a picture on the device that trains; None: nothing was computed there

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows [n] to embeddings [n, D]."""
        return self.vectors[rows]


def embed_dataset(
    dataset: Dataset, backbone: ReadyBackbone, device: str, cache: Cache, reporter: Reporter
) -> tuple[Dataset, Embedded]:
    """Every picture's embedding, and the data set without those that none could be had of.

    The test split's are a CPU's, as model.onnx will give them. Raises: DataError when a split has no picture left.
    """
    started = time.monotonic()
    every = np.arange(len(dataset.pictures))
    # Half precision on a GPU differs in digits that a test can see, and model.onnx runs on a CPU.
    last = dataset.rows["test"] if device != "cpu" else every[:0]
    vectors = np.empty((len(every), backbone.embedding), dtype=np.float32)
    problems: dict[int, str] = {}
    computed = reused = 0
    pace: float | None = None
    for rows, where in ((np.setdiff1d(every, last), device), (last, "cpu")):
        if not len(rows):
            continue
        began = time.monotonic()
        features = embed_pictures([dataset.pictures[row] for row in rows], backbone, where, cache, reporter)
        if where == device and features.computed:
            pace = (time.monotonic() - began) / features.computed
        vectors[rows] = features.vectors
        problems.update((int(rows[place]), problem) for place, problem in features.problems.items())
        computed, reused = computed + features.computed, reused + features.reused
    seconds = time.monotonic() - started
    dataset = dataset.without(problems)
    if problems:
        vectors = np.delete(vectors, list(problems), axis=0)
    return dataset, Embedded(
        backbone=backbone, vectors=vectors, computed=computed, reused=reused, seconds=seconds, pace=pace
    )


def embed_pictures(
    pictures: Sequence[PictureFile],
    backbone: ReadyBackbone,
    device: str,
    cache: Cache | None,
    reporter: Reporter,
    *,
    title: str = _TITLE,
) -> Features:
    """Embeddings of pictures by a backbone, with progress under `title`; no `cache` for a network just trained."""
    with reporter.step(title, len(pictures)) as advance:
        return extract(
            pictures,
            engine=open_engine(backbone, device),
            preprocessing=backbone.preprocessing,
            embedding=backbone.embedding,
            fingerprint=backbone.fingerprint,
            stages=backbone.stages,
            cache=cache,
            advance=advance,
        )
