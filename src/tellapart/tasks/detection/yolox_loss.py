"""What the answers of a DecoupledDetector cost. In: pictures, true boxes. Out: Measured. Next: learner.py.

A picture's loss is its own, whatever pictures it is computed with, as in loss.py. Shapes as in simota.py; B pictures, M boxes of
the picture that has most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.tasks.detection.assignment import overlaps
from tellapart.tasks.detection.levels import DetectorOutput
from tellapart.tasks.detection.loss import Measured
from tellapart.tasks.detection.simota import match
from tellapart.tasks.detection.yolox import Decoupled, joint_logits

_BOX_WEIGHT = (
    5.0  # of boxes beside classes, and of whether there is anything. Source: arXiv 2107.08430, and its code's default
)
_PLACES = 5.0  # that answer for a box, about: it brings the loss to the size that it has with the batch's own number


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoupledLoss:
    """Cross-entropy of classes and of whether there is anything, 1 - IoU^2 of boxes; matched by SimOTA."""

    parts: ClassVar[tuple[str, ...]] = ("object_loss", "score_loss", "box_loss")
    boxes_a_picture: float  # the mean of the training pictures

    def measure(self, network: nn.Module, inputs: Tensor, truth: Tensor, *, start: int, places: Tensor) -> Measured:
        """As every BoxLoss; `network` is a DecoupledDetector."""
        whole: Any = network
        found: Decoupled = whole.answer(inputs, start)
        joint = joint_logits(found.classes, found.objects[..., None])
        costs = torch.stack([self._of(*one, places) for one in zip(*found, joint, truth, strict=True)])
        costs = costs / (_PLACES * max(1.0, self.boxes_a_picture))
        return Measured(dict(zip(self.parts, costs.T, strict=True)), DetectorOutput(joint, found.boxes))

    def _of(
        self, classes: Tensor, objects: Tensor, boxes: Tensor, joint: Tensor, truth: Tensor, places: Tensor
    ) -> Tensor:
        """The three parts [3] of one picture. In a difficult box nobody answers, and nothing is wrong."""
        known = truth[~truth[:, 0].isnan()]
        difficult = known[:, 5] == 1
        own, ignored = known[~difficult], known[difficult]
        labels = own[:, 0].long()
        # The square root of the joint probability, as in the authors' code: it is 1 only where both are.
        likely = joint.detach().sigmoid().sqrt()
        matched = match(likely, boxes.detach(), labels, own[:, 1:5], places)
        wanted = torch.zeros_like(objects)
        wanted[matched.places] = 1.0
        counted = (wanted > 0) | ~_within(ignored[:, 1:5], places)
        by_object = functional.binary_cross_entropy_with_logits(objects, wanted, reduction="none")[counted].sum()
        if not len(matched.places):
            return torch.stack([by_object, 0 * classes.sum(), 0 * boxes.sum()])
        # A class is wanted as much as the box fits.
        target = functional.one_hot(labels[matched.boxes], classes.shape[1]) * matched.overlaps[:, None]
        by_class = functional.binary_cross_entropy_with_logits(classes[matched.places], target, reduction="sum")
        shared = overlaps(own[matched.boxes, None, 1:5], boxes[matched.places, None])[:, 0, 0]
        return torch.stack([by_object, by_class, _BOX_WEIGHT * (1 - shared**2).sum()])


def _within(boxes: Tensor, places: Tensor) -> Tensor:
    """Whether each place lies in one of boxes [n, 4], bool [P]."""
    middles = places[:, :2]
    beyond = torch.cat([middles - boxes[:, None, :2], boxes[:, None, 2:] - middles], dim=-1)
    return (beyond.amin(-1) > 0).any(0)
