"""A classifier of texts on the validation split. In: a candidate, Dataset. Out: Validated. Next: testing.py."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.evaluation.calibrating import choose_calibration
from tellapart.evaluation.choosing import Validated
from tellapart.tasks.text.probing import NgramCandidate
from tellapart.tasks.text.word_candidate import WordCandidate

AnyTextCandidate = TypeVar("AnyTextCandidate", NgramCandidate, WordCandidate)
FIGURE = "accuracy"


def validate(candidate: AnyTextCandidate, dataset: Dataset) -> Validated[AnyTextCandidate]:
    """Calibrate by the validation rows and what was held out of the training, if anything was; score the validation rows."""
    rows = dataset.rows["validation"]
    labels, own = dataset.targets[rows], candidate.logits(rows)
    judged = np.isfinite(candidate.held_out.logits).all(axis=1)
    every = np.concatenate([rows, candidate.held_out.rows[judged]])
    logits = np.concatenate([own, candidate.held_out.logits[judged].astype(own.dtype)])
    calibration = choose_calibration(logits, dataset.targets[every], dataset.groups[every], with_biases=False)
    return Validated(
        candidate=candidate,
        losses=calibration.losses[: len(rows)],
        figure_name=FIGURE,
        figure=float((own.argmax(axis=1) == labels).mean()),
        calibration=calibration,
        facts={"temperature": calibration.temperature, "calibration": calibration.as_json()},
    )
