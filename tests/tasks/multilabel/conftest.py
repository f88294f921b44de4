"""A small data set of sets, and a classifier of it. In: nothing. Out: Made. Next: test_candidates.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.examples import Example
from tellapart.data.targets import ClassNames
from tellapart.evaluation.choosing import LinearCandidate
from tellapart.features.backbone import ReadyBackbone
from tellapart.preprocessing import Preprocessing

CLASSES = ("a", "b", "c")
SPLITS = ["train", "train", "validation", "test", "test"]
WEIGHT = np.random.default_rng(5).normal(size=(3, 8)).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """Pictures with each of three classes or not, split in fives, and a classifier that is often wrong."""

    dataset: Dataset
    candidate: LinearCandidate
    embeddings: NDArray[np.float32]  # [N, 8]
    backbone: ReadyBackbone


@pytest.fixture(scope="session")
def make() -> Callable[..., Made]:
    """A data set of `count` pictures; `leaked` rows have a copy in another split; `unknown` says which cells are not known."""

    def made(
        count: int = 200,
        *,
        leaked: tuple[int, ...] = (),
        unknown: Callable[[np.random.Generator], object] | None = None,
    ) -> Made:
        generator = np.random.default_rng(0)
        targets = (generator.random((count, 3)) < 0.4).astype(np.float32)
        embeddings = (targets @ WEIGHT + generator.normal(size=(count, 8))).astype(np.float32)
        splits = np.array(SPLITS)[np.arange(count) % 5]
        examples = [_example(row, targets[row], splits[row], generator) for row in range(count)]
        if unknown is not None:
            targets[unknown(np.random.default_rng(1))] = np.nan
        dataset = Dataset(
            classes=CLASSES,
            examples=examples,
            indices=np.arange(count),
            targets=targets,
            groups=np.arange(count),
            splits=splits,
            leaked=np.isin(np.arange(count), leaked),
            pictures=(),
        )
        candidate = LinearCandidate(
            strategy="probe",
            backbone=_backbone(),
            weight=WEIGHT,
            bias=np.zeros(3, dtype=np.float32),
            embeddings=lambda rows: embeddings[rows],
            details={},
        )
        return Made(dataset=dataset, candidate=candidate, embeddings=embeddings, backbone=candidate.backbone)

    return made


def _example(row: int, targets: NDArray[np.float32], split: str, generator: np.random.Generator) -> Example:
    return Example(
        path=Path(f"{row}.png"),
        target=ClassNames(tuple(name for name, there in zip(CLASSES, targets, strict=True) if there)),
        split=split,
        group=str(row),
        content_hash=f"{generator.integers(10**9):09}",
        width=8,
        height=8,
        problem="",
    )


def _backbone() -> ReadyBackbone:
    return ReadyBackbone(
        name="tiny",
        network=Path("n"),
        weights=Path("w"),
        preprocessing=Preprocessing(size=8),
        embedding=8,
        weights_source="",
        weights_license="",
        fingerprint="",
        reused=False,
        seconds=0.0,
    )
