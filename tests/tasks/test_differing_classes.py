"""How two files answer one class a picture. In: probabilities by hand. Out: what flipped, accuracy over resamples."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.answers.classification import ClassAnswer
from tellapart.bundle import Manifest
from tellapart.data.targets import ClassName
from tellapart.tasks.differing_classes import differ, resampled

CLASSES = ("blue", "green", "红色")


def answer(*probabilities: float) -> ClassAnswer:
    return ClassAnswer(classes=CLASSES, probabilities=np.array(probabilities, dtype=np.float32))


def test_another_class_is_a_flip() -> None:
    same = differ(answer(0.5, 0.25, 0.25), answer(0.75, 0.0, 0.25))
    assert (same.flipped, same.of, same.largest) == (0, 1, 0.25)
    other = differ(answer(0.5, 0.25, 0.25), answer(0.375, 0.5, 0.125))
    assert (other.flipped, other.of, other.largest) == (1, 1, 0.25)


def test_accuracy_over_groups(tiny_manifest: Manifest) -> None:
    answers = [answer(1, 0, 0), answer(0, 1, 0), answer(0, 0, 1)]
    targets = [ClassName("blue"), ClassName("blue"), ClassName("红色")]
    figure = resampled(tiny_manifest, answers, targets, np.array([0, 0, 1]))
    assert figure.values(np.array([[1, 1], [2, 0], [0, 3]], dtype=np.float32)) == pytest.approx([2 / 3, 0.5, 1.0])
