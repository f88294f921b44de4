"""The loss of a detector. In: DetectorOutput, Assigned. Out: losses [B] and its two parts. Next: learner.py.

Shapes as in assignment.py. A picture's loss is its own, whatever pictures it is computed with: sums over its places, divided by
one number for all pictures of a training. So a batch may be cut into chunks or shared among machines, and each box counts alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tellapart.tasks.detection.assignment import TOP, assign
from tellapart.tasks.detection.levels import DetectorOutput

_FOCUS = 2.0  # beta of the quality focal loss
_BOX_WEIGHT = 2.0  # of places of boxes beside scores, as in GFL and TOOD
_LEAST = 1e-7


class Measured(NamedTuple):
    """What a network's answers for B pictures cost."""

    parts: Mapping[str, Tensor]  # by name, float32 [B] each: a picture's own, whatever pictures it is computed with
    found: DetectorOutput | None  # the answers; a network in training may leave them out


class BoxLoss(Protocol):
    """How a kind of detector is taught: all that its learner knows of it."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The names in `Measured.parts`, which add up to the loss."""
        ...

    def measure(self, network: nn.Module, inputs: Tensor, truth: Tensor, *, start: int, places: Tensor) -> Measured:
        """Run `network` on the inputs of its stage `start`, whose true boxes are `truth` [B, M, 6].

        `places` [P, 3] are those of three levels, network.py's, for networks that answer at them.
        """
        ...


class TaughtByItself(Protocol):
    """A network that tells what its answers cost, since it must know the true boxes before it has any."""

    def measure(self, inputs: Tensor, truth: Tensor, *, start: int) -> Measured:
        """As BoxLoss."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLoss:
    """The network's own: torchvision's detectors draw samples of what they learn from with the true boxes at hand."""

    parts: tuple[str, ...]

    def measure(self, network: nn.Module, inputs: Tensor, truth: Tensor, *, start: int, places: Tensor) -> Measured:
        """As every BoxLoss; `network` is TaughtByItself."""
        teaching: Any = network
        measured: Measured = teaching.measure(inputs, truth, start=start)
        return measured


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionLoss:
    """Quality focal loss of the scores, GIoU loss of the boxes."""

    parts: ClassVar[tuple[str, ...]] = ("score_loss", "box_loss")
    boxes_a_picture: float  # the mean of the training pictures, at least 1: it brings the loss to about 1

    def measure(self, network: nn.Module, inputs: Tensor, truth: Tensor, *, start: int, places: Tensor) -> Measured:
        """As every BoxLoss."""
        found: DetectorOutput = network(inputs, start=start)
        by_score, by_box = self(found.scores, found.boxes, truth, places)
        return Measured({"score_loss": by_score, "box_loss": by_box}, found)

    def __call__(self, scores: Tensor, boxes: Tensor, truth: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """What scores and boxes cost, float32 [B] each, which add up to the loss.

        Logits [B, P, K], boxes [B, P, 4] and `truth` [B, M, 6] as assignment.py has them; `places` [P, 3].
        """
        assigned = assign(scores, boxes, truth, places)
        divisor = TOP * max(1.0, self.boxes_a_picture)
        by_score = quality_focal_loss(scores, assigned.scores).sum(2).where(assigned.counted, 0.0).sum(1)
        answering = assigned.weights > 0
        by_box = torch.zeros_like(assigned.weights)
        by_box[answering] = assigned.weights[answering] * giou_loss(boxes[answering], assigned.boxes[answering])
        return by_score / divisor, _BOX_WEIGHT * by_box.sum(1) / divisor


def boxes_a_picture(boxes: NDArray[np.floating]) -> float:
    """The mean number of true boxes of pictures [N, M, 6], where rows of NaN are none."""
    return float((~np.isnan(boxes[..., 0])).sum(1).mean())


def quality_focal_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """|wanted - p|^2 x cross-entropy, [...] alike; `wanted` in [0, 1]. Source: Li et al. 2020, GFL, arXiv 2006.04388, eq. 2."""
    costs = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return (wanted - logits.sigmoid()).abs() ** _FOCUS * costs


def giou_loss(boxes: Tensor, truth: Tensor) -> Tensor:
    """1 - GIoU of pairs of boxes [n, 4] (left, top, right, bottom), in [0, 2]. Source: Rezatofighi et al., arXiv 1902.09630."""
    shared = _area(torch.maximum(boxes[:, :2], truth[:, :2]), torch.minimum(boxes[:, 2:], truth[:, 2:]))
    union = _area(boxes[:, :2], boxes[:, 2:]) + _area(truth[:, :2], truth[:, 2:]) - shared
    hull = _area(torch.minimum(boxes[:, :2], truth[:, :2]), torch.maximum(boxes[:, 2:], truth[:, 2:]))
    return 1 - shared / (union + _LEAST) + (hull - union) / (hull + _LEAST)


def _area(upper_left: Tensor, lower_right: Tensor) -> Tensor:
    """Of boxes by their corners [n, 2]: [n], 0 where they are the wrong way round."""
    return (lower_right - upper_left).clamp(min=0).prod(1)
