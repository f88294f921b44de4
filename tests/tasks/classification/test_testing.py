"""The test split's figures. In: a made dataset and a calibrated candidate. Out: errors before and after, and the record."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.evaluation.calibration import apply_temperature, calibration_error
from tellapart.evaluation.choosing import LinearCandidate, Validated, only
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


@pytest.mark.long
def test_one_array_of_very_many_classes_is_there_at_a_time() -> None:
    """Peak memory of 2,000 classes and 25,000 test pictures, of which some leaked; a block and the resamples come on top."""
    dataset, winner = many(class_count=2_000, count=62_500)
    whole = 4 * 2_000 * int((dataset.splits == "test").sum())
    tracemalloc.start()
    try:
        tested = score_test_split(make_settings({"data": "pictures"}), only(winner), dataset)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tested.metrics["n"], tested.metrics_without_leaked["n"], whole) == (25_000, 20_000, 200_000_000)
    assert whole < peak < 1.8 * whole


def many(*, class_count: int, count: int) -> tuple[Dataset, Validated[LinearCandidate]]:
    """Pictures of every second class, so that no class is ranked, and each fifth test picture leaked."""
    dataset, winner = made(count)
    generator = np.random.default_rng(0)
    weight = generator.normal(size=(class_count, 8)).astype(np.float32)
    targets = np.arange(count) % (class_count // 2) * 2
    embeddings = (weight[targets] + generator.normal(size=(count, 8))).astype(np.float32)
    candidate = replace(
        winner.candidate,
        weight=weight,
        bias=np.zeros(class_count, dtype=np.float32),
        embeddings=lambda rows: embeddings[rows],
    )
    leaked = np.zeros(count, dtype=np.bool_)
    leaked[np.flatnonzero(dataset.splits == "test")[::5]] = True
    classes = tuple(f"class {number}" for number in range(class_count))
    calibration = replace(winner.calibration, biases=np.zeros(class_count))
    return (
        replace(dataset, classes=classes, targets=targets, leaked=leaked),
        replace(winner, candidate=candidate, calibration=calibration),
    )
