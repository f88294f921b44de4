"""The first answer: a classifier on the frozen network. In: embeddings, Dataset. Out: Candidate. Next: candidates.py."""

from __future__ import annotations

from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import Candidate, HeldOut
from tellapart.features.embedding import Embedded
from tellapart.settings.tree import TrainSettings
from tellapart.training.discriminant import Discriminant, fit_discriminant, is_for
from tellapart.training.probe import Probe, fit_probe


def fit(settings: TrainSettings, dataset: Dataset, embedded: Embedded) -> Candidate:
    """Fit softmax regression to convergence on the train split, or of very many classes a discriminant. Raises: DataError."""
    train = dataset.rows["train"]
    fit_classifier = fit_discriminant if is_for(len(train), len(dataset.classes)) else fit_probe
    fitted = fit_classifier(
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
        details=_details(fitted),
        # Of very many classes the pictures of the validation split are enough.
        held_out=None
        if isinstance(fitted, Discriminant) or fitted.held_out is None
        else HeldOut(rows=train, logits=fitted.held_out),
    )


def _details(fitted: Probe | Discriminant) -> dict[str, Any]:
    """What cross-validation tried and took, for metrics.json."""
    if isinstance(fitted, Discriminant):
        trials = [{**tried._asdict(), "log_loss": loss} for tried, loss in fitted.trials.items()]
        return {"method": "discriminant", **fitted.chosen._asdict(), "trials": trials}
    trials = [{"strength": strength, "log_loss": loss} for strength, loss in fitted.trials.items()]
    return {"strength": fitted.strength, "trials": trials}
