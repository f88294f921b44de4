"""Gradients in the last map, also of a network whose embedding begins with the stages' means. In: timm names. Out: nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from tellapart.explanation.gradients import last_map_gradients
from tellapart.models.build import stage_network
from tellapart.models.joint import join_stages
from tellapart.models.staged import StagedNetwork
from tellapart.preprocessing import Preprocessing

SIZE = 64  # pixels
SWIN: dict[str, Any] = {"img_size": SIZE, "window_size": 2, "embed_dim": 24, "depths": (1, 1, 1, 1)}


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize(
    ("name", "settings"), [("mobilenetv3_small_050", {}), ("swin_tiny_patch4_window7_224", SWIN)], ids=["conv", "swin"]
)
def test_the_gradient_is_what_the_class_gains_when_the_map_moves(
    name: str, settings: dict[str, Any], joined: bool
) -> None:
    torch.manual_seed(0)
    trunk = timm.create_model(name, num_classes=0, **settings)
    network = stage_network(trunk, name=name, preprocessing=Preprocessing(size=SIZE), class_count=3)
    assert bool(join_stages(network, SIZE)) if joined else True
    image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    maps, gradients = last_map_gradients(network, image, 1)
    direction = np.random.default_rng(1).standard_normal(maps.shape).astype(np.float32)
    step = 0.01 * float(np.abs(maps).mean())
    above, below = (logit_where_the_map_moves(network, image, sign * step * direction) for sign in (1, -1))
    assert (above - below) / (2 * step) == pytest.approx(float((gradients * direction).sum()), rel=0.02, abs=1e-4)


def logit_where_the_map_moves(network: StagedNetwork, image: np.ndarray, move: np.ndarray) -> float:
    """Class 1's logit, in double precision, with `move` added to what the last stage gives."""
    last = network.double().trunk.get_submodule(network.stages[-1][-1])

    def moved(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output + torch.from_numpy(move.astype(np.float64))[None]

    handle = last.register_forward_hook(moved)
    try:
        with torch.inference_mode():
            return float(network.eval()(torch.from_numpy(image)[None])[0, 1])
    finally:
        handle.remove()
        network.float()
