"""torchvision's RetinaNet on any backbone. In: StagedNetwork. Out: RetinaDetector. Next: ssd.py.

Nine anchors a place of a feature pyramid, two towers that all levels share, focal loss. Source: Lin et al. 2017, arXiv
1708.02002. Head, anchors, matching and loss are torchvision's; beside its own, the towers have group norms, without which they
learn slowly from nothing.

Shapes: B pictures, S side of the picture in pixels, F channels of the pyramid, K classes, P anchors, M boxes of the picture that
has most.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torchvision.models.detection._utils import Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import box_iou
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelP6P7

from tellapart.models.staged import StagedNetwork
from tellapart.tasks.detection.anchored import anchors_at, decoded, each, targets_of
from tellapart.tasks.detection.levels import STRIDES, DetectorOutput, StagedDetector
from tellapart.tasks.detection.loss import Measured

CHANNELS = 96  # F, on a backbone of ours
_WHOLE_CHANNELS = 256  # of torchvision's own
_GROUPS = 16  # most of a group norm
_OCTAVES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
_RATIOS = (0.5, 1.0, 2.0)
_ANCHOR = 4  # strides, the side of a level's smallest anchor


class RetinaDetector(StagedDetector):
    """Pictures -> logits of classes and boxes at each anchor of five levels."""

    kind: ClassVar[str] = "retinanet"

    def __init__(
        self, body: StagedNetwork, *, class_count: int, size: int, channels: int = CHANNELS, whole: bool = False
    ) -> None:
        """`size`: pixels, S, a multiple of 32; `whole`: of torchvision's own shape, without norms.

        Raises: ValueError; BackboneError where the backbone has no such maps.
        """
        super().__init__(body, class_count=class_count, size=size)
        width = _WHOLE_CHANNELS if whole else channels
        self.pyramid = FeaturePyramidNetwork(
            [level.channels for level in self.levels],
            width,
            extra_blocks=LastLevelP6P7(width, width),
            norm_layer=None if whole else _group_norm,
        )
        strides = (*STRIDES, 2 * STRIDES[-1], 4 * STRIDES[-1])
        sizes = tuple(tuple(int(_ANCHOR * stride * octave) for octave in _OCTAVES) for stride in strides)
        generator = AnchorGenerator(sizes, (_RATIOS,) * len(sizes))
        norm: Callable[..., nn.Module] | None = None if whole else _group_norm
        self.head = RetinaNetHead(width, generator.num_anchors_per_location()[0], class_count, norm_layer=norm)
        self.matcher = Matcher(0.5, 0.4, allow_low_quality_matches=True)
        self.anchors: Tensor  # float32 [P, 4], pixels
        self.register_buffer("anchors", anchors_at(generator, size, strides), persistent=False)

    def forward(self, inputs: Tensor, start: int = 0) -> DetectorOutput:
        """As every StagedDetector."""
        return self._output(self.answer(inputs, start))

    def answer(self, inputs: Tensor, start: int = 0) -> dict[str, Tensor]:
        """What torchvision's head says: `cls_logits` [B, P, K] and `bbox_regression` [B, P, 4]."""
        maps = self.maps(inputs, start)
        pyramid = self.pyramid(OrderedDict((str(number), one) for number, one in enumerate(maps)))
        return {name: one.float() for name, one in self.head(list(pyramid.values())).items()}

    def measure(self, inputs: Tensor, truth: Tensor, *, start: int) -> Measured:
        """As TaughtByItself: `score_loss` and `box_loss`, torchvision's own of each picture alone."""
        found, targets = self.answer(inputs, start), targets_of(truth, first=0)

        def one(number: int) -> dict[str, Tensor]:
            own = [targets[number]]
            matched = [self.matched(own[0]["boxes"])]
            alone = {name: value[number : number + 1] for name, value in found.items()}
            losses = self.head.compute_loss(own, alone, [self.anchors], matched)
            return {"score_loss": losses["classification"], "box_loss": losses["bbox_regression"]}

        return Measured(each(one, len(truth)), None if self.training else self._output(found))

    def matched(self, boxes: Tensor) -> Tensor:
        """For each anchor the number of its box among [m, 4], or torchvision's marks for none; int64 [P]."""
        if not len(boxes):
            return torch.full((len(self.anchors),), Matcher.BELOW_LOW_THRESHOLD, device=boxes.device)
        found: Tensor = self.matcher(box_iou(boxes, self.anchors))
        return found

    def _output(self, found: dict[str, Tensor]) -> DetectorOutput:
        boxes = decoded(self.head.regression_head.box_coder, found["bbox_regression"], self.anchors)
        return DetectorOutput(found["cls_logits"], boxes)


def _group_norm(channels: int) -> nn.Module:
    most = min(_GROUPS, max(1, channels // 4))
    return nn.GroupNorm(max(groups for groups in range(1, most + 1) if channels % groups == 0), channels)
