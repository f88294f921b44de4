"""The first answer: a classifier on the frozen network. In: Dataset, a backbone. Out: Probed. Next: tasks/candidates.py."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import Candidate
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.cache import Cache
from tellapart.features.embedding import embed
from tellapart.reporter import Reporter
from tellapart.settings.tree import TrainSettings
from tellapart.training.probe import Probe, fit_probe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probed:
    """The probe and what it cost."""

    candidate: Candidate
    dataset: Dataset  # without the pictures that no embedding could be had of
    computed: int  # pictures that went through the network
    reused: int  # pictures whose embedding was in the cache
    seconds_embedding: float


def probe(
    settings: TrainSettings, dataset: Dataset, backbone: ReadyBackbone, device: str, cache: Cache, reporter: Reporter
) -> Probed:
    """Compute embeddings, each once, and fit the classifier on those of the train split. Raises: DataError."""
    started = time.monotonic()
    every = np.arange(len(dataset.indices))
    features = embed(dataset, every, backbone, device, cache, reporter)
    seconds = time.monotonic() - started
    dataset = dataset.without(features.problems)
    vectors = (
        features.vectors if not features.problems else np.delete(features.vectors, list(features.problems), axis=0)
    )
    train = dataset.rows("train")
    with reporter.step("Fitting the classifier", 1) as advance:
        fitted = fit_probe(
            vectors[train],
            dataset.targets[train],
            groups=dataset.groups[train],
            class_count=len(dataset.classes),
            class_weights=settings.class_weights,
            folds=settings.folds,
            seed=settings.seed,
        )
        advance(1)
    if device != "cpu":
        # Half precision on a GPU differs in digits that a test can see, and model.onnx runs on a CPU.
        test = dataset.rows("test")
        vectors[test] = embed(dataset, test, backbone, "cpu", cache, reporter).vectors
    return Probed(
        candidate=_candidate(backbone, fitted, vectors),
        dataset=dataset,
        computed=features.computed,
        reused=features.reused,
        seconds_embedding=seconds,
    )


def _candidate(backbone: ReadyBackbone, fitted: Probe, vectors: NDArray[np.float32]) -> Candidate:
    return Candidate(
        strategy="probe",
        backbone=backbone,
        weight=fitted.weight,
        bias=fitted.bias,
        embeddings=lambda rows: vectors[rows],
        details={
            "strength": fitted.strength,
            "trials": [{"strength": strength, "log_loss": loss} for strength, loss in fitted.trials.items()],
        },
    )
