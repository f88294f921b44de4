"""The first answer: a yes or no a class on the frozen network. In: embeddings, Dataset. Out: Candidate. Next: candidates.py."""

from __future__ import annotations

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import HeldOut, LinearCandidate
from tellapart.features.embedding import Embedded
from tellapart.half_rows import part
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.multilabel.weighing import balanced_positive_weights
from tellapart.training.multilabel_probe import fit_multilabel_probe
from tellapart.training.weighing import details_of


def fit(settings: TrainSettings, dataset: Dataset, embedded: Embedded) -> LinearCandidate:
    """Fit one logistic regression a class to convergence on the train split.

    With balanced class weights a picture that shows a class counts for as many that lack it as there are. Raises: DataError.
    """
    train = dataset.rows["train"]
    targets = dataset.targets[train]
    fitted = fit_multilabel_probe(
        part(embedded.vectors, train),
        targets,
        dataset.groups[train],
        settings.folds,
        settings.seed,
        np.array(balanced_positive_weights(targets)) if settings.class_weights == "balanced" else None,
        classes=dataset.classes,
        stages=embedded.backbone.stages,
        **settings.probe.told,
    )
    return LinearCandidate(
        strategy="probe",
        backbone=embedded.backbone,
        weight=fitted.weight,
        bias=fitted.bias,
        embeddings=embedded.rows,
        held_out=None if fitted.held_out is None else HeldOut(rows=train, logits=fitted.held_out),
        details={
            "strength": fitted.strength,
            "trials": [{"strength": strength, "log_loss": loss} for strength, loss in fitted.trials.items()],
            **details_of(fitted.weighed),
        },
    )
