"""Which places answer for which box. In: cases worked by hand. Out: places, boxes, overlaps."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tellapart.tasks.detection.network import places
from tellapart.tasks.detection.simota import Matched, match

# Of 32 pixels: 4 x 4 places of stride 8 at 4, 12, 20, 28; then 2 x 2 of stride 16 at 8, 24; then one of stride 32 at 16.
PLACES = places(32)
NOWHERE = [0.0, 0.0, 1.0, 1.0]


def matched(
    boxes: dict[int, list[float]], truth: list[list[float]], labels: list[int], scores: Tensor | None = None
) -> Matched:
    """Of places that say these boxes, and all others a box of one pixel in the corner; all classes as likely."""
    said = torch.tensor([boxes.get(number, NOWHERE) for number in range(len(PLACES))])
    likely = torch.full((len(PLACES), 2), 0.5) if scores is None else scores
    return match(likely, said, torch.tensor(labels, dtype=torch.int64), torch.tensor(truth).reshape(-1, 4), PLACES)


def test_as_many_places_answer_as_the_best_overlaps_add_up_to() -> None:
    # The places 5, 6, 9, 10 (stride 8) and 20 (stride 32) lie in the box. IoU 1, 0.75 and 0.5 make 2.25: two places.
    box = [8.0, 8.0, 24.0, 24.0]
    said = {5: box, 6: [8.0, 8.0, 24.0, 20.0], 9: [8.0, 8.0, 24.0, 16.0]}
    found = matched(said, [box], [0])
    assert found.places.tolist() == [5, 6]
    assert found.boxes.tolist() == [0, 0]
    assert found.overlaps.tolist() == [1.0, 0.75]


def test_a_box_that_nobody_overlaps_gets_one_place() -> None:
    found = matched({}, [[8.0, 8.0, 24.0, 24.0]], [0])
    assert len(found.places) == 1
    assert found.overlaps.tolist() == [0.0]


def test_a_place_whose_class_is_likelier_comes_first() -> None:
    box = [8.0, 8.0, 24.0, 24.0]
    likely = torch.full((len(PLACES), 2), 0.5)
    likely[6] = torch.tensor([0.1, 0.9])
    # Each says the same box with an overlap of 0.5: one place. Cross-entropy: 2 log 2 = 1.39, and -2 log 0.9 = 0.21 of place 6.
    said = {place: [8.0, 8.0, 24.0, 16.0] for place in (5, 6, 9)}
    assert matched(said, [box], [1], likely).places.tolist() == [6]
    assert -2 * math.log(0.9) < 2 * math.log(2)


def test_of_two_boxes_a_place_answers_for_the_one_that_it_costs_less() -> None:
    first, second = [8.0, 8.0, 24.0, 24.0], [8.0, 8.0, 24.0, 20.0]
    # Place 5 says the second box itself, and nobody else says anything: both boxes want it, the second at no cost.
    found = matched({5: second}, [first, second], [0, 0])
    assert (5, 1) in zip(found.places.tolist(), found.boxes.tolist(), strict=True)
    assert len(set(found.places.tolist())) == len(found.places)


def test_a_place_inside_and_near_the_middle_comes_before_one_that_is_only_inside() -> None:
    # A wide box: place 4 at x = 4 lies in it, but 12 pixels of its middle at 16 are its reach of 2.5 strides; stride 32 has more.
    wide = torch.tensor([[0.0, 8.0, 64.0, 16.0]])
    table = places(64)
    said = torch.tensor([NOWHERE] * len(table))
    far = int(((table - torch.tensor([4.0, 12.0, 8.0])).abs().sum(1)).argmin())
    near = int(((table - torch.tensor([28.0, 12.0, 8.0])).abs().sum(1)).argmin())
    said[far] = said[near] = wide[0]
    said[near, 2] = 48.0  # it fits less well: 0.75
    found = match(torch.full((len(table), 1), 0.5), said, torch.tensor([0]), wide, table)
    assert found.places.tolist() == [near]
    assert found.overlaps.tolist() == pytest.approx([0.75])


def test_nothing_is_matched_where_there_is_no_box() -> None:
    found = matched({}, [], [])
    assert [len(part) for part in found] == [0, 0, 0]
