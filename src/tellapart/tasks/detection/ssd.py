"""torchvision's SSD on any backbone. In: StagedNetwork. Out: ShotDetector. Next: faster_rcnn.py.

Every map answers for itself, by convolutions of its own at default boxes of its own sizes; two smaller maps follow those of the
backbone. Source: Liu et al. 2015, arXiv 1512.02325. Head, default boxes, matching and loss are torchvision's.

Shapes: B pictures, S side of the picture in pixels, F channels, K classes, P default boxes, M boxes of the picture that has most.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torchvision.models.detection._utils import SSDMatcher
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD, SSDHead
from torchvision.ops import box_iou

from tellapart.models.staged import StagedNetwork
from tellapart.tasks.detection.anchored import anchors_at, decoded, each, own_logits, targets_of
from tellapart.tasks.detection.levels import STRIDES, DetectorOutput, StagedDetector
from tellapart.tasks.detection.loss import Measured

CHANNELS = 128  # F
_RATIOS = ([2], [2, 3], [2, 3], [2, 3], [2])  # of the default boxes of each map, beside 1
_OVERLAP = 0.5  # IoU from which on a default box answers for a true one


class ShotDetector(StagedDetector):
    """Pictures -> logits of classes and boxes at each default box of five maps."""

    kind: ClassVar[str] = "ssd"

    def __init__(self, body: StagedNetwork, *, class_count: int, size: int, channels: int = CHANNELS) -> None:
        """`size`: pixels, S, a multiple of 32. Raises: ValueError; BackboneError where the backbone has no such maps."""
        super().__init__(body, class_count=class_count, size=size)
        # Backbones' maps have numbers of very different sizes; torchvision's own SSD scales its first one instead.
        self.sides = nn.ModuleList(_block(level.channels, channels, 1, stride=1) for level in self.levels)
        self.smaller = nn.ModuleList(_block(channels, channels, 3, stride=2) for _ in range(2))
        generator = DefaultBoxGenerator([list(ratios) for ratios in _RATIOS], min_ratio=0.1, max_ratio=0.9)
        head = SSDHead([channels] * len(_RATIOS), generator.num_anchors_per_location(), 1 + class_count)
        # Of the whole only what matches and measures is used: pictures come as squares, and are normalised already.
        self._torchvisions = [
            SSD(nn.Identity(), generator, (size, size), 1 + class_count, head=head, iou_thresh=_OVERLAP)
        ]
        self.head, self.matcher = head, SSDMatcher(_OVERLAP)
        strides = (*STRIDES, 2 * STRIDES[-1], 4 * STRIDES[-1])
        self.anchors: Tensor  # float32 [P, 4], pixels
        self.register_buffer("anchors", anchors_at(generator, size, strides), persistent=False)

    def forward(self, inputs: Tensor, start: int = 0) -> DetectorOutput:
        """As every StagedDetector."""
        return self._output(self.answer(inputs, start))

    def answer(self, inputs: Tensor, start: int = 0) -> dict[str, Tensor]:
        """What torchvision's head says: `cls_logits` [B, P, 1 + K], background first, and `bbox_regression` [B, P, 4]."""
        maps = [side(one) for side, one in zip(self.sides, self.maps(inputs, start), strict=True)]
        for block in self.smaller:
            maps.append(block(maps[-1]))
        return {name: one.float() for name, one in self.head(maps).items()}

    def measure(self, inputs: Tensor, truth: Tensor, *, start: int) -> Measured:
        """As TaughtByItself: `score_loss` and `box_loss`, torchvision's own of each picture alone."""
        found, targets = self.answer(inputs, start), targets_of(truth, first=1)
        (whole,) = self._torchvisions

        def one(number: int) -> dict[str, Tensor]:
            own = [targets[number]]
            matched = [self.matched(own[0]["boxes"])]
            alone = {name: value[number : number + 1] for name, value in found.items()}
            losses = whole.compute_loss(own, alone, [self.anchors], matched)
            return {"score_loss": losses["classification"], "box_loss": losses["bbox_regression"]}

        return Measured(each(one, len(truth)), None if self.training else self._output(found))

    def matched(self, boxes: Tensor) -> Tensor:
        """For each default box the number of its true box among [m, 4], -1 for none; int64 [P]."""
        if not len(boxes):
            return torch.full((len(self.anchors),), -1, device=boxes.device)
        found: Tensor = self.matcher(box_iou(boxes, self.anchors))
        return found

    def _output(self, found: dict[str, Tensor]) -> DetectorOutput:
        (whole,) = self._torchvisions
        boxes = decoded(whole.box_coder, found["bbox_regression"], self.anchors)
        return DetectorOutput(own_logits(found["cls_logits"]), boxes)


def _block(inputs: int, outputs: int, kernel: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
