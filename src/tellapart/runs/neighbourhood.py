"""Which training pictures look alike to a model. In: OpenRun, embeddings. Out: list[Neighbour]. Next: explanation/neighbours.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Example
from tellapart.explanation.neighbours import nearest
from tellapart.features.caching import open_cache
from tellapart.reporter import Reporter
from tellapart.runs.embeddings import MOST_PICTURES, draw, embed_by_own
from tellapart.runs.open import EXAMPLES, OpenRun
from tellapart.sources.reading import exists

_ITSELF = 1e-3  # of its length, how far two embeddings of the same pixels may be apart


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
        embedding = embedding[len(embedding) - self.vectors.shape[1] :]
        apart = np.linalg.norm(self.vectors - embedding, axis=1)
        others = np.flatnonzero(apart > _ITSELF * np.linalg.norm(embedding))
        found = []
        for row, similarity in nearest(embedding, self.vectors[others], count):
            example = self.examples[others[row]]
            found.append(Neighbour(path=example.path, label=example.target.text, similarity=similarity))
        return found, len(others) < len(apart)


def open_neighbourhood(run: OpenRun, reporter: Reporter) -> Neighbourhood | None:
    """Embed the training pictures, mostly by looking them up; None, and a word of why, where they cannot be had."""
    if run.manifest.strategy == "pretrained":
        return None  # ImageNet's pictures are nowhere here
    if not run.lists_examples:
        path = run.folder / EXAMPLES
        reporter.warn(f"No training pictures are shown: {path} is not there, which lists them. Give the run's folder.")
        return None
    every = [example for example in run.examples if example.split == "train" and not example.problem]
    train = draw(every, MOST_PICTURES, seed=0)
    if len(train) < len(every):
        reporter.say(f"Compared with {MOST_PICTURES:,} of the {len(every):,} training pictures, drawn at random.")
    there = [example for example in train if exists(example.path)]
    if len(there) < len(train):
        reporter.warn(
            f"{len(train) - len(there):,} of {len(train):,} training pictures are no longer where they were. Say where they are: "
            "--pictures FOLDER (in Python moved=)."
        )
    if not there:
        return None
    with open_cache(reporter) as cache:
        vectors, kept = embed_by_own(run, there, cache, reporter)
    # The last layer alone: of the five nearest by it more are of the picture's class; see docs/results.md.
    vectors = vectors[:, sum(run.manifest.backbone.stages) :]
    return Neighbourhood(examples=[there[row] for row in kept], vectors=vectors)
