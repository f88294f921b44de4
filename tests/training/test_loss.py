"""Losses and penalties against other implementations. In: logits. Out: verdicts. Next: test_average.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torchvision.ops import sigmoid_focal_loss

from tellapart.errors import SettingsError
from tellapart.training.loss import (
    PictureLoss,
    add_layer_penalty_gradients,
    add_penalty_gradients,
    balanced_weights,
)

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.3, -2.0], [1.0, 1.0, 1.0]])
TARGETS = torch.tensor([0, 2, 1])


def test_cross_entropy_is_minus_the_log_of_the_right_probability() -> None:
    by_hand = [
        -math.log(math.exp(row[t]) / sum(map(math.exp, row))) for row, t in zip(LOGITS.tolist(), [0, 2, 1], strict=True)
    ]
    assert PictureLoss()(LOGITS, TARGETS).tolist() == pytest.approx(by_hand, rel=1e-6)


def test_hard_and_soft_targets_agree() -> None:
    hot = nn.functional.one_hot(TARGETS, 3).float()
    for gamma in (0.0, 2.0):
        loss = PictureLoss(label_smoothing=0.2, class_weights=[1.0, 2.0, 0.5], focal_gamma=gamma)
        torch.testing.assert_close(loss(LOGITS, TARGETS), loss(LOGITS, hot))


def test_smoothing_as_by_hand() -> None:
    logs = torch.log_softmax(LOGITS, 1)
    expected = -(0.9 * logs[torch.arange(3), TARGETS] + 0.1 * logs.mean(1))
    torch.testing.assert_close(PictureLoss(label_smoothing=0.1)(LOGITS, TARGETS), expected)


def test_class_weights_scale_each_picture_on_its_own() -> None:
    plain = PictureLoss()(LOGITS, TARGETS)
    weighted = PictureLoss(class_weights=[1.0, 2.0, 0.5])(LOGITS, TARGETS)
    torch.testing.assert_close(weighted, plain * torch.tensor([1.0, 0.5, 2.0]))


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_loss_of_two_classes_is_torchvisions(gamma: float) -> None:
    logit = torch.tensor([-3.0, 0.0, 1.5, 8.0])
    answers = torch.tensor([0, 1, 1, 0])
    two = torch.stack([torch.zeros(4), logit], dim=1)
    expected = sigmoid_focal_loss(logit, answers.float(), alpha=-1, gamma=gamma)
    torch.testing.assert_close(PictureLoss(focal_gamma=gamma)(two, answers), expected)


def test_focal_loss_without_gamma_is_cross_entropy() -> None:
    nearly = PictureLoss(focal_gamma=1e-9, label_smoothing=0.1, class_weights=[1.0, 2.0, 0.5])
    plain = PictureLoss(label_smoothing=0.1, class_weights=[1.0, 2.0, 0.5])
    torch.testing.assert_close(nearly(LOGITS, TARGETS), plain(LOGITS, TARGETS))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_gradient_is_finite_where_the_answer_is_certain(gamma: float) -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    PictureLoss(focal_gamma=gamma)(logits, torch.tensor([0])).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_half_precision_logits_are_widened() -> None:
    assert PictureLoss(focal_gamma=1.0)(LOGITS.bfloat16(), TARGETS).dtype == torch.float32


def test_balanced_weights_are_scikit_learns() -> None:
    labels = [0] * 5 + [1] * 2 + [2] * 13
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert balanced_weights([5, 2, 13]) == pytest.approx(list(expected))
    assert balanced_weights([5, 0, 15]) == pytest.approx([2.0, 0.0, 2 / 3])


def test_penalties_are_those_that_autograd_finds() -> None:
    torch.manual_seed(0)
    layer, twin = nn.Linear(3, 2), nn.Linear(3, 2)
    twin.load_state_dict(layer.state_dict())
    inputs = torch.randn(4, 3)
    layer(inputs).square().sum().backward()
    add_penalty_gradients(layer.parameters(), l1=0.3, l2=0.7)
    whole = twin(inputs).square().sum() + 0.3 * twin.weight.abs().sum() + 0.35 * twin.weight.square().sum()
    whole.backward()
    for own, other in zip(layer.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad)


def test_a_layers_own_penalty_is_keras() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    inputs = torch.randn(4, 3)
    layer(inputs).square().sum().backward()
    add_layer_penalty_gradients([(layer.weight, 0.3, 0.7)])
    found, layer.weight.grad = layer.weight.grad, None
    # keras.regularizers.L1L2: l1 * sum(abs(x)) + l2 * sum(square(x))
    (layer(inputs).square().sum() + 0.3 * layer.weight.abs().sum() + 0.7 * layer.weight.square().sum()).backward()
    torch.testing.assert_close(found, layer.weight.grad)


def test_hinge_is_torchs_of_two_and_the_widest_of_more() -> None:
    found = PictureLoss(name="hinge")(LOGITS, TARGETS)
    # 1 + the largest other - that of the class, at least 0: 1 + 0.5 - 2; 1 + 0.3 + 2; 1 + 1 - 1
    torch.testing.assert_close(found, torch.tensor([0.0, 3.3, 1.0]))
    scores, classes = torch.tensor([0.4, -2.0, 3.0]), torch.tensor([1, 1, 0])
    both = torch.stack([torch.zeros(3), scores], dim=1)  # a single output, as scaffold.py tells it
    signs = 2 * classes.float() - 1
    torch.testing.assert_close(PictureLoss(name="hinge")(both, classes), (1 - signs * scores).clamp_min(0))


def test_squares_and_binary_cross_entropy_are_those_of_the_probabilities() -> None:
    probabilities, one_hot = LOGITS.softmax(1), nn.functional.one_hot(TARGETS, 3).float()
    squares = nn.functional.mse_loss(probabilities, one_hot, reduction="none").mean(1)
    torch.testing.assert_close(PictureLoss(name="mean_squared_error")(LOGITS, TARGETS), squares)
    binary = nn.functional.binary_cross_entropy(probabilities, one_hot, reduction="none").mean(1)
    torch.testing.assert_close(PictureLoss(name="binary_cross_entropy")(LOGITS, TARGETS), binary)
    weighed = PictureLoss(name="mean_squared_error", class_weights=[1.0, 2.0, 0.5])(LOGITS, TARGETS)
    torch.testing.assert_close(weighed, squares * torch.tensor([1.0, 0.5, 2.0]))
    smooth = PictureLoss(name="mean_squared_error", label_smoothing=0.3)(LOGITS, TARGETS)
    torch.testing.assert_close(smooth, (probabilities - (0.7 * one_hot + 0.1)).square().mean(1))


def test_refusals() -> None:
    with pytest.raises(SettingsError, match=r"label_smoothing is 1; it must be at least 0 and under 1\. Try 0\.1\."):
        PictureLoss(label_smoothing=1)
    with pytest.raises(SettingsError, match=r"focal_gamma is -1; it must be at least 0\. Try 2, or 0 for none\."):
        PictureLoss(focal_gamma=-1)
