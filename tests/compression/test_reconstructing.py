"""What is left makes up for what was cut. In: planted redundancy. Out: answers. Next: test_norms.py."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import timm
import torch
from torch import Tensor, nn

from tellapart.compression.blocks import leave_out
from tellapart.compression.reconstructing import reconstruct


def _apart(network: Any, whole: Any, pictures: Tensor) -> float:
    with torch.no_grad():
        wanted = whole.eval()(pictures)
        return float((network.eval()(pictures) - wanted).square().mean() / wanted.var())


def test_a_network_that_was_not_cut_stays_as_it_is(
    planted: Any, pictures: Tensor, run: Callable[[nn.Module], object]
) -> None:
    network = copy.deepcopy(planted)
    assert reconstruct(network, planted, run, pictures[:1]) == 3
    assert _apart(network, planted, pictures) < 1e-8


def test_a_scaled_layer_is_put_right_by_the_one_after_it(
    planted: Any, pictures: Tensor, run: Callable[[nn.Module], object]
) -> None:
    network = copy.deepcopy(planted)
    with torch.no_grad():
        network.second.depthwise.weight *= torch.linspace(0.5, 2.0, 16)[:, None, None, None]
    assert _apart(network, planted, pictures) > 1e-4
    reconstruct(network, planted, run, pictures[:1])
    assert _apart(network, planted, pictures) < 1e-6


def test_a_second_time_changes_nothing_more(planted: Any, pictures: Tensor, run: Callable[[nn.Module], object]) -> None:
    """What a norm has taken over the first time is not added again."""
    network = copy.deepcopy(planted)
    leave_out(network, "second")
    reconstruct(network, planted, run, pictures[:1])
    moved = network.third.last.running_mean - planted.third.last.running_mean
    once = _apart(network, planted, pictures)
    reconstruct(network, planted, run, pictures[:1])
    assert moved.abs().max() > 1e-3
    assert _apart(network, planted, pictures) < 1.01 * once


def test_what_a_missing_block_gave_is_met_by_the_next(
    planted: Any, pictures: Tensor, run: Callable[[nn.Module], object]
) -> None:
    network = copy.deepcopy(planted)
    leave_out(network, "second")
    before = _apart(network, planted, pictures)
    assert reconstruct(network, planted, run, pictures[:1]) == 2
    assert _apart(network, planted, pictures) < 0.7 * before


def test_a_convolution_that_has_other_outputs_now_is_left_alone(
    planted: Any, pictures: Tensor, run: Callable[[nn.Module], object]
) -> None:
    network = copy.deepcopy(planted)
    network.third = nn.Identity()
    network.first.project = nn.Conv2d(16, 4, 1)
    assert reconstruct(nn.Sequential(network.stem, network.second), planted, run, pictures[:1]) == 0
    assert network.first.project.weight.shape == (4, 16, 1, 1)


def test_every_block_of_a_real_network_is_met(run: Callable[[nn.Module], object]) -> None:
    whole = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    pictures = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert reconstruct(copy.deepcopy(whole), whole, lambda one: one(pictures), pictures[:1]) == 16


def test_the_mode_stays(planted: Any, pictures: Tensor, run: Callable[[nn.Module], object]) -> None:
    network = copy.deepcopy(planted).train()
    reconstruct(network, planted, run, pictures[:1])
    assert network.training
    assert not planted.training
