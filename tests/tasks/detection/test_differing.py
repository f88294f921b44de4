"""How two files find boxes. In: boxes by hand. Out: which lack a partner, the headline over resamples."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.answers.detection import BoxesAnswer
from tellapart.data.targets import Box, Boxes
from tellapart.tasks.detection.differing import differ, picture_f1, resampled
from tellapart.tasks.detection.evaluating import score

from .made_run import CLASSES, PAGES, THRESHOLDS, Answered, found, manifest


def answer(*boxes: Answered) -> BoxesAnswer:
    own = found(boxes)
    chosen = own.scores >= np.array(THRESHOLDS, dtype=np.float32)[own.labels]
    return BoxesAnswer(
        classes=CLASSES,
        boxes=own.boxes,
        scores=own.scores,
        labels=own.labels,
        chosen=chosen,
        width=200,
        height=160,
    )


def test_a_box_without_a_partner_is_a_flip() -> None:
    before = answer(("ant", 0.75, 10, 10, 50, 60), ("bee", 0.875, 100, 20, 180, 140), ("鸟", 0.25, 60, 100, 90, 130))
    moved = answer(("ant", 0.625, 12, 10, 52, 60), ("bee", 0.875, 100, 20, 180, 140))
    same = differ(before, moved)  # the bird is not told by either
    assert (same.flipped, same.of, same.largest) == (0, 2, 0.125)
    renamed = answer(("bee", 0.75, 10, 10, 50, 60), ("bee", 0.875, 100, 20, 180, 140))
    assert (differ(before, renamed).flipped, differ(before, renamed).of) == (2, 3)
    assert differ(before, answer()).flipped == 2
    assert differ(answer(), answer()).of == 0
    aside = answer(("ant", 0.75, 40, 10, 80, 60), ("bee", 0.875, 100, 20, 180, 140))
    assert (differ(before, aside).flipped, differ(before, aside).largest) == (2, 0.0)


def test_each_partner_is_taken_once() -> None:
    one = answer(("ant", 0.75, 10, 10, 50, 60))
    twice = answer(("ant", 0.75, 10, 10, 50, 60), ("ant", 0.625, 11, 10, 51, 60))
    assert (differ(one, twice).flipped, differ(twice, one).flipped) == (1, 1)


def test_the_headline_of_pictures_as_often_as_they_are_there() -> None:
    answers, targets = [answer(*said) for _, said in PAGES], [Boxes(boxes) for boxes, _ in PAGES]
    figure = resampled(manifest(), answers, targets, np.array([0, 0, 1, 1, 2, 2]))
    rows = [0, 1, 0, 1, 4, 5]
    wanted = [
        score(manifest(), [answers[at] for at in one], [targets[at] for at in one], groups=None, seed=0)["ap50"]
        for one in (range(6), rows)
    ]
    counts = np.array([[1, 1, 1], [2, 0, 1]], dtype=np.float32)
    assert figure.values(counts) == pytest.approx([one["value"] for one in wanted])


def test_a_picture_alone_is_worth_its_f1() -> None:
    ant, bee = (Box(label, *sides) for label, sides in (("ant", (10, 10, 50, 60)), ("bee", (100, 20, 180, 140))))
    hard = Box("鸟", 60, 100, 90, 130, difficult=True)
    said = answer(("ant", 0.75, 12, 10, 52, 60), ("bee", 0.875, 10, 10, 50, 60))

    def worth(boxes: tuple[Box, ...], told: BoxesAnswer = said) -> float:
        return picture_f1(manifest(), told, Boxes(boxes))

    assert worth((ant,), answer(("ant", 0.75, 12, 10, 52, 60))) == 1.0
    assert worth((ant, bee)) == 0.5  # the bee is told elsewhere: one right of two told and two there
    assert worth((ant, hard)) == pytest.approx(2 / 3)  # nobody has to find it
    assert worth((bee,), answer()) == 0.0
    assert worth((), answer()) == 1.0
    assert worth((), answer(("ant", 0.01, 12, 10, 52, 60))) == 1.0  # it is not told
