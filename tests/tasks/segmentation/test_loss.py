"""The loss of masks against numbers worked out another way. In: logits, masks. Out: losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from tellapart.tasks.segmentation.loss import LOSSES, PixelLoss, lovasz_loss

CLASSES = 3


@pytest.fixture(scope="module")
def given() -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(3)
    logits = torch.randn(4, CLASSES, 6, 5, generator=chance)
    masks = torch.randint(0, CLASSES, (4, 6, 5), generator=chance)
    masks[0, 0] = 255
    masks[1][masks[1] == 2] = 0  # the second crop does not show the last class
    masks[3] = 255
    return logits, masks


def by_hand(logits: torch.Tensor, mask: torch.Tensor) -> tuple[float, float]:
    """Mean cross-entropy and 1 - Dice of one crop, pixel by pixel."""
    pixels = [(logits[:, y, x].softmax(0), int(mask[y, x])) for y in range(6) for x in range(5) if mask[y, x] != 255]
    if not pixels:
        return 0.0, 0.0
    entropy = -sum(float(chances[label].log()) for chances, label in pixels) / len(pixels)
    dice = []
    for number in range(CLASSES):
        true = sum(label == number for _, label in pixels)
        if true:
            said = sum(float(chances[number]) for chances, _ in pixels)
            both = sum(float(chances[number]) for chances, label in pixels if label == number)
            dice.append((2 * both + 2) / (said + true + 2))
    return entropy, 1 - sum(dice) / len(dice)


def test_cross_entropy_and_dice_are_each_crops_own(given: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, masks = given
    found = PixelLoss()(logits, masks)
    wanted = np.array([by_hand(*pair) for pair in zip(logits, masks, strict=True)])
    np.testing.assert_allclose(found["pixel_loss"].numpy(), wanted[:, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["overlap_loss"].numpy(), wanted[:, 1], rtol=1e-5, atol=1e-6)
    alone = PixelLoss()(logits[1:2], masks[1:2])
    assert float(alone["overlap_loss"]) == pytest.approx(float(found["overlap_loss"][1]))


def test_a_focal_loss_without_focus_is_cross_entropy(given: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, masks = given
    plain, focal = PixelLoss()(logits, masks), PixelLoss(name="focal", focal_gamma=0.0)(logits, masks)
    torch.testing.assert_close(focal["pixel_loss"], plain["pixel_loss"])
    sharp = PixelLoss(name="focal", focal_gamma=2.0)(logits, masks)
    entropy = functional.cross_entropy(logits, masks, ignore_index=255, reduction="none")
    true = torch.exp(-entropy)
    wanted = ((1 - true) ** 2 * entropy)[2].mean()
    assert float(sharp["pixel_loss"][2]) == pytest.approx(float(wanted), rel=1e-5)


def test_weights_of_classes_are_those_of_their_pixels(given: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, masks = given
    weighed = PixelLoss(class_weights=torch.tensor([0.5, 1.0, 4.0]))(logits, masks)["pixel_loss"]
    entropy = functional.cross_entropy(logits, masks, ignore_index=255, reduction="none")[2]
    wanted = (entropy * torch.tensor([0.5, 1.0, 4.0])[masks[2]]).mean()
    assert float(weighed[2]) == pytest.approx(float(wanted), rel=1e-5)


def test_tversky_counts_missed_pixels_more_than_false_ones() -> None:
    loss = PixelLoss(name="tversky")
    mask = torch.zeros(1, 4, 4, dtype=torch.long)
    mask[0, :2] = 1
    missed, false = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4)
    missed[0, 0], false[0, 0] = 20.0, 20.0
    missed[0, 1, :1], false[0, 1, :3] = 40.0, 40.0
    # Of class 1, 4 pixels are missed or 4 are false; with both classes' indices by eq. 2 and one pixel of smoothing.
    index = {
        "missed": ((4 + 1) / (4 + 0.7 * 4 + 1), (8 + 1) / (8 + 0.3 * 4 + 1)),
        "false": ((8 + 1) / (8 + 0.3 * 4 + 1), (4 + 1) / (4 + 0.7 * 4 + 1)),
    }
    for logits, name in ((missed, "missed"), (false, "false")):
        assert float(loss(logits, mask)["overlap_loss"]) == pytest.approx(1 - sum(index[name]) / 2, abs=1e-4)


def test_the_lovasz_loss_of_certain_answers_is_one_less_the_mean_iou() -> None:
    chance = np.random.default_rng(0)
    truth, answer = chance.integers(0, 3, (1, 60)), chance.integers(0, 3, (1, 60))
    counted = chance.random((1, 60)) < 0.8
    logits = 60.0 * functional.one_hot(torch.from_numpy(answer), 3).movedim(-1, 1).float()
    mask = torch.from_numpy(np.where(counted, truth, 255))
    found = lovasz_loss(logits, mask, torch.from_numpy(counted))
    ious = []
    for number in range(3):
        true, said = truth[counted] == number, answer[counted] == number
        ious.append((true & said).sum() / (true | said).sum())
    assert float(found) == pytest.approx(1 - np.mean(ious), abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_falls_towards_the_truth_and_has_gradients_where_nothing_counts(name: str) -> None:
    mask = torch.zeros(2, 4, 4, dtype=torch.long)
    mask[0, :, :2] = 1
    mask[1] = 255
    logits = torch.zeros(2, 2, 4, 4, requires_grad=True)
    loss = PixelLoss(name=name)  # type: ignore[arg-type]
    before = sum(loss(logits, mask).values())
    before.sum().backward()
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[1].any()
    after = sum(loss(logits - 1.0 * logits.grad, mask).values())
    assert float(after[0].detach()) < float(before[0].detach())
    assert float(before[1].detach()) == 0.0
