"""How two files make masks. In: masks by hand. Out: pixels that flipped, the headline over resamples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.data.mask_targets import Painting, painted
from tellapart.tasks.segmentation.differing import differ, picture_overlap, resampled
from tellapart.tasks.segmentation.evaluating import score
from tellapart.tasks.segmentation.judging import judge

from .made_masks import CLASSES, answer_of, discs, spoiled
from .made_run import manifest


def test_each_pixel_of_another_class_is_a_flip() -> None:
    truth = discs(0)
    told = truth.copy()
    told[3, 4:9] = (told[3, 4:9] + 1) % 3
    one, other = (judge(answer_of(mask), truth, path="a.png") for mask in (truth, told))
    assert (differ(one, other).flipped, differ(one, other).of) == (5, truth.size)
    assert differ(one, one).flipped == 0
    assert differ(one, one).largest is None


def test_the_headline_of_pictures_as_often_as_they_are_there() -> None:
    judged = [judge(answer_of(spoiled(discs(n), n)), discs(n), path=f"{n}.png") for n in range(4)]
    target = painted(Path("a.png"), Painting(values=CLASSES, pixels=(1, 1, 1)))
    figure = resampled(manifest(), judged, [target] * 4, np.array([0, 1, 1, 2]))
    wanted = [
        score(manifest(), [judged[at] for at in rows], [target] * len(rows), groups=None, seed=0)["iou"]["value"]
        for rows in (range(4), (0, 0, 1, 2))
    ]
    assert figure.values(np.array([[1, 1, 1], [2, 1, 0]], dtype=np.float32)) == pytest.approx(wanted)


def test_a_picture_alone_is_worth_its_mean_overlap() -> None:
    truth = np.zeros((4, 4), dtype=np.uint8)
    truth[:2] = 1
    told = truth.copy()
    told[1] = 0  # of class 1 half is found; of class 0 two thirds of what is told are
    target = painted(Path("a.png"), Painting(values=CLASSES, pixels=(1, 1, 1)))
    judged = judge(answer_of(told), truth, path="a.png")
    assert picture_overlap(manifest(), judged, target) == pytest.approx(
        (1 / 2 + 2 / 3) / 2
    )  # and of class 2 nothing is said
    assert picture_overlap(manifest(), judge(answer_of(truth), truth, path="a.png"), target) == 1.0
