"""The first answer: a classifier on the frozen network. In: embeddings, Dataset. Out: Candidate. Next: candidates.py."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import HeldOut, LinearCandidate
from tellapart.features.embedding import Embedded
from tellapart.half_rows import HalfRows, from_column, part
from tellapart.settings.tree import TrainSettings
from tellapart.training.discriminant import Discriminant, fit_discriminant, is_for
from tellapart.training.probe import Probe, fit_probe
from tellapart.training.repeated_probe import RepeatedProbe
from tellapart.training.weighing import details_of


def fit(settings: TrainSettings, dataset: Dataset, embedded: Embedded) -> LinearCandidate:
    """Fit softmax regression to convergence on the train split, or of very many classes a discriminant. Raises: DataError.

    With a strength that was told it is what a search's trial with that strength gives.
    """
    train = dataset.rows["train"]
    if settings.probe.strength is not None and (again := refit(dataset, embedded)(settings)) is not None:
        return again
    told = settings.probe.told
    many = is_for(len(train), len(dataset.classes)) and not told
    stages = embedded.backbone.stages
    softmax: Callable[..., Probe] = fit_probe
    fit_classifier = fit_discriminant if many else partial(softmax, stages=stages, **told)
    # Of very many classes the stages were never seen to help.
    vectors = from_column(embedded.vectors, sum(stages) if many else 0)
    fitted = fit_classifier(
        part(vectors, train),
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


def refit(dataset: Dataset, embedded: Embedded) -> Callable[[TrainSettings], LinearCandidate | None]:
    """The same over and over, for settings that leave nothing to cross-validation; None for others. Raises: DataError."""
    train = dataset.rows["train"]
    repeated: list[RepeatedProbe] = []  # made when it is first needed

    def fit_again(settings: TrainSettings) -> LinearCandidate | None:
        told = settings.probe
        # Features on disk would be turned in memory; `fit` reads them in blocks.
        if told.strength is None or isinstance(embedded.vectors, HalfRows):
            return None
        if not repeated:
            classes, stages = len(dataset.classes), embedded.backbone.stages
            repeated.append(
                RepeatedProbe(embedded.vectors[train], dataset.targets[train], class_count=classes, stages=stages)
            )
        weight, bias = repeated[0].fit(
            strength=told.strength, weighing=told.weighing or "last", class_weights=settings.class_weights
        )
        return LinearCandidate(
            strategy="probe",
            backbone=embedded.backbone,
            weight=weight,
            bias=bias,
            embeddings=embedded.rows,
            details={"strength": told.strength, "trials": []},
        )

    return fit_again


def _details(fitted: Probe | Discriminant) -> dict[str, Any]:
    """What cross-validation tried and took, for metrics.json."""
    if isinstance(fitted, Discriminant):
        trials = [{**tried._asdict(), "log_loss": loss} for tried, loss in fitted.trials.items()]
        return {"method": "discriminant", **fitted.chosen._asdict(), "trials": trials}
    trials = [{"strength": strength, "log_loss": loss} for strength, loss in fitted.trials.items()]
    return {"strength": fitted.strength, "trials": trials, **details_of(fitted.weighed)}
