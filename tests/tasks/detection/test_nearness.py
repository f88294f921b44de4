"""How far a detector is from another. In: scores and boxes. Out: distances worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from tellapart.tasks.detection.nearness import boxes_distance
from tellapart.training.distilling import Lore

LORE = Lore(ending="sigmoid", temperature=1.0)


def test_the_same_is_not_far() -> None:
    chance = torch.Generator().manual_seed(0)
    scores, boxes = torch.randn(2, 5, 3, generator=chance), torch.rand(2, 5, 4, generator=chance) * 50
    torch.testing.assert_close(boxes_distance((scores, boxes), (scores, boxes), LORE), torch.zeros(2))


def test_sides_count_where_the_teacher_sees_something() -> None:
    """One place with a thing (10 by 30 pixels), one without; the sides of the first are 4 pixels off altogether."""
    told = torch.tensor([[[0.0, 0.0, 10.0, 30.0], [0.0, 0.0, 8.0, 8.0]]])
    taught = torch.tensor([[[40.0], [-40.0]]])
    near = told.clone()
    near[0, 0] += torch.tensor([1.0, -1.0, 2.0, 0.0])
    torch.testing.assert_close(boxes_distance((taught, near), (taught, told), LORE), torch.tensor([4 / 40]))
    elsewhere = told.clone()
    elsewhere[0, 1] += 100
    torch.testing.assert_close(boxes_distance((taught, elsewhere), (taught, told), LORE), torch.zeros(1))


def test_scores_count_for_each_thing_and_not_for_each_place() -> None:
    """A divergence of log 2 at a place with a thing: as much among 1 other place as among 99, half of it beside a second thing."""
    boxes = torch.zeros(1, 100, 4)
    taught = torch.full((1, 100, 1), -40.0)
    taught[0, 0] = 40.0
    said = taught.clone()
    said[0, 0] = 0.0
    for places in (2, 100):
        found = boxes_distance((said[:, :places], boxes[:, :places]), (taught[:, :places], boxes[:, :places]), LORE)
        torch.testing.assert_close(found, torch.tensor([math.log(2)]))
    taught[0, 1] = said[0, 1] = 40.0
    torch.testing.assert_close(boxes_distance((said, boxes), (taught, boxes), LORE), torch.tensor([math.log(2) / 2]))


def test_other_shapes_are_refused() -> None:
    boxes = torch.zeros(1, 2, 4)
    with pytest.raises(ValueError, match=r"scores \[1, 2, 1\] and a teacher's \[1, 2, 3\]; give alike ones"):
        boxes_distance((torch.zeros(1, 2, 1), boxes), (torch.zeros(1, 2, 3), boxes), LORE)
