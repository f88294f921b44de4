"""How two files answer a set of classes a picture. In: probabilities by hand. Out: what flipped, the headline over resamples."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.answers.multilabel import LabelsAnswer
from tellapart.data.targets import ClassNames
from tellapart.tasks.multilabel.differing import differ, picture_f1, resampled
from tellapart.tasks.multilabel.ranking import mean_average_precision

from .made_run import manifest


def answers(probabilities: np.ndarray, thresholds: np.ndarray, classes: tuple[str, ...]) -> list[LabelsAnswer]:
    return [LabelsAnswer(classes=classes, probabilities=one, chosen=one >= thresholds) for one in probabilities]


def test_another_set_is_a_flip() -> None:
    given = np.array([[0.5, 0.25], [0.625, 0.25], [0.375, 0.25]], dtype=np.float32)
    one, near, other = answers(given, np.array([0.5, 0.5]), ("a", "b"))
    assert (differ(one, near).flipped, differ(one, near).largest) == (0, 0.125)
    assert (differ(one, other).flipped, differ(one, other).of) == (1, 1)


def test_the_headline_of_pictures_as_often_as_they_are_there() -> None:
    made = manifest()
    classes, chance = made.classes, np.random.default_rng(0)
    probabilities = chance.random((12, len(classes))).astype(np.float32)
    truth = chance.random(probabilities.shape) < 0.5
    targets = [ClassNames(tuple(name for name, there in zip(classes, row, strict=True) if there)) for row in truth]
    said = answers(probabilities, np.full(len(classes), 0.5), classes)
    figure = resampled(made, said, targets, np.arange(12) // 2)
    counts = np.array([[1, 1, 1, 1, 1, 1], [2, 1, 0, 1, 3, 1]], dtype=np.float32)
    wanted = []
    for row in counts.astype(int):
        rows = np.repeat(np.arange(12), row[np.arange(12) // 2])
        wanted.append(mean_average_precision(truth[rows].astype(float), probabilities[rows]))
    assert figure.values(counts) == pytest.approx(wanted)


def test_a_picture_alone_is_worth_its_f1() -> None:
    made, thresholds = manifest(), np.full(len(manifest().classes), 0.5)

    def worth(named: tuple[int, ...], true: tuple[int, ...], unknown: tuple[int, ...] = ()) -> float:
        probabilities = np.isin(np.arange(len(made.classes)), named).astype(np.float32)[None]
        (said,) = answers(probabilities, thresholds, made.classes)
        names, hidden = (tuple(made.classes[at] for at in rows) for rows in (true, unknown))
        return picture_f1(made, said, ClassNames(names, hidden))

    assert worth((0, 1), (0, 1)) == 1.0
    assert worth((0, 1), (0,)) == pytest.approx(2 / 3)  # one of two is right, and all is found
    assert worth((0,), (1,)) == 0.0
    assert worth((), ()) == 1.0
    assert worth((1,), ()) == 0.0
    assert worth((0, 1), (0,), unknown=(1,)) == 1.0  # of what nobody knows nothing is said
