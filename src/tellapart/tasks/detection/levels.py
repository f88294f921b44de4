"""What every detector stands on: maps of a backbone at some strides. In: StagedNetwork. Out: StagedDetector. Next: network.py.

Shapes: B pictures, S side of the picture in pixels, C H W channels, height and width of a map, K classes, P places at which a
detector says something, M boxes of the picture that has most, L numbers of all maps of a picture side by side.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from tellapart.errors import BackboneError
from tellapart.models.staged import StagedNetwork
from tellapart.models.trainable import NamedParameters, Trainable, only_trained

STRIDES = (8, 16, 32)  # pixels from one place of a map to the next


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


class StagedDetector(Trainable):
    """Pictures -> logits of classes and boxes at P places. What all kinds of detectors share: the backbone and its maps.

    The backbone's batch norms keep their statistics: those of eight pictures at a time would be worse than what it came with.
    """

    kind: ClassVar[str]  # its name in detectors.py
    ordered: ClassVar[bool] = True  # whether a place is the same one of each picture, and not what was found first

    def __init__(self, body: StagedNetwork, *, class_count: int, size: int, strides: Sequence[int] = STRIDES) -> None:
        """`size`: pixels, S, a multiple of 32. Raises: ValueError; BackboneError where the backbone has no such maps."""
        super().__init__()
        if size % STRIDES[-1]:
            raise ValueError(f"pictures of {size} pixels; the side must be a multiple of {STRIDES[-1]}")
        self.levels = find_levels(body, size, strides)
        self.class_count, self.size = class_count, size
        self.body = body
        self.batch_norm_frozen = False  # of what stands on the backbone: its statistics stay as they are too
        body.classifier, body.batch_norm_frozen = nn.Linear(1, 1), True  # nothing is classified
        body.classifier.requires_grad_(False)

    @abc.abstractmethod
    def forward(self, inputs: Tensor, start: int = 0) -> DetectorOutput:
        """Of uint8 [B, S, S, 3], or with `start` of what the backbone's stage `start` - 1 gave, float [B, C, H, W].

        Where `start` is after the last stage: of the maps of all levels side by side, float [B, L], see maps.py.
        """

    def train(self, mode: bool = True) -> StagedDetector:
        """As torch does, except that batch norms that are frozen keep their statistics.

        What a picture costs then hangs on no other of its batch, so that several processes learn as one does.
        """
        super().train(mode)
        if mode and self.batch_norm_frozen:
            for name, module in self.named_modules():
                if isinstance(module, nn.BatchNorm2d) and not name.startswith("body."):
                    module.eval()
        return self

    def layer_groups(self) -> list[NamedParameters]:
        """As every Trainable: the stages of the backbone that train, then all that is no part of it."""
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


def find_levels(body: StagedNetwork, size: int, strides: Sequence[int] = STRIDES) -> tuple[Level, ...]:
    """The last stage of the backbone at each of `strides`, told by the sizes of what its stages give for `size` pixels.

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
    if not set(strides) <= last.keys():
        found = ", ".join(map(str, sorted(last))) or "none"
        raise BackboneError(
            f"the backbone gives maps at strides of {found} pixels; detection needs them at {', '.join(map(str, strides))}. "
            "Choose a convolutional one, such as tf_efficientnet_lite0, or another size."
        )
    return tuple(last[stride] for stride in strides)


def _channels_first(body: StagedNetwork, features: Tensor) -> Tensor:
    channels_last = getattr(body.trunk, "output_fmt", "NCHW") == "NHWC"
    return features.permute(0, 3, 1, 2) if channels_last else features
