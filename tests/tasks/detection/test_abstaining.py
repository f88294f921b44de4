"""When a detector does not know a picture. In: embeddings by hand. Out: a threshold, the share that is kept, words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.examples import Example, PictureFile
from tellapart.data.targets import Boxes, class_boxes
from tellapart.tasks.detection.abstaining import learn_to_abstain, warnings_of

SPLITS = ("train",) * 60 + ("validation",) * 40 + ("test",) * 30


@dataclass
class MadeCandidate:
    """Gives the embedding that belongs to a picture's path, or none."""

    vectors: NDArray[np.float32] | None
    tiled: bool = False

    def embeddings(self, pictures: Sequence[PictureFile]) -> NDArray[np.float32] | None:
        return None if self.vectors is None else self.vectors[[int(str(one.path)) for one in pictures]]


def learned(candidate: Any, dataset: Dataset) -> Any:
    """With the embeddings of validation and test as they come with the boxes."""
    of_rows = (dataset.rows["validation"], dataset.clean_test)
    found = [candidate.embeddings([dataset.pictures[row] for row in rows]) for rows in of_rows]
    validation, test = (None if one is None else list(one[:, None]) for one in found)
    return learn_to_abstain(candidate, dataset, validation=validation, test=test, coverage=0.95, seed=0)


def made(splits: Sequence[str] = SPLITS, *, leaked: Sequence[int] = ()) -> tuple[Any, Dataset]:
    count = len(splits)
    vectors = np.random.default_rng(0).normal(1, 0.2, (count, 8)).astype(np.float32)
    examples = [
        Example(path=Path(str(row)), target=Boxes(), split=None, group="", content_hash=str(row), width=9, height=9)
        for row in range(count)
    ]
    dataset = Dataset(
        classes=("cat",),
        examples=examples,
        indices=np.arange(count),
        targets=class_boxes([Boxes()] * count, ("cat",)),
        groups=np.arange(count),
        splits=np.array(splits),
        leaked=np.isin(np.arange(count), leaked),
        pictures=tuple(PictureFile(path=one.path, file_hash="", content_hash=one.content_hash) for one in examples),
    )
    return MadeCandidate(vectors), dataset


def test_most_pictures_like_those_trained_on_are_known_and_others_are_not() -> None:
    candidate, dataset = made()
    candidate.vectors[-10:] *= np.array([1, -1] * 4, dtype=np.float32)
    found = learned(candidate, dataset)
    assert found is not None
    assert found.threshold is not None
    # Of 40 scores the 39th is the conformal quantile: ceil(41 * 0.95) = 39.
    scores = np.sort(found.novelty.score(candidate.vectors[60:100]))
    assert found.threshold == pytest.approx(float(scores[38]))
    assert found.known is not None
    unknown = found.novelty.score(candidate.vectors[100:]) > found.threshold
    assert unknown[-10:].all()
    assert found.known.value == pytest.approx(1 - unknown.mean())
    assert found.measured["n"] == 30
    assert list(warnings_of(found)) == []


def test_pictures_that_leaked_are_not_counted() -> None:
    candidate, dataset = made(leaked=range(100, 110))
    found = learned(candidate, dataset)
    assert found is not None
    assert found.measured["n"] == 20


def test_too_few_pictures_to_tell() -> None:
    candidate, dataset = made(("train",) * 20 + ("validation",) * 10 + ("test",) * 10)
    found = learned(candidate, dataset)
    assert found is not None
    assert (found.threshold, found.known) == (None, None)
    (said,) = warnings_of(found)
    assert said.startswith(
        "The validation split has 10 pictures; it takes 19 to tell which are unlike them, so that 95 % of "
    )
    assert said.endswith("Until then no picture is called unknown. Add pictures, or give a lower --coverage.")


def test_a_network_without_an_embedding_calls_nothing_unknown() -> None:
    _, dataset = made()
    found = learned(MadeCandidate(None), dataset)
    assert found is None
    assert list(warnings_of(found)) == [
        "This kind of detector gives no embedding, so no picture is called unknown, however unlike the others it is."
    ]
