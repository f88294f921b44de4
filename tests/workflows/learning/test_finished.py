"""A trained network answers through its exported file. In: a tiny network, colours. Out: embeddings, each once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.data.dataset import Dataset
from tellapart.errors import DataError
from tellapart.features.backbone import ReadyBackbone
from tellapart.models.trainable import NamedParameters, Trainable
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import Silent
from tellapart.runs.run import Run
from tellapart.settings.reading import make_settings
from tellapart.tasks.prepared import Prepared
from tellapart.training.progress import Fitted
from tellapart.workflows.learning.finished import EmbedOnce, finish_network


class Counting(Silent):
    """Says nothing, and remembers how many things each step was to do."""

    def __init__(self) -> None:
        self.totals: list[int] = []

    @contextlib.contextmanager
    def step(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        self.totals.append(total)
        with super().step(title, total) as advance:
            yield advance


def test_each_picture_is_embedded_once(dataset: Dataset, backbone: ReadyBackbone) -> None:
    reporter = Counting()
    embeddings = EmbedOnce(dataset.pictures, backbone, reporter)
    first = embeddings(np.array([4, 0, 8]))
    np.testing.assert_allclose(first, [[0, 240 / 255, 0], [0, 0, 250 / 255], [230 / 255, 0, 0]], atol=0.01)
    np.testing.assert_array_equal(embeddings(np.array([0, 8, 1, 4]))[[3, 0, 1]], first)
    embeddings(np.array([1, 4]))
    assert reporter.totals == [3, 1]


def test_a_picture_that_is_gone_stops_the_scoring(dataset: Dataset, backbone: ReadyBackbone) -> None:
    embeddings = EmbedOnce(dataset.pictures, backbone, Silent())
    path = dataset.pictures[2].path
    path.unlink()
    with pytest.raises(DataError, match=r"2\.png: .* put it back as it was, and resume the run"):
        embeddings(np.array([1, 2]))


class Plain(Trainable):
    """A network that ends in no classifier."""

    def forward(self, inputs: Tensor, start: int = 0) -> Tensor:
        return inputs

    def layer_groups(self) -> list[NamedParameters]:
        return []


def test_a_network_without_a_classifier_is_no_candidate(tmp_path: Path) -> None:
    run = Run(folder=tmp_path, settings=make_settings({"data": "x"}), lock=None)
    prepared = Prepared(
        strategy="scratch",
        network=Plain(),
        name="plain",
        source="",
        license="",
        preprocessing=Preprocessing(size=16),
        augment=build_augmentation(resolve("light"), size=16),
        learning_rate=0.1,
        epochs=1,
        most_epochs=1,
    )
    fitted = Fitted(history=(), best_epoch=1, stopped="finished", chunk=None, messages=())
    with pytest.raises(
        TypeError, match="a trained Plain has no linear classifier on an embedding.* Give a StagedNetwork"
    ):
        finish_network(prepared, fitted, [], run, Silent())
