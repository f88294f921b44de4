"""The first answer: a classifier on the frozen network. In: embeddings, Dataset. Out: Candidate. Next: candidates.py."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import HeldOut, LinearCandidate
from tellapart.features.embedding import Embedded
from tellapart.settings.tree import TrainSettings
from tellapart.training.discriminant import Discriminant, fit_discriminant, is_for
from tellapart.training.probe import Probe, fit_probe
from tellapart.training.weighing import details_of


def fit(settings: TrainSettings, dataset: Dataset, embedded: Embedded) -> LinearCandidate:
    """Fit softmax regression to convergence on the train split, or of very many classes a discriminant. Raises: DataError."""
    train = dataset.rows["train"]
    told = settings.probe.told
    many = is_for(len(train), len(dataset.classes)) and not told
    stages = embedded.backbone.stages
    softmax: Callable[..., Probe] = fit_probe
    fit_classifier = fit_discriminant if many else partial(softmax, stages=stages, **told)
    # Of very many classes the stages were never seen to help.
    vectors = embedded.vectors[:, sum(stages) if many else 0 :]
    fitted = fit_classifier(
        vectors[train],
        dataset.targets[train],
        groups=dataset.groups[train],
        class_count=len(dataset.classes),
        class_weights=settings.class_weights,
        folds=settings.folds,
        seed=settings.seed,
    )
    return LinearCandidate(
        strategy="probe",
        backbone=embedded.backbone,
        weight=np.pad(fitted.weight, ((0, 0), (embedded.vectors.shape[1] - fitted.weight.shape[1], 0))),
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
    return {"strength": fitted.strength, "trials": trials, **details_of(fitted.weighed)}
