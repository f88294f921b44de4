"""The first answer: a classifier on the frozen network. In: embeddings, Dataset. Out: Candidate. Next: candidates.py."""

from __future__ import annotations

from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import Candidate
from tellapart.features.embedding import Embedded
from tellapart.settings.tree import TrainSettings
from tellapart.training.probe import fit_probe


def fit(settings: TrainSettings, dataset: Dataset, embedded: Embedded) -> Candidate:
    """Fit softmax regression to convergence on the train split. Raises: DataError."""
    train = dataset.rows["train"]
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
