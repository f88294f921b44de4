"""What speaks for a class in a region. In: a tiny network in torch. Out: the heat that eq. 3 of the paper gives by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.preprocessing import Preprocessing
from tellapart.tasks.segmentation.network import PixelNetwork
from tellapart.tasks.segmentation.region_heat import gradient_heat

SIDE = 16


class Encoder(nn.Module):
    """The picture, and one map: means of 4 x 4 pixels."""

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images, functional.avg_pool2d(images, 4)]


class Tiny(PixelNetwork):
    """The logit of class 0 is red less blue of the map, enlarged; that of class 1 is 0."""

    def __init__(self) -> None:
        super().__init__(
            Encoder(), class_count=2, preprocessing=Preprocessing(size=SIDE, mean=(0.0,) * 3, std=(1.0,) * 3)
        )

    def decode(self, maps: Sequence[Tensor]) -> Tensor:
        red = functional.interpolate(maps[-1][:, :1] - maps[-1][:, 2:], scale_factor=4, mode="nearest")
        return torch.cat([red, torch.zeros_like(red)], dim=1)

    def layer_groups(self) -> list[Any]:
        return []


def test_heat_is_the_maps_weighted_by_what_the_region_asks_of_them() -> None:
    pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    pixels[:8, :8, 0] = 200  # red, speaks for the class
    pixels[8:, 8:, 2] = 250  # blue, speaks against it
    region = np.zeros((SIDE, SIDE), dtype=np.bool_)
    region[:4, :4] = True
    heat = gradient_heat(Tiny(), pixels, 0, region)
    assert heat.shape == (4, 4)
    # The gradient of the region's sum: 16 in one of 16 places for red, -16 for blue; so weights 1 and -1, and red less blue.
    expected = np.zeros((4, 4))
    expected[:2, :2] = 1.0
    np.testing.assert_allclose(heat, expected, atol=1e-6)
    assert gradient_heat(Tiny(), pixels, 1, region).max() == 0, "nothing speaks for it"
    assert gradient_heat(Tiny(), np.zeros_like(pixels), 0, region).max() == 0
