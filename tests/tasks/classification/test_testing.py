"""The test split's figures. In: a made dataset and a calibrated candidate. Out: errors before and after, and the record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tellapart.evaluation.calibration import apply_temperature, calibration_error
from tellapart.evaluation.choosing import only
from tellapart.settings.reading import make_settings
from tellapart.tasks.classification.testing import test as score_test_split

from .test_abstaining import TEMPERATURE, WEIGHT, made

BIASES = np.array([1.5, 0.0, -0.5])


def test_before_calibration_is_without_the_temperature_and_the_biases() -> None:
    dataset, winner = made()
    winner = replace(
        winner,
        candidate=replace(winner.candidate, bias=BIASES.astype(np.float32)),  # where the biases are by now
        calibration=replace(winner.calibration, method="temperature and biases", biases=BIASES),
    )
    tested = score_test_split(make_settings({"data": "pictures"}), only(winner), dataset)
    rows = np.flatnonzero(dataset.splits == "test")
    raw, labels = winner.candidate.embeddings(rows) @ WEIGHT.T, dataset.targets[rows]
    found = tested.metrics["calibration_error"]
    assert found["before"] == pytest.approx(calibration_error(apply_temperature(raw, 1.0), labels), abs=1e-6)
    after = apply_temperature(raw + BIASES, TEMPERATURE)
    assert found["after"] == pytest.approx(calibration_error(after, labels), abs=1e-6)
    assert 0 < found["by_chance"]["mean"] < found["by_chance"]["high"] < 0.3
    assert tested.record.temperature == tested.beside["temperature"] == TEMPERATURE
    assert tested.beside["calibration"]["biases"] == BIASES.tolist()
    assert tested.beside["calibration"]["method"] == "temperature and biases"
