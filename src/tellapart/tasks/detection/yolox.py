"""An anchor-free detector with a head for each question, after YOLOX. In: StagedNetwork. Out: DecoupledDetector. Next: simota.py.

Each level has two branches of its own: one says which class it is, the other whether there is anything, and where its box lies.
A score is the product of the two probabilities. The pyramid goes down, so that fine maps hear of what coarse ones saw, and up
again, so that coarse ones hear where exactly it is. Sources: Ge et al. 2021, YOLOX, arXiv 2107.08430, section 2.1 (the head);
Liu et al. 2018, PANet, arXiv 1803.01534 (the way up).

Shapes: as in network.py; places are the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.models.staged import StagedNetwork
from tellapart.tasks.detection.levels import DetectorOutput, StagedDetector
from tellapart.tasks.detection.network import places

CHANNELS = 96  # F
_DEPTH = 2  # convolutions of a branch
_PRIOR = 0.01  # of a class, and of there being anything, at first
_MOST = 8.0  # of the logarithm of a box's side in strides; e^8 strides are beyond every picture
_LEAST = 1e-12


class Decoupled(NamedTuple):
    """What such a detector says of B pictures at P places, question by question."""

    classes: Tensor  # float32 [B, P, K], logits: of each class, if there is anything
    objects: Tensor  # float32 [B, P], logits: that there is anything
    boxes: Tensor  # float32 [B, P, 4], pixels of the input


class DecoupledDetector(StagedDetector):
    """Pictures -> logits of classes and boxes at each place of three levels."""

    kind: ClassVar[str] = "yolox"

    def __init__(self, body: StagedNetwork, *, class_count: int, size: int, channels: int = CHANNELS) -> None:
        """`size`: pixels, S, a multiple of 32. Raises: ValueError; BackboneError where the backbone has no such maps."""
        super().__init__(body, class_count=class_count, size=size)
        self.pyramid = _DownAndUp([level.channels for level in self.levels], channels)
        self.heads = nn.ModuleList(_Head(channels, class_count) for _ in self.levels)
        self.places: Tensor  # float32 [P, 3]: x, y, stride
        self.register_buffer("places", places(size), persistent=False)

    def forward(self, inputs: Tensor, start: int = 0) -> DetectorOutput:
        """As every StagedDetector."""
        found = self.answer(inputs, start)
        return DetectorOutput(joint_logits(found.classes, found.objects[..., None]), found.boxes)

    def answer(self, inputs: Tensor, start: int = 0) -> Decoupled:
        """The same, question by question, for the loss."""
        maps = self.pyramid(self.maps(inputs, start))
        rows = [head(features) for head, features in zip(self.heads, maps, strict=True)]
        rows_BPN = torch.cat([one.flatten(2).transpose(1, 2) for one in rows], dim=1).float()
        middles, strides = self.places[:, :2], self.places[:, 2:]
        centre = middles + rows_BPN[..., 1:3] * strides
        half = rows_BPN[..., 3:5].clamp(max=_MOST).exp() * strides / 2
        return Decoupled(rows_BPN[..., 5:], rows_BPN[..., 0], torch.cat([centre - half, centre + half], dim=-1))


def joint_logits(first: Tensor, second: Tensor) -> Tensor:
    """The logit of the product of two probabilities, of their logits, [...] alike; exact at both ends."""
    both = functional.logsigmoid(first) + functional.logsigmoid(second)
    # 1 - ab = (1 - a) + a (1 - b): no difference of two numbers that are nearly the same.
    neither = torch.sigmoid(-first) + torch.sigmoid(first) * torch.sigmoid(-second)
    return both - neither.clamp(min=_LEAST).log()


class _Block(nn.Sequential):
    """A convolution, a batch norm, SiLU: [B, C, H, W] -> [B, F, H / stride, W / stride]."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.SiLU(inplace=True),
        )


def _separable(channels: int, *, stride: int = 1) -> nn.Sequential:
    """A 3 x 3 convolution, channel by channel and then across: a ninth of the work on a CPU."""
    return nn.Sequential(_Block(channels, channels, 3, stride=stride, groups=channels), _Block(channels, channels, 1))


class _Head(nn.Module):
    """[B, F, H, W] -> [B, 5 + K, H, W]: there is anything; centre across and down, width, height; classes."""

    def __init__(self, channels: int, class_count: int) -> None:
        super().__init__()
        self.stem = _Block(channels, channels, 1)
        self.class_branch = nn.Sequential(*(_separable(channels) for _ in range(_DEPTH)))
        self.box_branch = nn.Sequential(*(_separable(channels) for _ in range(_DEPTH)))
        self.classes = nn.Conv2d(channels, class_count, 1)
        self.box = nn.Conv2d(channels, 5, 1)
        for layer in (self.classes, self.box):
            nn.init.normal_(layer.weight, std=0.01)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        with torch.no_grad():
            for bias in (self.classes.bias, None if self.box.bias is None else self.box.bias[:1]):
                if bias is not None:
                    bias.fill_(-math.log(1 / _PRIOR - 1))

    def forward(self, features_BFHW: Tensor) -> Tensor:
        stem = self.stem(features_BFHW)
        return torch.cat([self.box(self.box_branch(stem)), self.classes(self.class_branch(stem))], dim=1)


class _DownAndUp(nn.Module):
    """Maps [B, C, H, W] of the backbone to maps [B, F, H, W], from the finest to the coarsest."""

    def __init__(self, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.sides = nn.ModuleList(_Block(width, channels, 1) for width in widths)
        self.down = nn.ModuleList(_separable(channels) for _ in widths[1:])
        self.halve = nn.ModuleList(_separable(channels, stride=2) for _ in widths[1:])
        self.up = nn.ModuleList(_separable(channels) for _ in widths[1:])

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        sides = [side(features) for side, features in zip(self.sides, maps, strict=True)]
        for fine in range(len(sides) - 2, -1, -1):
            wider = functional.interpolate(sides[fine + 1], scale_factor=2.0, mode="nearest")
            sides[fine] = self.down[fine](sides[fine] + wider)
        for fine in range(len(sides) - 1):
            sides[fine + 1] = self.up[fine](sides[fine + 1] + self.halve[fine](sides[fine]))
        return sides
