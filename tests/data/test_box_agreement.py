"""Whether the boxes of two copies can both be right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from tellapart.answers.boxes import overlaps
from tellapart.data.box_agreement import Annotation, boxes_disagree, in_words
from tellapart.data.targets import Box, Boxes


def page(*boxes: Box, size: tuple[int, int] = (100, 100)) -> Annotation:
    return Annotation(Boxes(boxes), *size)


CAT, DOG = Box("cat", 10, 10, 50, 50), Box("dog", 60, 60, 90, 90)


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        (page(CAT, DOG), page(DOG, CAT), False),
        (page(CAT), page(Box("cat", 12, 9, 52, 49)), False),
        (page(CAT), page(Box("cat", 5, 5, 25, 25), size=(50, 50)), False),
        (page(CAT), page(Box("cat", 40, 40, 80, 80)), True),
        (page(CAT), page(Box("dog", 10, 10, 50, 50)), True),
        (page(CAT), page(), True),
        (page(), page(), False),
        (page(CAT, Box("cat", 60, 60, 90, 90)), page(CAT, CAT), True),
        (page(CAT, CAT), page(CAT, Box("cat", 60, 60, 90, 90)), True),
    ],
)
def test_what_differs(one: Annotation, other: Annotation, differ: bool) -> None:
    assert boxes_disagree([one, other]) == differ
    assert boxes_disagree([one, one, other]) == differ


def test_crowded_pictures_are_compared_by_number() -> None:
    many = page(*(Box("cat", number, 0, number + 1, 1) for number in range(10_000)))
    moved = page(*(Box("cat", number, 50, number + 1, 51) for number in range(10_000)))
    assert not boxes_disagree([many, moved])


def test_overlaps_are_torchvision_s() -> None:
    generator = np.random.default_rng(0)
    ones, others = (
        np.concatenate(
            [corner := generator.uniform(0, 50, (count, 2)), corner + generator.uniform(1, 50, (count, 2))], axis=1
        )
        for count in (7, 5)
    )
    wanted = box_iou(torch.from_numpy(ones), torch.from_numpy(others)).numpy()
    np.testing.assert_allclose(overlaps(ones, others), wanted, rtol=1e-12)


def test_in_words() -> None:
    assert in_words(Boxes((DOG, CAT, DOG))) == "1 cat, 2 dog"
    assert in_words(Boxes()) == "none"
