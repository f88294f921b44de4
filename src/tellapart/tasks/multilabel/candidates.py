"""A candidate on the validation split: a set of classes a picture. In: Candidate, Dataset. Out: Validated. Next: calibration.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.errors import DataError
from tellapart.evaluation.choosing import Candidate, Choice, Validated
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.multilabel.calibration import MultilabelCalibration, fit_calibration, log_losses
from tellapart.tasks.multilabel.ranking import mean_average_precision
from tellapart.tasks.multilabel.thresholds import ClassThresholds, choose_thresholds

FIGURE = "mean_average_precision"


def validate(candidate: Candidate, dataset: Dataset) -> Validated:
    """Fit scales and offsets on the validation rows and score them.

    The loss of a picture is the mean over the classes of which it is known whether it shows them; a picture of which
    nothing is known counts nowhere. Where no class has a known picture with and one without it, the figure is 0.
    Raises: DataError where nothing is known of any validation picture.
    """
    rows = dataset.rows["validation"]
    targets = dataset.targets[rows]
    told = ~np.isnan(targets).all(axis=1)
    if not told.any():
        raise DataError(
            f"{len(rows)} validation pictures, of none of which anything is known; choosing needs at least 1. "
            "Fill in the table's cells, or add pictures to the validation split."
        )
    logits, targets = candidate.logits(rows)[told], targets[told]
    calibration = fit_calibration(logits, targets)
    precision = mean_average_precision(targets, calibration.logits(logits))
    return Validated(
        candidate=candidate,
        losses=np.nanmean(log_losses(calibration.logits(logits), targets), axis=1),
        figure_name=FIGURE,
        figure=0.0 if precision is None else precision,
        calibration=calibration,
        facts={"scales": calibration.scales.tolist(), "offsets": calibration.offsets.tolist()},
    )


def correct(settings: TrainSettings, choice: Choice, dataset: Dataset) -> Choice:
    """The same choice: each class has its offset already."""
    return choice


def draw_lines(winner: Validated, dataset: Dataset, *, precision: float | None = None) -> ClassThresholds:
    """The winner's threshold of each class, on the validation rows; see choose_thresholds. Raises: SettingsError."""
    rows = dataset.rows["validation"]
    return choose_thresholds(calibrated(winner, rows), dataset.targets[rows], precision=precision)


def calibrated(winner: Validated, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """The winner's calibrated probabilities [n, K] of rows of the data set."""
    calibration = winner.calibration
    assert isinstance(calibration, MultilabelCalibration)
    return calibration.probabilities(winner.candidate.logits(rows))
