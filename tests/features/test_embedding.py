"""The embeddings of a data set. In: colours, a tiny network. Out: what was computed where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.examples import PictureFile
from tellapart.features import embedding
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.caching import open_cache
from tellapart.features.embedding import embed_dataset
from tellapart.features.extract import Features
from tellapart.reporter import Silent


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Device and number of pictures of every call; where "cuda" was asked for, a CPU's vectors plus 1000."""
    calls = []
    real = embedding.embed_pictures

    def embed_pictures(
        pictures: Sequence[PictureFile], backbone: ReadyBackbone, device: str, *given: Any, **named: Any
    ) -> Features:
        calls.append((device, len(pictures)))
        features = real(pictures, backbone, "cpu", *given, **named)
        if device == "cuda":
            features.vectors[:] += 1000
        return features

    monkeypatch.setattr(embedding, "embed_pictures", embed_pictures)
    return calls


def test_a_cpu_embeds_every_picture_in_one_go(
    dataset: Dataset, backbone: ReadyBackbone, asked: list[tuple[str, int]]
) -> None:
    with open_cache() as cache:
        left, found = embed_dataset(dataset, backbone, "cpu", cache, Silent())
    assert asked == [("cpu", len(dataset.pictures))]
    assert (left.pictures, found.computed, found.reused) == (dataset.pictures, len(dataset.pictures), 0)
    assert found.pace is not None
    assert found.pace * found.computed <= found.seconds


def test_beside_a_gpu_the_test_split_is_a_cpus_and_is_computed_once(
    dataset: Dataset, backbone: ReadyBackbone, asked: list[tuple[str, int]]
) -> None:
    test, rest = dataset.rows["test"], np.concatenate([dataset.rows["train"], dataset.rows["validation"]])
    with open_cache() as cache:
        _, found = embed_dataset(dataset, backbone, "cuda", cache, Silent())
    assert asked == [("cuda", len(rest)), ("cpu", len(test))]
    assert (found.vectors[test] < 2).all()
    assert (found.vectors[rest] >= 1000).all()
    assert found.computed == len(dataset.pictures)


def test_what_cannot_be_read_is_set_aside_on_either_device(
    dataset: Dataset, backbone: ReadyBackbone, asked: list[tuple[str, int]]
) -> None:
    gone = [int(dataset.rows["train"][1]), int(dataset.rows["test"][0])]
    for row in gone:
        dataset.pictures[row].path.unlink()
    with open_cache() as cache:
        left, found = embed_dataset(dataset, backbone, "cuda", cache, Silent())
    kept = [row for row in range(len(dataset.pictures)) if row not in gone]
    assert left.pictures == tuple(dataset.pictures[row] for row in kept)
    assert len(found.vectors) == len(kept)
    assert (found.vectors[left.rows["test"]] < 2).all()
    assert np.isfinite(found.vectors).all()


def test_what_the_cache_knows_costs_nothing_and_tells_no_pace(dataset: Dataset, backbone: ReadyBackbone) -> None:
    with open_cache() as cache:
        _, first = embed_dataset(dataset, backbone, "cpu", cache, Silent())
        _, again = embed_dataset(dataset, backbone, "cpu", cache, Silent())
    assert (again.computed, again.reused, again.pace) == (0, first.computed, None)
    np.testing.assert_array_equal(again.vectors, first.vectors)
