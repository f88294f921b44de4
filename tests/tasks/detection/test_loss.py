"""What scores and boxes cost. In: numbers by hand, torchvision's. Out: the same, a picture at a time. Next: test_learner.py."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss

from tellapart.tasks.detection.loss import DetectionLoss, giou_loss, quality_focal_loss
from tellapart.tasks.detection.network import boxes_at, places

NAN = float("nan")
PLACES = places(64)
MIDDLES = PLACES[:, :2]
LOSS = DetectionLoss(boxes_a_picture=1.5)
TRUTH = torch.tensor(
    [
        [[0, 4, 4, 30, 40, 0], [1, 20, 8, 60, 60, 0]],
        [[NAN] * 6, [NAN] * 6],
        [[1, 2, 30, 50, 62, 0], [0, 30, 0, 60, 20, 1]],
    ]
)


def given() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    scores = torch.randn(3, len(PLACES), 2, generator=generator) - 2
    boxes = boxes_at(PLACES, torch.rand(3, len(PLACES), 4, generator=generator) * 3 + 0.2)
    return scores.requires_grad_(), boxes.requires_grad_()


def test_giou_is_torchvisions() -> None:
    generator = torch.Generator().manual_seed(1)
    corners = torch.rand(2, 50, 4, generator=generator) * 30
    boxes, truth = torch.cat([corners[..., :2], corners[..., :2] + corners[..., 2:] + 0.1], dim=-1)
    torch.testing.assert_close(giou_loss(boxes, truth), generalized_box_iou_loss(boxes, truth, reduction="none"))


def test_giou_by_hand() -> None:
    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 2, 2]])
    truth = torch.tensor([[0.0, 0, 2, 2], [3, 0, 4, 1], [1, 0, 3, 2]])
    # The same; apart, in a hull of 4 with 2 of it filled; a third shared, in a hull that is filled.
    assert giou_loss(boxes, truth).tolist() == pytest.approx([0, 1.5, 2 / 3], abs=1e-5)


def test_quality_focal_loss_by_hand() -> None:
    logits = torch.tensor([0.0, math.log(3.0)])  # 0.5 and 0.75
    wanted = torch.tensor([0.75, 0.0])
    first = 0.25**2 * math.log(2)
    second = 0.75**2 * -math.log(0.25)
    assert quality_focal_loss(logits, wanted).tolist() == pytest.approx([first, second], rel=1e-5)


def test_a_picture_costs_the_same_alone_and_among_others() -> None:
    scores, boxes = given()
    whole = LOSS(scores, boxes, TRUTH, PLACES)
    for picture in range(3):
        part = slice(picture, picture + 1)
        alone = LOSS(scores[part], boxes[part], TRUTH[part], PLACES)
        for one, other in zip(whole, alone, strict=True):
            torch.testing.assert_close(one[part], other)
    assert whole[1].tolist()[1] == 0  # no boxes
    assert whole[0].tolist()[1] > 0  # and yet scores that are too high


def test_rows_of_nan_cost_nothing() -> None:
    scores, boxes = given()
    more = torch.cat([TRUTH, torch.full((3, 4, 6), NAN)], dim=1)
    for one, other in zip(LOSS(scores, boxes, TRUTH, PLACES), LOSS(scores, boxes, more, PLACES), strict=True):
        torch.testing.assert_close(one, other)


def test_scores_within_a_difficult_box_move_nothing() -> None:
    scores, boxes = given()
    by_score, by_box = LOSS(scores, boxes, TRUTH, PLACES)
    (by_score + by_box).sum().backward()
    x, y = MIDDLES.T
    inside = (x > 30) & (x < 60) & (y > 0) & (y < 20)
    assert scores.grad is not None
    moved = scores.grad[2].abs().sum(1) > 0
    assert int(inside.sum()) > 3
    assert not bool(moved[inside].any())
    assert bool(moved[~inside].all())
    assert bool(scores.grad.isfinite().all())


def test_boxes_are_pulled_towards_the_true_ones() -> None:
    scores, boxes = given()
    LOSS(scores, boxes, TRUTH, PLACES)[1].sum().backward()
    assert boxes.grad is not None
    places_moved = (boxes.grad.abs().sum(2) > 0).sum(1).tolist()
    assert places_moved == [18, 0, 9]


def test_pictures_with_many_boxes_bring_the_loss_down_to_the_same_size() -> None:
    scores, boxes = given()
    one, ten = (
        DetectionLoss(boxes_a_picture=count)(scores, boxes, TRUTH, PLACES)[0].sum().item() for count in (1.0, 10.0)
    )
    assert one == pytest.approx(10 * ten)
    few = DetectionLoss(boxes_a_picture=0.01)(scores, boxes, TRUTH, PLACES)[0].sum().item()
    assert few == pytest.approx(one)
