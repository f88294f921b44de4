"""From a proposing network's answers to what is looked at again. In: boxes, logits. Out: Proposed; maps at boxes. Next: learner.py.

The same numbers for every batch, all in operators that ONNX has: as many proposals a picture as are asked for, filled up with
nothing. torchvision's own go picture by picture, so that an exported graph would take one picture, or always as many.

Shapes: B pictures, A anchors, R proposals of a picture, F channels, n boxes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchvision.ops import nms, roi_align

_CANONICAL, _CANONICAL_LEVEL = (
    224,
    4,
)  # pixels of a box that is looked at on this level. Source: arXiv 1612.03144, eq. 1
_SAMPLES = 2  # points across and down in each cell
_SMALLEST = 1e-3  # pixels, of a proposal's side


class Proposed(NamedTuple):
    """What is looked at again."""

    boxes: Tensor  # float32 [B, R, 4], pixels, within the picture; the most likely first, zeros at the end
    there: Tensor  # bool [B, R], whether it is a proposal at all


class _Suppressed(torch.autograd.Function):
    """Which of boxes [B, n, 4] no better one of its picture covers, by scores [B, n]: rows of picture, 0, number, int64 [k, 3]."""

    @staticmethod
    def forward(context: Any, boxes: Tensor, scores: Tensor, most: int, overlap: float) -> Tensor:
        """In torch."""
        rows = []
        for picture in range(boxes.shape[0]):
            kept = nms(boxes[picture], scores[picture], overlap)[:most]
            rows.append(torch.stack([torch.full_like(kept, picture), torch.zeros_like(kept), kept], dim=1))
        return torch.cat(rows)

    @staticmethod
    def symbolic(graph: Any, boxes: Any, scores: Any, most: int, overlap: float) -> Any:
        """In ONNX."""
        unsqueezed = graph.op("Unsqueeze", scores, graph.op("Constant", value_t=torch.tensor([1])))
        limits = [
            graph.op("Constant", value_t=torch.tensor([most])),
            graph.op("Constant", value_t=torch.tensor([overlap], dtype=torch.float32)),
        ]
        return graph.op("NonMaxSuppression", boxes, unsqueezed, *limits)


def propose(
    boxes: Tensor, objects: Tensor, counts: Sequence[int], *, size: int, before: int, most: int, overlap: float
) -> Proposed:
    """Of boxes [B, A, 4] with logits [B, A], of which `counts` belong to each level; no gradient passes.

    The best `before` of each level, without those that a better one of their level covers by more than `overlap` (IoU); of
    these the best `most` of all. Pictures have `size` pixels a side. Source: torchvision's filter_proposals.
    """
    with torch.no_grad():
        found_boxes, found_scores = [], []
        # A level's boxes are suppressed among themselves alone.
        for own_boxes, own in zip(
            torch.split(boxes, list(counts), 1), torch.split(objects, list(counts), 1), strict=True
        ):
            scores, at = own.topk(min(before, own.shape[1]), dim=1)
            near = own_boxes.gather(1, at[..., None].expand(-1, -1, 4)).clamp(0, size)
            large = ((near[..., 2:] - near[..., :2]) >= _SMALLEST).all(-1)
            probable = scores.sigmoid().where(large, 0.0)
            found_boxes.append(near)
            found_scores.append(_kept(near, probable, most, overlap))
        every_box, every_score = torch.cat(found_boxes, 1), torch.cat(found_scores, 1)
        more = max(0, most - every_score.shape[1])  # small pictures have fewer anchors
        every_box = torch.nn.functional.pad(every_box, (0, 0, 0, more))
        every_score = torch.nn.functional.pad(every_score, (0, more))
        best, at = every_score.topk(most, dim=1)
        there = best > 0
        return Proposed(every_box.gather(1, at[..., None].expand(-1, -1, 4)).where(there[..., None], 0.0), there)


def _kept(boxes: Tensor, scores: Tensor, most: int, overlap: float) -> Tensor:
    """The scores [B, n] of what is not suppressed, 0 elsewhere."""
    rows = _Suppressed.apply(boxes, scores, most, overlap)
    flat = rows[:, 0] * boxes.shape[1] + rows[:, 2]
    kept = torch.zeros_like(scores).reshape(-1).scatter(0, flat, torch.ones_like(flat, dtype=scores.dtype))
    return scores * kept.reshape(scores.shape)


def pooled(maps: Sequence[Tensor], numbers: Tensor, boxes: Tensor, *, strides: Sequence[int], side: int) -> Tensor:
    """Maps [B, F, H, W] at boxes [n, 4] of the pictures `numbers` [n], as [n, F, side, side].

    Each box on the level that suits its size. Source: torchvision's MultiScaleRoIAlign.
    """
    rows = torch.cat([numbers[:, None].to(boxes.dtype), boxes], dim=1)
    lowest, highest = (int(math.log2(stride)) for stride in (strides[0], strides[-1]))
    areas = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).clamp(min=_SMALLEST**2)
    levels = torch.floor(_CANONICAL_LEVEL + torch.log2(areas.sqrt() / _CANONICAL) + 1e-6).clamp(lowest, highest)
    found = torch.zeros(1, dtype=maps[0].dtype, device=boxes.device)
    found = found.expand(boxes.shape[0], maps[0].shape[1] * side * side)
    for features, stride in zip(maps, strides, strict=True):
        at = (levels == math.log2(stride)).nonzero()[:, 0]
        cells = roi_align(features, rows[at], (side, side), spatial_scale=1 / stride, sampling_ratio=_SAMPLES)
        found = found.index_copy(0, at, cells.flatten(1).to(found.dtype))
    return found.reshape(-1, maps[0].shape[1], side, side)
