"""What a DecoupledDetector's answers cost. In: answers by hand. Out: the three parts. Next: test_anchored.py."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from tellapart.tasks.detection.network import places
from tellapart.tasks.detection.yolox import Decoupled, joint_logits
from tellapart.tasks.detection.yolox_loss import DecoupledLoss

NAN = float("nan")
PLACES = places(32)  # 16 of stride 8, 4 of stride 16, 1 of stride 32
BOX = [8.0, 8.0, 24.0, 24.0]
HALF = [8.0, 8.0, 24.0, 16.0]  # an overlap of 0.5
ZERO = math.log(2)  # what a logit of 0 costs, whatever is wanted


class Saying(nn.Module):
    """The same of each picture: place 5 half of BOX, all others a corner; all logits are 0."""

    def answer(self, inputs: torch.Tensor, start: int) -> Decoupled:
        count = len(inputs)
        boxes = torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(count, len(PLACES), 1)
        boxes[:, 5] = torch.tensor(HALF)
        objects = torch.zeros(count, len(PLACES))
        objects[:, 5] = 2.0
        return Decoupled(torch.zeros(count, len(PLACES), 2), objects, boxes)


def measured(*rows: list[float]) -> dict[str, Any]:
    truth = torch.tensor([[*rows, [NAN] * 6]])
    found = DecoupledLoss(boxes_a_picture=1.0).measure(Saying(), torch.zeros(1), truth, start=0, places=PLACES)
    assert found.found is not None
    return {name: float(value) * 5 for name, value in found.parts.items()}  # without the divisor


def test_the_one_place_that_answers_is_taught_class_object_and_box() -> None:
    found = measured([1, *BOX, 0])
    # Cross-entropy: place 5 should be sure, the 20 others should say no.
    assert found["object_loss"] == pytest.approx(math.log1p(math.exp(-2)) + 20 * ZERO, rel=1e-5)
    assert found["score_loss"] == pytest.approx(2 * ZERO, rel=1e-5)
    assert found["box_loss"] == pytest.approx(5 * (1 - 0.5**2), rel=1e-5)


def test_without_a_box_only_objects_are_taught() -> None:
    found = measured()
    assert found == {
        "object_loss": pytest.approx(math.log1p(math.exp(2)) + 20 * ZERO, rel=1e-5),
        "score_loss": 0,
        "box_loss": 0,
    }


def test_in_a_difficult_box_nothing_is_wrong() -> None:
    # In it lie four places of stride 8, place 5 among them, and the one of stride 32: 16 others are left.
    assert measured([0, *BOX, 1])["object_loss"] == pytest.approx(16 * ZERO, rel=1e-5)


def test_a_joint_logit_is_that_of_the_product() -> None:
    first, second = torch.meshgrid(torch.linspace(-30, 30, 13), torch.linspace(-30, 30, 13), indexing="ij")
    product = first.double().sigmoid() * second.double().sigmoid()
    found = joint_logits(first, second)
    torch.testing.assert_close(found.double().sigmoid(), product, rtol=1e-5, atol=1e-12)
    assert float(found.max()) > 20
