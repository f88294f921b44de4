"""A trained network answers through its exported file. In: a tiny network, colours. Out: embeddings, each once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.errors import DataError
from tellapart.features.backbone import ReadyBackbone
from tellapart.reporter import Silent
from tellapart.workflows.learning.finished import EmbedOnce


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
