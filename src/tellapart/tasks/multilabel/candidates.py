"""A candidate on the validation split: a set of classes a picture. In: Candidate, Dataset. Out: Validated. Next: calibration.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import MultilabelRecord
from tellapart.data.dataset import Dataset
from tellapart.errors import DataError
from tellapart.evaluation.choosing import Choice, LinearCandidate, Validated
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.multilabel.calibrating import choose_calibration
from tellapart.tasks.multilabel.calibration import MultilabelCalibration
from tellapart.tasks.multilabel.ranking import mean_average_precision
from tellapart.tasks.multilabel.thresholds import ClassThresholds, choose_thresholds

FIGURE = "mean_average_precision"


def validate(candidate: LinearCandidate, dataset: Dataset) -> Validated[LinearCandidate]:
    """Calibrate by the validation rows, and what was held out of the training, where anything was; score the validation rows.

    The loss of a picture is the mean over the classes of which it is known whether it shows them, each calibrated by other
    pictures; a picture of which nothing is known counts nowhere. Where no class has a known picture with and one without it,
    the figure is 0. Raises: DataError where nothing is known of any validation picture.
    """
    rows = dataset.rows["validation"]
    told = ~np.isnan(dataset.targets[rows]).all(axis=1)
    if not told.any():
        raise DataError(
            f"{len(rows)} validation pictures, of none of which anything is known; choosing needs at least 1. "
            "Fill in the table's cells, or add pictures to the validation split."
        )
    rows = rows[told]
    logits, every = candidate.logits(rows), rows
    precision = mean_average_precision(dataset.targets[rows], logits)
    if candidate.held_out is not None:
        logits, every = np.concatenate([logits, candidate.held_out.logits]), np.append(rows, candidate.held_out.rows)
    found = choose_calibration(logits, dataset.targets[every], dataset.groups[every], known=_known(candidate))
    return Validated(
        candidate=candidate,
        losses=np.nanmean(found.losses[: len(rows)], axis=1),
        figure_name=FIGURE,
        figure=0.0 if precision is None else precision,
        calibration=found.calibration,
        facts={
            "scales": found.calibration.scales.tolist(),
            "offsets": found.calibration.offsets.tolist(),
            "calibration": found.as_json(),
        },
    )


def _known(candidate: LinearCandidate) -> MultilabelCalibration | None:
    """The scales and offsets that it has already."""
    record = candidate.known
    if not isinstance(record, MultilabelRecord):
        return None
    return MultilabelCalibration(scales=np.array(record.scales), offsets=np.array(record.offsets), untouched=())


def correct(settings: TrainSettings, choice: Choice[LinearCandidate], dataset: Dataset) -> Choice[LinearCandidate]:
    """The same choice: each class has its offset already."""
    return choice


def draw_lines(
    winner: Validated[LinearCandidate], dataset: Dataset, *, precision: float | None = None
) -> ClassThresholds:
    """The winner's threshold of each class, on the validation rows; see choose_thresholds. Raises: SettingsError."""
    rows = dataset.rows["validation"]
    return choose_thresholds(calibrated(winner, rows), dataset.targets[rows], precision=precision)


def calibrated(winner: Validated[LinearCandidate], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """The winner's calibrated probabilities [n, K] of rows of the data set."""
    calibration = winner.calibration
    assert isinstance(calibration, MultilabelCalibration)
    return calibration.probabilities(winner.candidate.logits(rows))
