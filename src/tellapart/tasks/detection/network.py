"""An anchor-free detector in one stage on any backbone. In: StagedNetwork. Out: Detector, DetectorOutput. Next: pictures.py.

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
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.errors import BackboneError
from tellapart.models.staged import StagedNetwork
from tellapart.models.trainable import NamedParameters, Trainable, only_trained

STRIDES = (8, 16, 32)  # pixels from one place of a level to the next
CHANNELS = 96  # F
_DEPTH = 2  # blocks of a tower
# How likely each class is at each place at first: as in RetinaNet, arXiv 1708.02002, so that the very many places that show
# nothing do not outweigh the others from the first update on.
_PRIOR = 0.01
_FIRST_DISTANCE = (
    4.0  # strides from a place to each side of its box at first: boxes of 8 strides, as ATSS's, arXiv 1912.02424
)


class DetectorOutput(NamedTuple):
    """What a detector says of B pictures at P places."""

    scores: Tensor  # float32 [B, P, K], logits: of each class for itself
    # Float32 [B, P, 4]: left, top, right and bottom of the box, in pixels of the input; they may lie outside it.
    boxes: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One map of the backbone that the pyramid is built on."""

    stage: int  # of the backbone, whose output it is
    stride: int  # pixels
    channels: int  # C


class Detector(Trainable):
    """Pictures -> logits of classes and boxes at each place of three levels.

    The backbone's batch norms keep their statistics: those of eight pictures at a time would be worse than what it came with.
    """

    def __init__(self, body: StagedNetwork, *, class_count: int, size: int, channels: int = CHANNELS) -> None:
        """`size`: pixels, S, a multiple of 32. Raises: ValueError; BackboneError where the backbone has no such maps."""
        super().__init__()
        if size % STRIDES[-1]:
            raise ValueError(f"pictures of {size} pixels; the side must be a multiple of {STRIDES[-1]}")
        self.levels = find_levels(body, size)
        self.class_count, self.size = class_count, size
        self.body = body
        body.classifier, body.batch_norm_frozen = nn.Linear(1, 1), True  # nothing is classified
        body.classifier.requires_grad_(False)
        self.pyramid = _Pyramid([level.channels for level in self.levels], channels)
        self.score_tower, self.box_tower = _Tower(channels), _Tower(channels)
        self.score = nn.Conv2d(channels, class_count, 3, padding=1)
        self.distance = nn.Conv2d(channels, 4, 3, padding=1)
        self.sharpness = nn.Parameter(torch.ones(len(STRIDES)))  # of each level's distances
        self.places: Tensor  # float32 [P, 3]: x, y, stride
        self.register_buffer("places", places(size), persistent=False)
        self._begin()

    def forward(self, inputs: Tensor, start: int = 0) -> DetectorOutput:
        """Of uint8 [B, S, S, 3], or with `start` of what the backbone's stage `start` - 1 gave, float [B, C, H, W].

        Where `start` is after the last stage: of the maps of all levels side by side, float [B, L], see maps.py.
        """
        maps = self.pyramid(self.maps(inputs, start))
        scores, boxes = [], []
        for number, features_BFHW in enumerate(maps):
            scores.append(_rows(self.score(self.score_tower(features_BFHW, number))))
            boxes.append(_rows(self.distance(self.box_tower(features_BFHW, number))) * self.sharpness[number])
        distances_BP4 = functional.softplus(torch.cat(boxes, dim=1).float())
        return DetectorOutput(torch.cat(scores, dim=1).float(), boxes_at(self.places, distances_BP4))

    def layer_groups(self) -> list[NamedParameters]:
        """As every Trainable: the stages of the backbone that train, then pyramid, towers and what follows them."""
        stages = [
            [(f"body.trunk.{name}", value) for name, value in self.body.stage_parameters(stage)]
            for stage in range(self.body.frozen, len(self.body.stages))
        ]
        return only_trained([*stages, self.head_parameters()])

    def head_parameters(self) -> NamedParameters:
        """What is no part of the backbone, under the names of `state_dict`."""
        return [(name, value) for name, value in self.named_parameters() if not name.startswith("body.")]

    def maps(self, inputs: Tensor, start: int = 0) -> list[Tensor]:
        """The backbone's output [B, C, H, W] of each level. Raises: ValueError where `start` is between them."""
        if start == len(self.body.stages):
            sides = [self.size // level.stride for level in self.levels]
            shapes = [(level.channels, side, side) for level, side in zip(self.levels, sides, strict=True)]
            parts = torch.split(inputs, [math.prod(shape) for shape in shapes], dim=1)
            return [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]
        if start > self.levels[0].stage:
            raise ValueError(
                f"the input is of stage {start - 1}; the pyramid needs that of stage {self.levels[0].stage}"
            )
        found, features = [], inputs
        for level in self.levels:
            features = self.body.run_stages(features, start, level.stage + 1)
            start = level.stage + 1
            found.append(_channels_first(self.body, features))
        return found

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


def find_levels(body: StagedNetwork, size: int) -> tuple[Level, ...]:
    """The last stage of the backbone at each of STRIDES, told by the sizes of what its stages give for `size` pixels.

    Raises: BackboneError where there is none at one of them: transformers of one resolution, networks that are no chain.
    """
    last: dict[int, Level] = {}
    was_training = body.training
    body.eval()
    with torch.inference_mode():
        features = torch.zeros((1, size, size, 3), dtype=torch.uint8, device=next(body.parameters()).device)
        for stage in range(len(body.stages)):
            features = body.run_stages(features, stage, stage + 1)
            if features.ndim == 4:
                maps = _channels_first(body, features)
                if maps.shape[-1] * (stride := round(size / maps.shape[-1])) == size:
                    last[stride] = Level(stage=stage, stride=stride, channels=maps.shape[1])
    body.train(was_training)
    if not set(STRIDES) <= last.keys():
        found = ", ".join(map(str, sorted(last))) or "none"
        raise BackboneError(
            f"the backbone gives maps at strides of {found} pixels; detection needs them at {', '.join(map(str, STRIDES))}. "
            "Choose a convolutional one, such as tf_efficientnet_lite0, or another size."
        )
    return tuple(last[stride] for stride in STRIDES)


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


def _channels_first(body: StagedNetwork, features: Tensor) -> Tensor:
    channels_last = getattr(body.trunk, "output_fmt", "NCHW") == "NHWC"
    return features.permute(0, 3, 1, 2) if channels_last else features
