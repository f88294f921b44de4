"""Which places answer for which box, by what they cost. In: answers at places, true boxes. Out: Matched. Next: yolox_loss.py.

Each box takes the places that would cost least, and as many of them as its best overlaps add up to: an easy box gets more than
a hard one. Source: Ge et al. 2021, YOLOX, arXiv 2107.08430, section 2.1, "SimOTA", after OTA, arXiv 2103.14259.

Shapes: P places (x, y, stride in pixels, see network.py), K classes, M true boxes of one picture.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tellapart.tasks.detection.assignment import overlaps

REACH = 2.5  # strides of its level from the middle of a box to a place that may answer for it, across and down
BEST = 10  # overlaps that say how many places answer for a box
_OVERLAP_WEIGHT = 3.0  # lambda of the paper: of -log(IoU) beside the cost of the classes
_APART = 1e5  # that a place costs more which is not both inside the box and near its middle
_LEAST = 1e-8


class Matched(NamedTuple):
    """The places of one picture that answer for a box."""

    places: Tensor  # int64 [n], in order
    boxes: Tensor  # int64 [n], each one's true box, a number under M
    overlaps: Tensor  # float32 [n], IoU of its box with that one


def match(scores: Tensor, boxes: Tensor, labels: Tensor, truth: Tensor, places: Tensor) -> Matched:
    """Of probabilities [P, K], boxes [P, 4], classes int64 [M], true boxes [M, 4] and places [P, 3]; no gradient passes.

    A place may answer for a box that it lies in or near whose middle it is. Where several boxes want one place, it answers for
    the one that it costs least.
    """
    with torch.no_grad():
        nowhere = torch.zeros(0, dtype=torch.int64, device=boxes.device)
        if not len(truth):
            return Matched(nowhere, nowhere, torch.zeros(0, device=boxes.device))
        inside, central = _near(truth, places)
        able = (inside | central).any(0)
        at = able.nonzero()[:, 0]
        if not len(at):
            return Matched(nowhere, nowhere, torch.zeros(0, device=boxes.device))
        shared = overlaps(truth[None], boxes[None, at])[0]  # [M, able]
        costs = (
            _class_costs(scores[at], labels)
            + _OVERLAP_WEIGHT * -(shared + _LEAST).log()
            + _APART * ~(inside & central)[:, at]
        )
        chosen = _cheapest(costs, shared)
        several = chosen.sum(0) > 1
        chosen[:, several] = functional.one_hot(costs[:, several].argmin(0), len(truth)).T.bool()
        taken = chosen.any(0)
        owner = chosen[:, taken].to(torch.uint8).argmax(0)
        return Matched(at[taken], owner, shared[:, taken].gather(0, owner[None])[0])


def _near(truth: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Whether a place lies in a box, and near its middle, bool [M, P] each."""
    middles, strides = places[:, :2], places[:, 2]
    beyond = torch.cat([middles - truth[:, None, :2], truth[:, None, 2:] - middles], dim=-1)
    own = (truth[:, :2] + truth[:, 2:]) / 2
    far = (middles - own[:, None]).abs().amax(-1)
    return beyond.amin(-1) > 0, far < REACH * strides


def _class_costs(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each place's classes with each box's, summed over them: [M, n]."""
    wanted = functional.one_hot(labels, scores.shape[1]).float()  # [M, K]
    probable = scores.clamp(_LEAST, 1 - 1e-6)
    return -(wanted @ probable.log().T + (1 - wanted) @ (1 - probable).log().T)


def _cheapest(costs: Tensor, shared: Tensor) -> Tensor:
    """For each box its cheapest places, as many as its BEST overlaps add up to, at least one: bool [M, n]."""
    counts = shared.topk(min(BEST, shared.shape[1]), dim=1).values.sum(1).int().clamp(min=1)
    ranks = costs.argsort(dim=1, stable=True).argsort(dim=1)
    return ranks < counts[:, None]
