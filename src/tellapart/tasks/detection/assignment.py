"""Which place of a picture answers for which box. In: scores and boxes at places, true boxes. Out: Assigned. Next: loss.py.

Task-aligned: a place answers for a box where both its score for the box's class and its own box are already good, so that the
best score and the best box come from one place. Source: Feng et al. 2021, TOOD, arXiv 2108.07755, section 3.2. Only places
near a box's middle may answer: centre sampling, Tian et al. 2020, FCOS, arXiv 2006.09214.

Shapes: B pictures, P places (x, y, stride in pixels, see network.py), K classes, M boxes of the picture that has most. True boxes
are float32 [B, M, 6]: class, left, top, right, bottom in pixels of the input, and 1 for a difficult one, else 0; rows of NaN stand
for none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TOP = 9  # places at most that answer for one box
# Strides of its level, at most, from the middle of a box to a place that may answer for it, across and down. Without it the many
# places of the fine levels that are in a large box win by chance, and no score can tell which of them will.
REACH = 2.5
_SCORE_POWER, _OVERLAP_POWER = 1.0, 6.0  # alpha and beta of the paper
_LEAST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assigned:
    """What each place should say."""

    scores: Tensor  # float32 [B, P, K] in [0, 1]: of an answering place how good it is for its box, elsewhere 0
    boxes: Tensor  # float32 [B, P, 4]: of an answering place its true box, elsewhere anything
    weights: Tensor  # float32 [B, P] in [0, 1]: how much an answering place's box counts; 0 elsewhere
    counted: Tensor  # bool [B, P]: whether its scores count; not within a difficult box, for which nobody answers


def assign(scores: Tensor, boxes: Tensor, truth: Tensor, places: Tensor) -> Assigned:
    """Of logits [B, P, K], boxes [B, P, 4], true boxes [B, M, 6] (M at least 1) and places [P, 3]; no gradient passes.

    For each box the TOP places whose middle is inside it and within REACH of the box's own, ranked by score x overlap^6; the
    wanted score of the best is its overlap (IoU), and that of the others is less as they rank lower. Where two boxes want one
    place, it answers for the one that it overlaps more. A box that no middle is in gets the nearest place of the finest level.
    """
    with torch.no_grad():
        known = ~truth[..., 0].isnan()
        wanted = known & (truth[..., 5] != 1)
        filled = truth.nan_to_num(0.0)
        classes_BM, true_BM4 = filled[..., 0].long(), filled[..., 1:5]
        inside = _inside(true_BM4, places[:, :2])
        overlap = overlaps(true_BM4, boxes)  # [B, M, P]
        likely = scores.sigmoid().transpose(1, 2)  # [B, K, P]
        likely = likely.gather(1, classes_BM[..., None].expand(-1, -1, likely.shape[-1]))
        metric = likely**_SCORE_POWER * overlap**_OVERLAP_POWER
        able = ((inside & _central(true_BM4, places)) | _nearest(true_BM4, places, inside)) & wanted[..., None]
        chosen = _best(metric, able)
        chosen &= overlap.where(chosen, -1.0).argmax(1, keepdim=True) == _numbers(chosen)
        answers = chosen.any(1)  # [B, P]
        owner = chosen.to(torch.uint8).argmax(1)  # [B, P] number of the box
        metric = metric.where(chosen, 0.0)
        best = metric.amax(2, keepdim=True)
        top_overlap = overlap.where(chosen, 0.0).amax(2, keepdim=True)
        goodness = (metric / best.clamp(min=_LEAST**3) * top_overlap).where(best > 0, 0.0)
        weights = goodness.sum(1)  # one box a place at most
        target = torch.zeros_like(scores, dtype=torch.float32)
        target.scatter_(2, classes_BM.gather(1, owner)[..., None], weights[..., None])
        difficult = (inside & (known & ~wanted)[..., None]).any(1)
        return Assigned(
            scores=target,
            boxes=true_BM4.gather(1, owner[..., None].expand(-1, -1, 4)),
            weights=weights,
            counted=answers | ~difficult,
        )


def overlaps(first: Tensor, second: Tensor) -> Tensor:
    """IoU of each of boxes [B, M, 4] with each of [B, P, 4]: [B, M, P] in [0, 1]; 0 for boxes of no area."""
    one, other = first[:, :, None], second[:, None]
    sides = (torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])).clamp(min=0)
    shared = sides.prod(-1)
    union = _areas(one) + _areas(other) - shared
    return (shared / union.clamp(min=_LEAST)).where(union > 0, 0.0)


def _areas(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def _inside(true_BM4: Tensor, middles: Tensor) -> Tensor:
    """Whether a place's middle is within a box, bool [B, M, P]."""
    beyond = torch.cat([middles - true_BM4[:, :, None, :2], true_BM4[:, :, None, 2:] - middles], dim=-1)
    return beyond.amin(-1) > 0


def _central(true_BM4: Tensor, places: Tensor) -> Tensor:
    """Whether a place is within REACH strides of a box's middle, bool [B, M, P]."""
    own = (true_BM4[..., :2] + true_BM4[..., 2:]) / 2
    far = (places[:, :2] - own[:, :, None]).abs().amax(-1)
    return far <= REACH * places[:, 2]


def _nearest(true_BM4: Tensor, places: Tensor, inside: Tensor) -> Tensor:
    """For a box that no middle is in the place of the finest level nearest to its own middle; bool [B, M, P]."""
    own = (true_BM4[..., :2] + true_BM4[..., 2:]) / 2
    far = torch.cdist(own, places[:, :2].expand(len(own), -1, -1))
    far = far.where(places[:, 2] == places[:, 2].min(), torch.inf)
    nearest = torch.zeros_like(inside).scatter_(2, far.argmin(2, keepdim=True), True)
    return nearest & ~inside.any(2, keepdim=True)


def _best(metric: Tensor, able: Tensor) -> Tensor:
    """The TOP of those that are able, by metric, bool [B, M, P]."""
    ranked = metric.where(able, -1.0)
    values, order = ranked.topk(min(TOP, ranked.shape[2]), dim=2)
    return torch.zeros_like(able).scatter_(2, order, values >= 0)


def _numbers(chosen: Tensor) -> Tensor:
    """0 to M - 1 as [1, M, 1]."""
    return torch.arange(chosen.shape[1], device=chosen.device)[None, :, None]
