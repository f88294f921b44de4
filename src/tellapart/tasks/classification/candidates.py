"""A candidate on the validation split: one class a picture. In: Candidate, Dataset. Out: Validated, Choice. Next: abstaining.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tellapart.bundle import ClassificationRecord
from tellapart.data.dataset import Dataset
from tellapart.evaluation.calibrating import choose_calibration
from tellapart.evaluation.choosing import Choice, HeldOut, LinearCandidate, Validated
from tellapart.settings.tree import TrainSettings

FIGURE = "accuracy"


def validate(candidate: LinearCandidate, dataset: Dataset) -> Validated[LinearCandidate]:
    """Calibrate by the validation rows, and what was held out of the training, where anything was; score the validation rows.

    Each is scored by what the others calibrate, so that nobody gains by fitting the more.
    """
    rows = dataset.rows["validation"]
    labels, own = dataset.targets[rows], candidate.logits(rows)
    more = _held_out(candidate)
    every = np.concatenate([rows, more.rows])
    logits = np.concatenate([own, more.logits.astype(own.dtype)])
    calibration = choose_calibration(
        logits, dataset.targets[every], dataset.groups[every], with_biases=False, known=_known(candidate)
    )
    return Validated(
        candidate=candidate,
        losses=calibration.losses[: len(rows)],
        figure_name=FIGURE,
        figure=float((own.argmax(axis=1) == labels).mean()),
        calibration=calibration,
        facts={"temperature": calibration.temperature, "calibration": calibration.as_json()},
    )


def correct(settings: TrainSettings, choice: Choice[LinearCandidate], dataset: Dataset) -> Choice[LinearCandidate]:
    """The same choice; where cross-validation says so, the validation rows set biases of a trained network's classes, too.

    Not where it was asked to favour rare classes; and the probe's need it not: its maximum likelihood on the training
    pictures names each class as often as it occurs. Nothing was chosen by the new ones: what was compared had its
    temperature alone.
    """
    usual = settings.class_weights == "none" and settings.loop.sampling == "natural"
    candidate = choice.winner.candidate
    if candidate.strategy == "probe" or not usual or settings.loop.loss != "cross_entropy":
        return choice
    rows = dataset.rows["validation"]
    found = choose_calibration(
        candidate.logits(rows), dataset.targets[rows], dataset.groups[rows], with_biases=True, known=_known(candidate)
    )
    corrected = replace(candidate, bias=(candidate.bias + found.biases).astype(np.float32))
    return replace(choice, winner=replace(choice.winner, candidate=corrected, calibration=found))


def _known(candidate: LinearCandidate) -> float | None:
    """The temperature that it has already."""
    return candidate.known.temperature if isinstance(candidate.known, ClassificationRecord) else None


def _held_out(candidate: LinearCandidate) -> HeldOut:
    """What was held out in training and could be judged; of most candidates nothing."""
    found = candidate.held_out
    if found is None:
        return HeldOut(rows=np.zeros(0, dtype=np.int64), logits=np.zeros((0, len(candidate.bias))))
    judged = np.isfinite(found.logits).all(axis=1)
    return HeldOut(rows=found.rows[judged], logits=found.logits[judged])
