"""Losses of sets of classes against other implementations. In: logits. Out: verdicts. Next: test_learner.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from tellapart.errors import SettingsError
from tellapart.tasks.multilabel.loss import ASYMMETRIC, LabelsLoss
from tellapart.tasks.multilabel.weighing import balanced_positive_weights

NAN = float("nan")
LOGITS = torch.tensor([[2.0, -1.0, 0.5, 9.0], [0.0, 0.3, -2.0, -9.0], [1.0, 1.0, 1.0, -4.0]])
TARGETS = torch.tensor([[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])


def _mean(losses: Tensor) -> Tensor:
    return losses.mean(1)


def test_binary_cross_entropy_is_torchs() -> None:
    expected = functional.binary_cross_entropy_with_logits(LOGITS, TARGETS, reduction="none")
    torch.testing.assert_close(LabelsLoss()(LOGITS, TARGETS), _mean(expected))
    weights = torch.tensor([1.0, 3.0, 0.5, 2.0])
    expected = functional.binary_cross_entropy_with_logits(LOGITS, TARGETS, pos_weight=weights, reduction="none")
    torch.testing.assert_close(LabelsLoss(positive_weights=weights.tolist())(LOGITS, TARGETS), _mean(expected))


def test_a_picture_of_no_class_costs_what_its_classes_cost() -> None:
    by_hand = sum(math.log(1 + math.exp(logit)) for logit in LOGITS[2].tolist()) / 4
    assert float(LabelsLoss()(LOGITS, TARGETS)[2]) == pytest.approx(by_hand)
    assert by_hand > 0.9  # cross-entropy over all-zero "probabilities" would be 0


def test_soft_targets_weigh_both_answers() -> None:
    soft = torch.tensor([[0.25, 0.5, 1.0, 0.0]]).expand(3, 4)
    for settings in ({}, ASYMMETRIC):
        loss = LabelsLoss(**settings)
        yes, no = (-torch.ones(3, 4) * 0 + value for value in (1.0, 0.0))
        apart = [
            [float(loss(LOGITS[row : row + 1, [column]], kind[row : row + 1, [column]])) for column in range(4)]
            for kind in (yes, no)
            for row in range(3)
        ]
        expected = soft * torch.tensor(apart[:3]) + (1 - soft) * torch.tensor(apart[3:])
        torch.testing.assert_close(loss(LOGITS, soft), _mean(expected))


def test_smoothing_moves_each_answer_towards_the_middle() -> None:
    smooth = TARGETS * 0.8 + 0.1
    torch.testing.assert_close(LabelsLoss(label_smoothing=0.2)(LOGITS, TARGETS), LabelsLoss()(LOGITS, smooth))


@pytest.mark.parametrize(
    "settings", [{}, {"label_smoothing": 0.1, "positive_weights": [1.0, 2.0, 3.0, 4.0]}, ASYMMETRIC]
)
def test_what_is_not_known_counts_neither_way(settings: dict[str, Any]) -> None:
    some = TARGETS.clone()
    some[0, 1], some[1, 0], some[1, 2:], some[2, :] = NAN, NAN, NAN, NAN
    logits = LOGITS.clone().requires_grad_()
    losses = LabelsLoss(**settings)(logits, some)
    kept = {0: [0, 2, 3], 1: [1]}
    for row, columns in kept.items():
        fewer = (
            {**settings, "positive_weights": [settings["positive_weights"][c] for c in columns]}
            if len(settings) == 2
            else settings
        )
        alone = LabelsLoss(**fewer)(LOGITS[row : row + 1, columns], TARGETS[row : row + 1, columns])
        assert losses[row].item() == pytest.approx(float(alone), rel=1e-6)
    assert losses[2].item() == 0
    losses.sum().backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad == 0, some.isnan())  # and no gradient is NaN


def _asymmetric(logit: float, answer: float, *, gamma_positive: float, gamma_negative: float, clip: float) -> float:
    """Eq. 4 to 7 of the paper, in plain numbers."""
    p = 1 / (1 + math.exp(-logit))
    if answer:
        return -((1 - p) ** gamma_positive) * math.log(p)
    shifted = max(p - clip, 0.0)
    return -(shifted**gamma_negative) * math.log(1 - shifted)


@pytest.mark.parametrize("settings", [ASYMMETRIC, {"gamma_positive": 0.0, "gamma_negative": 2.0, "clip": 0.2}])
def test_the_asymmetric_loss_is_the_papers(settings: dict[str, float]) -> None:
    expected = [
        [_asymmetric(logit, answer, **settings) for logit, answer in zip(*row, strict=True)]
        for row in zip(LOGITS.tolist(), TARGETS.tolist(), strict=True)
    ]
    torch.testing.assert_close(
        LabelsLoss(**settings)(LOGITS, TARGETS), _mean(torch.tensor(expected)), rtol=1e-4, atol=1e-6
    )


def test_the_papers_numbers() -> None:
    assert ASYMMETRIC == {"gamma_positive": 1.0, "gamma_negative": 4.0, "clip": 0.05}
    easy = torch.tensor([[-4.0]])  # a probability of 0.018: below the margin nothing is left to learn
    loss = LabelsLoss(**ASYMMETRIC)(easy.requires_grad_(), torch.zeros(1, 1))
    loss.sum().backward()
    assert (float(loss.detach()), float(easy.grad if easy.grad is not None else NAN)) == (0.0, 0.0)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_with_both_gammas_alike_it_is_torchvisions_focal_loss(gamma: float) -> None:
    expected = sigmoid_focal_loss(LOGITS, TARGETS, alpha=-1, gamma=gamma)
    loss = LabelsLoss(gamma_positive=gamma, gamma_negative=gamma)
    torch.testing.assert_close(loss(LOGITS, TARGETS), _mean(expected), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, ASYMMETRIC, {"gamma_positive": 0.5, "gamma_negative": 0.5}])
def test_gradients_are_finite_where_the_answer_is_certain(settings: dict[str, float]) -> None:
    logits = torch.tensor([[200.0, -200.0, 200.0, -200.0]], requires_grad=True)
    losses = LabelsLoss(**settings)(logits, torch.tensor([[1.0, 0.0, 0.0, 1.0]]))
    losses.sum().backward()
    assert losses.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_half_precision_logits_are_widened() -> None:
    assert LabelsLoss()(LOGITS.bfloat16(), TARGETS).dtype == torch.float32


def test_positive_weights_balance_each_class() -> None:
    targets = np.array([[1, 0, 1], [0, 0, 1], [0, np.nan, 1], [0, 0, np.nan]], dtype=np.float32)
    assert balanced_positive_weights(targets) == [
        3.0,
        1.0,
        1.0,
    ]  # by hand; where one kind lacks there is nothing to balance


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_smoothing": 1}, r"label_smoothing is 1; it must be at least 0 and under 1\. Try 0\.1\."),
        ({"gamma_negative": -1}, r"gammas are 0.0 and -1; both must be at least 0\. Try 1 and 4\."),
        ({"clip": 1.0}, r"clip is 1.0; it must be at least 0 and under 1\. Try 0\.05\."),
    ],
)
def test_refusals(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        LabelsLoss(**settings)
