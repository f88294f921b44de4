"""Folds of sets of classes as one test. In: made-up answers. Out: figures worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.bundle import MultilabelRecord
from tellapart.data.targets import ClassNames
from tellapart.tasks.folds import FoldAnswers
from tellapart.tasks.multilabel.pooling import average, pool
from tellapart.tasks.multilabel.telling import decided

CLASSES = ("sea", "sun")


def record(*thresholds: float, novelty: float | None = 1.0) -> MultilabelRecord:
    return MultilabelRecord(
        scales=(1.0, 1.0),
        offsets=(0.0, 0.0),
        thresholds=thresholds,
        threshold_rule="f1",
        novelty_threshold=novelty,
        calibrated_on=10,
    )


def fold(chances: list[tuple[float, float]], decides: MultilabelRecord, novelty: list[float]) -> FoldAnswers:
    values = np.array(chances, dtype=np.float32)
    return FoldAnswers(
        record=decides, arrays={"probabilities": values, "uncalibrated": values, "novelty": np.array(novelty)}
    )


PARTS = [
    fold([(0.9, 0.2), (0.3, 0.8)], record(0.5, 0.5), [0.5, 2.0]),
    fold([(0.4, 0.4), (0.1, 0.9)], record(0.3, 0.95), [0.5, 0.5]),
]
TARGETS = [ClassNames.read(text) for text in ("sea", "sun", "sea|sun", "sun")]


def test_each_fold_names_classes_by_its_own_thresholds() -> None:
    found = pool(
        PARTS,
        TARGETS,
        classes=CLASSES,
        groups=np.arange(4),
        record=record(0.5, 0.5),
        beside={"abstention": {"wanted": 0.9, "novelty_threshold": 1.0, "calibrated_on": 10, "n": 2, "known": None}},
        seed=0,
    )
    sea, sun = (found.metrics["per_class"][name] for name in CLASSES)
    # Named: sea; sun; sea; nothing, for 0.9 is under 0.95.
    assert (sea["recall"], sea["precision"], sun["recall"], sun["precision"]) == (1.0, 1.0, 1 / 3, 1.0)
    assert (sea["threshold"], sun["threshold"]) == pytest.approx((0.4, 0.725))
    assert found.beside["abstention"] == {
        "wanted": 0.9,
        "novelty_threshold": 1.0,
        "calibrated_on": 10,
        "n": 4,
        "known": found.beside["abstention"]["known"],
    }
    assert found.beside["abstention"]["known"]["value"] == 3 / 4
    assert found.record.known is not None
    assert found.record.known.value == 3 / 4
    mean = {**found.beside, "kfold": {"kept": "ensemble"}}  # which has no test of its own beside
    assert decided(mean).startswith("labels    a threshold a class, for the best F1 of all folds; 75.0 % (95 %: ")


def test_the_mean_of_networks_names_classes_by_lines_through_all_pictures() -> None:
    found = average(PARTS, TARGETS, classes=CLASSES, coverage=0.6, precision=None)
    assert isinstance(found, MultilabelRecord)
    # The sea is there from 0.4 on and not up to 0.3; the sun from 0.4 on and not at 0.2.
    assert found.thresholds == pytest.approx((0.35, 0.3), abs=1e-6)
    assert (found.calibrated_on, found.novelty_threshold) == (4, 0.5)
