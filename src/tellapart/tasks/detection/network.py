"""An anchor-free detector in one stage on any backbone. In: StagedNetwork. Out: Detector. Next: pictures.py.

Maps of the backbone at strides 8, 16 and 32 become a feature pyramid; two towers that all levels share say at each place how
likely each class is there, and how far the sides of its box are: softplus(x) strides, a straight line for all but the smallest
boxes. (Of exp(x) a step of the optimizer moves the sides of large boxes several times as far.) Sources: FCOS, arXiv 1904.01355 (a
place and four distances); FPN, 1612.03144 (the way down); RTMDet, 2212.07784 (shared convolutions, a batch norm a level).

Shapes: B pictures, S side of the picture in pixels, C H W channels, height and width of a map, F channels of the pyramid, K
classes, P places of all levels: (S / 8)^2 + (S / 16)^2 + (S / 32)^2, level by level, row by row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.models.staged import StagedNetwork
from tellapart.tasks.detection.levels import STRIDES, DetectorOutput, StagedDetector

CHANNELS = 96  # F
_DEPTH = 2  # blocks of a tower
# How likely each class is at each place at first: as in RetinaNet, arXiv 1708.02002, so that the very many places that show
# nothing do not outweigh the others from the first update on.
_PRIOR = 0.01
_FIRST_DISTANCE = (
    4.0  # strides from a place to each side of its box at first: boxes of 8 strides, as ATSS's, arXiv 1912.02424
)


class Detector(StagedDetector):
    """Pictures -> logits of classes and boxes at each place of three levels."""

    kind: ClassVar[str] = "default"

    def __init__(self, body: StagedNetwork, *, class_count: int, size: int, channels: int = CHANNELS) -> None:
        """`size`: pixels, S, a multiple of 32. Raises: ValueError; BackboneError where the backbone has no such maps."""
        super().__init__(body, class_count=class_count, size=size)
        self.pyramid = _Pyramid([level.channels for level in self.levels], channels)
        self.score_tower, self.box_tower = _Tower(channels), _Tower(channels)
        self.score = nn.Conv2d(channels, class_count, 3, padding=1)
        self.distance = nn.Conv2d(channels, 4, 3, padding=1)
        self.sharpness = nn.Parameter(torch.ones(len(STRIDES)))  # of each level's distances
        self.places: Tensor  # float32 [P, 3]: x, y, stride
        self.register_buffer("places", places(size), persistent=False)
        self._begin()

    def forward(self, inputs: Tensor, start: int = 0) -> DetectorOutput:
        """As every StagedDetector."""
        maps = self.pyramid(self.maps(inputs, start))
        scores, boxes = [], []
        for number, features_BFHW in enumerate(maps):
            scores.append(_rows(self.score(self.score_tower(features_BFHW, number))))
            boxes.append(_rows(self.distance(self.box_tower(features_BFHW, number))) * self.sharpness[number])
        distances_BP4 = functional.softplus(torch.cat(boxes, dim=1).float())
        return DetectorOutput(torch.cat(scores, dim=1).float(), boxes_at(self.places, distances_BP4))

    def _begin(self) -> None:
        """Rare classes, boxes of 8 strides. Draws from torch's random state, as the layers' own initialisation did."""
        for layer, bias in (
            (self.score, -math.log(1 / _PRIOR - 1)),
            (self.distance, math.log(math.expm1(_FIRST_DISTANCE))),
        ):
            nn.init.normal_(layer.weight, std=0.01)
            bias_K = layer.bias
            if bias_K is not None:
                nn.init.constant_(bias_K, bias)


class _Separable(nn.Module):
    """A depthwise and a pointwise convolution, with batch norms of its own for each level: [B, F, H, W] -> the same."""

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(levels))

    def forward(self, features_BFHW: Tensor, level: int) -> Tensor:
        """Of one level's map, rectified."""
        return functional.relu(self.norms[level](self.pointwise(self.depthwise(features_BFHW))))


class _Tower(nn.Module):
    """Blocks that all levels share."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Separable(channels, len(STRIDES)) for _ in range(_DEPTH))

    def forward(self, features_BFHW: Tensor, level: int) -> Tensor:
        """[B, F, H, W] of one level."""
        for block in self.blocks:
            features_BFHW = block(features_BFHW, level)
        return features_BFHW


class _Pyramid(nn.Module):
    """Maps [B, C, H, W] of the backbone to maps [B, F, H, W]: each level hears of what the coarser ones saw."""

    def __init__(self, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.sides = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, channels, 1, bias=False), nn.BatchNorm2d(channels)) for width in widths
        )
        self.smooth = nn.ModuleList(_Separable(channels, 1) for _ in widths)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """From the finest to the coarsest, as they come."""
        sides = [side(features) for side, features in zip(self.sides, maps, strict=True)]
        for fine in range(len(sides) - 2, -1, -1):
            sides[fine] = sides[fine] + functional.interpolate(sides[fine + 1], scale_factor=2.0, mode="nearest")
        return [smooth(features, 0) for smooth, features in zip(self.smooth, sides, strict=True)]


def places(size: int) -> Tensor:
    """The middle of each place of pictures of `size` pixels, and its level's stride: float32 [P, 3], x, y, stride in pixels."""
    levels = []
    for stride in STRIDES:
        middles = (torch.arange(size // stride, dtype=torch.float32) + 0.5) * stride
        rows, columns = torch.meshgrid(middles, middles, indexing="ij")
        levels.append(torch.stack([columns, rows, torch.full_like(rows, stride)], dim=-1).flatten(0, 1))
    return torch.cat(levels)


def boxes_at(places_P3: Tensor, distances_BP4: Tensor) -> Tensor:
    """Boxes [B, P, 4] (left, top, right, bottom) from the distances of their sides, in strides, and their places."""
    middles, reach = places_P3[:, :2], distances_BP4 * places_P3[:, 2:]
    return torch.cat([middles - reach[..., :2], middles + reach[..., 2:]], dim=-1)


def _rows(maps_BCHW: Tensor) -> Tensor:
    """[B, H x W, C]"""
    return maps_BCHW.flatten(2).transpose(1, 2)
