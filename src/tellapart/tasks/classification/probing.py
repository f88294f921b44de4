"""The first answer: a classifier on the frozen network. In: embeddings, Dataset. Out: Candidate. Next: candidates.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import Candidate
from tellapart.features.embedding import Embedded
from tellapart.settings.tree import TrainSettings
from tellapart.training.discriminant import fit_discriminant, is_for
from tellapart.training.probe import fit_probe


def fit(settings: TrainSettings, dataset: Dataset, embedded: Embedded) -> Candidate:
    """Fit softmax regression to convergence on the train split, or of very many classes a discriminant. Raises: DataError."""
    train = dataset.rows["train"]
    many = is_for(len(train), len(dataset.classes))
    return (
        _discriminant(settings, dataset, embedded, train) if many else _regression(settings, dataset, embedded, train)
    )


def _discriminant(settings: TrainSettings, dataset: Dataset, embedded: Embedded, train: NDArray[np.int64]) -> Candidate:
    fitted = fit_discriminant(
        embedded.vectors[train],
        dataset.targets[train],
        groups=dataset.groups[train],
        class_count=len(dataset.classes),
        class_weights=settings.class_weights,
        folds=settings.folds,
        seed=settings.seed,
    )
    return Candidate(
        strategy="probe",
        backbone=embedded.backbone,
        weight=fitted.weight,
        bias=fitted.bias,
        embeddings=embedded.rows,
        details={
            "method": "discriminant",
            **fitted.chosen._asdict(),
            "trials": [{**tried._asdict(), "log_loss": loss} for tried, loss in fitted.trials.items()],
        },
    )


def _regression(settings: TrainSettings, dataset: Dataset, embedded: Embedded, train: NDArray[np.int64]) -> Candidate:
    fitted = fit_probe(
        embedded.vectors[train],
        dataset.targets[train],
        groups=dataset.groups[train],
        class_count=len(dataset.classes),
        class_weights=settings.class_weights,
        folds=settings.folds,
        seed=settings.seed,
    )
    return Candidate(
        strategy="probe",
        backbone=embedded.backbone,
        weight=fitted.weight,
        bias=fitted.bias,
        embeddings=embedded.rows,
        details={
            "strength": fitted.strength,
            "trials": [{"strength": strength, "log_loss": loss} for strength, loss in fitted.trials.items()],
        },
    )
