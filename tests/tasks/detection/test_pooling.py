"""Folds of boxes as one test. In: made-up answers. Out: figures worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.answers.detection import BoxesAnswer
from tellapart.bundle import DetectionRecord
from tellapart.data.targets import Box, Boxes
from tellapart.tasks.detection.pooling import answers_as_arrays, pool
from tellapart.tasks.folds import FoldAnswers

CLASSES = ("cat", "dog")
TRUE = Boxes((Box("cat", 0, 0, 10, 10),))
HIT, MISS = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)


def record(*thresholds: float) -> DetectionRecord:
    return DetectionRecord(
        scales=(1.0, 1.0),
        offsets=(0.0, 0.0),
        thresholds=thresholds,
        threshold_rule="f1",
        calibrated_on=10,
        overlap=0.5,
        most=100,
        least_score=0.01,
    )


def answer(*found: tuple[tuple[float, float, float, float], float]) -> BoxesAnswer:
    """Cats where they were found, and how certain each is."""
    return BoxesAnswer(
        path="a.png",
        classes=CLASSES,
        width=100,
        height=100,
        boxes=np.array([box for box, _ in found], dtype=np.float32).reshape(-1, 4),
        scores=np.array([score for _, score in found], dtype=np.float32),
        labels=np.zeros(len(found), dtype=np.int64),
    )


def test_answers_come_back_picture_by_picture() -> None:
    arrays = answers_as_arrays([answer((HIT, 0.9), (MISS, 0.2)), answer(), answer((HIT, 0.4))])
    assert arrays["count"].tolist() == [2, 0, 1]
    assert arrays["scores"] == pytest.approx([0.9, 0.2, 0.4])
    assert arrays["boxes"].shape == (3, 4)
    with pytest.raises(ValueError, match="could not be read: gone"):
        answers_as_arrays([BoxesAnswer(path="x.png", classes=CLASSES, error="gone")])


def test_each_fold_counts_by_its_own_thresholds() -> None:
    parts = [
        FoldAnswers(record=record(0.5, 0.5), arrays=answers_as_arrays([answer((HIT, 0.6)), answer((HIT, 0.4))])),
        FoldAnswers(record=record(0.3, 0.5), arrays=answers_as_arrays([answer((HIT, 0.4), (MISS, 0.35))])),
    ]
    found = pool(parts, [TRUE] * 3, classes=CLASSES, groups=np.arange(3), record=record(0.4, 0.4), beside={}, seed=0)
    # Told: the first; nothing of the second; both of the third, of which one is wrong.
    assert (found.metrics["recall"]["value"], found.metrics["precision"]["value"]) == pytest.approx((2 / 3, 2 / 3))
    assert found.metrics["ap50"]["value"] == 1.0, "average precision ranks all answers, whatever the thresholds"
    assert found.metrics["per_class"]["cat"]["threshold"] == pytest.approx((0.5 + 0.5 + 0.3) / 3)
    assert found.record == record(0.4, 0.4)
