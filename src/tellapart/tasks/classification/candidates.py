"""A candidate on the validation split: one class a picture. In: Candidate, Dataset. Out: Validated, Choice. Next: abstaining.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.evaluation.calibration import apply_temperature, fit_class_biases, fit_temperature
from tellapart.evaluation.choosing import Candidate, Choice, Validated
from tellapart.settings.tree import TrainSettings

FIGURE = "accuracy"


def validate(candidate: Candidate, dataset: Dataset) -> Validated:
    """Fit the temperature on the validation rows and score them."""
    rows = dataset.rows["validation"]
    labels, logits_NK = dataset.targets[rows], candidate.logits(rows)
    temperature = fit_temperature(logits_NK, labels)
    probabilities = apply_temperature(logits_NK, temperature).astype(np.float64)
    own = probabilities[np.arange(len(labels)), labels]
    return Validated(
        candidate=candidate,
        losses=-np.log(np.maximum(own, 1e-12)),
        figure_name=FIGURE,
        figure=float((probabilities.argmax(axis=1) == labels).mean()),
        calibration=temperature,
        facts={"temperature": temperature},
    )


def correct(settings: TrainSettings, choice: Choice, dataset: Dataset) -> Choice:
    """The same choice; the biases of a trained network's classes are set by the validation rows, with its temperature.

    Not where it was asked to favour rare classes; and the probe's need it not: its maximum likelihood on the training
    pictures names each class as often as it occurs. Nothing was chosen by the new ones: what was compared had its
    temperature alone.
    """
    usual = settings.class_weights == "none" and settings.loop.sampling == "natural"
    if choice.winner.candidate.strategy == "probe" or not usual or settings.loop.loss != "cross_entropy":
        return choice
    rows = dataset.rows["validation"]
    candidate = choice.winner.candidate
    temperature, biases = fit_class_biases(candidate.logits(rows), dataset.targets[rows])
    corrected = replace(candidate, bias=(candidate.bias + biases).astype(np.float32))
    return replace(choice, winner=replace(choice.winner, candidate=corrected, calibration=temperature))
