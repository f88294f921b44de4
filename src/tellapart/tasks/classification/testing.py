"""The kept classifier on the test split. In: Choice, Dataset. Out: Tested. Next: sections.py."""

from __future__ import annotations

import numpy as np

from tellapart.bundle import ClassificationRecord
from tellapart.data.dataset import Dataset
from tellapart.evaluation.calibrating import ClassCalibration
from tellapart.evaluation.calibration import apply_in_place, surest_of
from tellapart.evaluation.choosing import Choice, LinearCandidate
from tellapart.runs.proving import expected_of
from tellapart.runs.writing import Tested
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.classification.abstaining import learn_to_abstain
from tellapart.tasks.tested_classes import SCORES, figures, header, rows_of


def test(settings: TrainSettings, choice: Choice[LinearCandidate], dataset: Dataset) -> Tested:
    """Score the winner on the test split: the only time that anything looks at it."""
    winner = choice.winner
    calibration: ClassCalibration = winner.calibration
    rows = np.flatnonzero(dataset.splits == "test")  # in the order of the listing, as predictions.csv is read
    # One array as large as the test split times the classes is there at a time: of 10,000 classes it is half a gigabyte.
    abstention = learn_to_abstain(winner, dataset, coverage=settings.coverage, seed=settings.seed)
    logits_NK = winner.candidate.logits(rows)
    uncalibrated = surest_of(logits_NK, calibration.biases)
    probabilities = apply_in_place(logits_NK, calibration.temperature)
    labels, leaked = dataset.targets[rows], dataset.leaked[rows]
    metrics, clean = figures(probabilities, uncalibrated, dataset, rows, seed=settings.seed)
    return Tested(
        rows=rows,
        record=ClassificationRecord(temperature=calibration.temperature, abstention=abstention.record()),
        metrics=metrics,
        metrics_without_leaked=clean,
        leaked=int(leaked.sum()),
        shown=SCORES,
        beside={
            "abstention": abstention.measured,
            "temperature": calibration.temperature,
            "calibration": calibration.as_json(),
        },
        columns=header(dataset.classes),
        table=lambda examples: rows_of(examples, probabilities, labels, dataset.classes),
        expected=expected_of(probabilities, abstention.novelty.score),
        details=abstention,
        arrays=lambda: {
            "probabilities": probabilities,
            "chances": uncalibrated.chances,
            "classes": uncalibrated.classes,
            "novelty": winner.candidate.over(rows, abstention.novelty.score),
        },
        warning=abstention.warning,
    )
