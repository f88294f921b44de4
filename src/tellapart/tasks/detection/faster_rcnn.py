"""torchvision's Faster R-CNN on any backbone. In: StagedNetwork. Out: FasterDetector. Next: proposals.py.

A first network proposes where anything is, a second one looks at the map there again, and says what it is and where exactly.
Source: Ren et al. 2015, arXiv 1506.01497; on a feature pyramid, 1612.03144. Heads, anchors, matching, sampling and losses are
torchvision's. What it proposes is the same number for each picture, so that pictures can be answered together and the whole
becomes one ONNX graph; places are proposals times classes, since each class has a box of its own.

Shapes: B pictures, S side of the picture in pixels, F channels of the pyramid, K classes, A anchors, R proposals of a picture,
P = R x K places: the classes of the first proposal, then those of the second. M boxes of the picture that has most.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead, concat_box_prediction_layers
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

from tellapart.models.staged import StagedNetwork
from tellapart.tasks.detection.anchored import anchors_at, decoded, drawn_alike, each, own_logits, targets_of
from tellapart.tasks.detection.levels import STRIDES, DetectorOutput, StagedDetector
from tellapart.tasks.detection.loss import Measured
from tellapart.tasks.detection.proposals import Proposed, pooled, propose

CHANNELS, WIDTH = 96, 512  # F, and numbers that the second network describes a proposal by; on a backbone of ours
_WHOLE_CHANNELS, _WHOLE_WIDTH = 256, 1024  # of torchvision's own
_WHOLE_STRIDES = (4, *STRIDES)
PROPOSALS = 150  # R
_BEFORE = 500  # proposals of a level before suppression
_NEVER = -100.0  # the logit of a class at a place of another one
_SAMPLES = 64  # of the proposals of a picture that are learned from
_POOLED, _RATIOS = 7, (0.5, 1.0, 2.0)


class FasterDetector(StagedDetector):
    """Pictures -> logits of classes and boxes at each proposal's box of each class."""

    kind: ClassVar[str] = "faster_rcnn"
    ordered: ClassVar[bool] = False

    def __init__(
        self, body: StagedNetwork, *, class_count: int, size: int, channels: int = CHANNELS, whole: bool = False
    ) -> None:
        """`size`: pixels, S, a multiple of 32; `whole`: of torchvision's own shape.

        Raises: ValueError; BackboneError where the backbone has no such maps.
        """
        strides = _WHOLE_STRIDES if whole else STRIDES
        super().__init__(body, class_count=class_count, size=size, strides=strides)
        channels, width = (_WHOLE_CHANNELS, _WHOLE_WIDTH) if whole else (channels, WIDTH)
        self.pyramid = FeaturePyramidNetwork(
            [level.channels for level in self.levels],
            channels,
            extra_blocks=LastLevelMaxPool(),
            norm_layer=None if whole else nn.BatchNorm2d,
        )
        strides = (*strides, 2 * strides[-1])
        side = 8 if whole else 4  # strides, of a level's anchors
        generator = AnchorGenerator(tuple((side * one,) for one in strides), (_RATIOS,) * len(strides))
        self.rpn = _proposing(generator, channels)
        self.roi_heads = _deciding(channels, width, 1 + class_count, len(self.levels))
        self.anchors: Tensor  # float32 [A, 4], pixels
        self.register_buffer("anchors", anchors_at(generator, size, strides), persistent=False)
        self.counts = [len(_RATIOS) * (-(-size // one)) ** 2 for one in strides]  # anchors of each level

    def forward(self, inputs: Tensor, start: int = 0) -> DetectorOutput:
        """As every StagedDetector."""
        maps = self._pyramid(inputs, start)
        return self._output(maps, self._propose(*self._first(maps)))

    def measure(self, inputs: Tensor, truth: Tensor, *, start: int) -> Measured:
        """As TaughtByItself: torchvision's four losses of each picture alone."""
        maps, targets = self._pyramid(inputs, start), targets_of(truth, first=1)
        objects, codes = self._first(maps)
        proposed = self._propose(objects, codes)
        with drawn_alike(self.training, objects.device):
            first = each(lambda number: self._first_losses(objects[number], codes[number], targets[number]), len(truth))
            second = self._second_losses(maps, proposed, targets)
        return Measured({**first, **second}, None if self.training else self._output(maps, proposed))

    def _pyramid(self, inputs: Tensor, start: int) -> list[Tensor]:
        """Maps [B, F, H, W] of all levels, and one at twice the last stride."""
        maps = OrderedDict((str(number), one) for number, one in enumerate(self.maps(inputs, start)))
        return list(self.pyramid(maps).values())

    def _first(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """What the proposing network says: logits [B, A] of there being anything, and codes of boxes [B, A, 4]."""
        count = maps[0].shape[0]
        objects, codes = concat_box_prediction_layers(*self.rpn.head(maps))
        return objects.float().reshape(count, -1), codes.float().reshape(count, -1, 4)

    def _propose(self, objects: Tensor, codes: Tensor) -> Proposed:
        boxes = decoded(self.rpn.box_coder, codes.detach(), self.anchors)
        return propose(
            boxes,
            objects.detach(),
            self.counts,
            size=self.size,
            before=_BEFORE,
            most=PROPOSALS,
            overlap=self.rpn.nms_thresh,
        )

    def _first_losses(self, objects: Tensor, codes: Tensor, target: dict[str, Tensor]) -> dict[str, Tensor]:
        labels, boxes = self.rpn.assign_targets_to_anchors([self.anchors], [target])
        wanted = self.rpn.box_coder.encode(boxes, [self.anchors])
        by_object, by_box = self.rpn.compute_loss(objects, codes, labels, list(wanted))
        return {"object_loss": by_object, "proposal_loss": by_box}

    def _second_losses(
        self, maps: list[Tensor], proposed: Proposed, targets: list[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        given = [boxes[there] for boxes, there in zip(proposed.boxes, proposed.there, strict=True)]
        drawn, _, labels, wanted = self.roi_heads.select_training_samples(given, targets)
        counts = [len(one) for one in drawn]
        numbers = torch.arange(len(drawn), device=maps[0].device).repeat_interleave(
            torch.tensor(counts, device=maps[0].device)
        )
        logits, codes = self._second(maps, numbers, torch.cat(drawn))
        logits_each, codes_each = torch.split(logits, counts), torch.split(codes, counts)

        def one(number: int) -> dict[str, Tensor]:
            score, box = fastrcnn_loss(logits_each[number], codes_each[number], [labels[number]], [wanted[number]])
            return {"score_loss": score, "box_loss": box}

        return each(one, len(targets))

    def _second(self, maps: list[Tensor], numbers: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [n, 1 + K] and codes [n, 4 + 4 K] at boxes [n, 4] of the pictures with these numbers [n]."""
        strides = [level.stride for level in self.levels]
        found = pooled(maps[: len(strides)], numbers, boxes, strides=strides, side=_POOLED)
        logits, codes = self.roi_heads.box_predictor(self.roi_heads.box_head(found))
        return logits.float(), codes.float()

    def _output(self, maps: list[Tensor], proposed: Proposed) -> DetectorOutput:
        boxes_BR4, there_BR = proposed
        count, classes = boxes_BR4.shape[0], self.class_count
        numbers = torch.arange(count, device=boxes_BR4.device)[:, None].expand(-1, PROPOSALS).reshape(-1)
        logits, codes = self._second(maps, numbers, boxes_BR4.reshape(-1, 4))
        boxes = self.roi_heads.box_coder.decode_single(codes, boxes_BR4.reshape(-1, 4))
        boxes = boxes.reshape(-1, 1 + classes, 4)[:, 1:].clamp(0, self.size)
        scores = own_logits(logits).reshape(-1, PROPOSALS, classes).where(there_BR[..., None], _NEVER)
        own = torch.eye(classes, dtype=torch.bool, device=scores.device)
        return DetectorOutput(
            scores[:, :, None].where(own, _NEVER).reshape(-1, PROPOSALS * classes, classes),
            boxes.reshape(-1, PROPOSALS * classes, 4),
        )


def _proposing(generator: AnchorGenerator, channels: int) -> RegionProposalNetwork:
    """With torchvision's numbers; how many are kept, proposals.py is told."""
    return RegionProposalNetwork(
        generator,
        RPNHead(channels, generator.num_anchors_per_location()[0]),
        0.7,
        0.3,
        256,
        0.5,
        {"training": _BEFORE, "testing": _BEFORE},
        {"training": PROPOSALS, "testing": PROPOSALS},
        0.7,
    )


def _deciding(channels: int, width: int, outputs: int, levels: int) -> RoIHeads:
    """With torchvision's numbers, but 64 samples of a picture and not 512: looking at them is most of the work on a CPU."""
    pool: Any = MultiScaleRoIAlign([str(number) for number in range(levels)], output_size=_POOLED, sampling_ratio=2)
    head = TwoMLPHead(channels * _POOLED**2, width)
    predictor = FastRCNNPredictor(width, outputs)
    return RoIHeads(pool, head, predictor, 0.5, 0.5, _SAMPLES, 0.25, None, 0.05, 0.5, 100)
