"""Which training pictures look alike to a model. In: OpenRun, embeddings. Out: list[Neighbour]. Next: explanation/neighbours.py."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Example, PictureFile
from tellapart.data.examples_csv import read_examples
from tellapart.explanation.neighbours import nearest
from tellapart.features.caching import open_cache
from tellapart.features.extract import extract
from tellapart.reporter import Reporter
from tellapart.runs.opened import OpenRun
from tellapart.runtime import BATCH, cores

_ITSELF = 1e-3  # of its length, how far two embeddings of the same pixels may be apart
MOST_PICTURES = 5_000  # training pictures that are compared with; of more, so many are drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A training picture that looks alike to the network."""

    path: Path
    label: str
    similarity: float  # cosine of the embeddings, in [-1, 1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Neighbourhood:
    """The training pictures of a run and their embeddings."""

    examples: list[Example]
    vectors: NDArray[np.float32]  # [n, D]

    def of(self, embedding: NDArray[np.float32], count: int) -> tuple[list[Neighbour], bool]:
        """The `count` training pictures most like an embedding [D], the most alike first.

        The picture itself, where it was trained on, is left out, and the second value says so.
        """
        apart = np.linalg.norm(self.vectors - embedding, axis=1)
        others = np.flatnonzero(apart > _ITSELF * np.linalg.norm(embedding))
        found = []
        for row, similarity in nearest(embedding, self.vectors[others], count):
            example = self.examples[others[row]]
            found.append(Neighbour(path=example.path, label=example.target.text, similarity=similarity))
        return found, len(others) < len(apart)


def open_neighbourhood(opened: OpenRun, reporter: Reporter) -> Neighbourhood | None:
    """Embed the training pictures, mostly by looking them up; None, and a word of why, where they cannot be had."""
    path = opened.folder / "examples.csv"
    if not path.is_file():
        reporter.warn(f"No training pictures are shown: {path} is not there, which lists them. Give the run's folder.")
        return None
    train = [example for example in read_examples(path) if example.split == "train" and not example.problem]
    if len(train) > MOST_PICTURES:
        drawn = np.random.default_rng(0).choice(len(train), MOST_PICTURES, replace=False)
        reporter.say(f"Compared with {MOST_PICTURES:,} of the {len(train):,} training pictures, drawn at random.")
        train = [train[row] for row in np.sort(drawn).tolist()]
    there = [example for example in train if example.path.is_file()]
    if len(there) < len(train):
        reporter.warn(f"{len(train) - len(there):,} of {len(train):,} training pictures are no longer where they were.")
    if not there:
        return None
    vectors, kept = embed_examples(opened, there, reporter)
    return Neighbourhood(examples=[there[row] for row in kept], vectors=vectors[kept])


def embed_examples(
    opened: OpenRun, examples: Sequence[Example], reporter: Reporter
) -> tuple[NDArray[np.float32], list[int]]:
    """Embeddings [n, D] of pictures, mostly by looking them up, and the rows of those that can be read."""
    # Training has kept a frozen network's embeddings by the pixels' hash, which does not say what the file holds today.
    frozen = opened.manifest.strategy == "probe"
    pictures = [_known(example) if frozen else _as_it_is(example) for example in examples]
    record = opened.manifest.backbone
    with open_cache() as cache, reporter.step("Looking up training pictures", len(pictures)) as advance:
        features = extract(
            pictures,
            engine=_FileEngine(opened),
            preprocessing=opened.model.preprocessing,
            embedding=record.embedding,
            fingerprint=record.weights_fingerprint,
            cache=cache,
            advance=advance,
        )
    kept = [row for row in range(len(examples)) if row not in features.problems]
    return features.vectors, kept


def _known(example: Example) -> PictureFile:
    return PictureFile(path=example.path, file_hash="", content_hash=example.content_hash)


def _as_it_is(example: Example) -> PictureFile:
    try:
        digest = hashlib.sha256(example.path.read_bytes()).hexdigest()
    except OSError:  # extract() will say so
        digest = "0" * 64
    return PictureFile(path=example.path, file_hash=digest, content_hash=f"file:{digest}")


class _FileEngine:
    """model.onnx itself, which embeds as the frozen network in it does; hence the same name in the cache."""

    name = "onnx"
    batch = BATCH

    def __init__(self, opened: OpenRun) -> None:
        self.workers = cores()
        self._session = opened.model.session

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        (embedding,) = self._session.run(images, ["embedding"])
        return embedding
