"""Embeddings with progress on the screen. In: rows or pictures, a backbone. Out: Features. Next: training/probe.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.examples import PictureFile
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.cache import Cache
from tellapart.features.engine import open_engine
from tellapart.features.extract import Features, extract
from tellapart.reporter import Reporter


def embed(
    dataset: Dataset,
    rows: NDArray[np.int64],
    backbone: ReadyBackbone,
    device: str,
    cache: Cache | None,
    reporter: Reporter,
) -> Features:
    """Embeddings of some rows; `cache` is None for a network that was trained just now."""
    return embed_pictures(dataset.pictures(rows), backbone, device, cache, reporter, title="Computing embeddings")


def embed_pictures(
    pictures: Sequence[PictureFile],
    backbone: ReadyBackbone,
    device: str,
    cache: Cache | None,
    reporter: Reporter,
    *,
    title: str,
) -> Features:
    """Embeddings of pictures by a backbone, with progress under `title`."""
    with reporter.step(title, len(pictures)) as advance:
        return extract(
            pictures,
            engine=open_engine(backbone, device),
            preprocessing=backbone.preprocessing,
            embedding=backbone.embedding,
            fingerprint=backbone.fingerprint,
            cache=cache,
            advance=advance,
        )
