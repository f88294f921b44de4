"""The loss of a class a pixel. In: logits, masks. Out: losses [B] and their two parts. Next: learner.py.

Each crop's loss is its own, whatever crops it is computed with, so that a batch may be cut into chunks or shared among machines.
Pixels that count nowhere take no part. Shapes: B crops, K classes, P pixels of a crop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from tellapart.data.targets import IGNORED

LossName = Literal["cross_entropy", "focal", "tversky", "lovasz"]
# Tversky's weights of pixels wrongly taken for a class and of missed ones: Salehi et al. 2017, arXiv 1706.05721, figure 2.
_FALSE, _MISSED = 0.3, 0.7
_SMOOTH = 1.0  # pixels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PixelLoss:
    """A loss of each pixel for itself, and one of each class as a whole; they are added up."""

    parts: ClassVar[tuple[str, ...]] = ("pixel_loss", "overlap_loss")
    name: LossName = "cross_entropy"
    focal_gamma: float = 2.0
    label_smoothing: float = 0.0
    class_weights: Tensor | None = None  # float32 [K], that the pixels of each class count; None: alike

    def __call__(self, logits: Tensor, masks: Tensor) -> Mapping[str, Tensor]:
        """Of logits [B, K, h, w] and masks int64 [B, h, w] the parts by name, float32 [B] each; 0 where no pixel counts."""
        logits_BKP, mask_BP = logits.float().flatten(2), masks.flatten(1)
        counted_BP = mask_BP != IGNORED
        overlap = _OVERLAPS[self.name](logits_BKP, mask_BP, counted_BP)
        return {"pixel_loss": self._by_pixel(logits_BKP, mask_BP, counted_BP), "overlap_loss": overlap}

    def _by_pixel(self, logits_BKP: Tensor, mask_BP: Tensor, counted_BP: Tensor) -> Tensor:
        weights = None if self.class_weights is None else self.class_weights.to(logits_BKP.device)
        costs = functional.cross_entropy(
            logits_BKP,
            mask_BP,
            weight=weights,
            ignore_index=IGNORED,
            reduction="none",
            label_smoothing=self.label_smoothing,
        )
        if self.name == "focal":
            true_BP = logits_BKP.softmax(1).gather(1, mask_BP.where(counted_BP, 0)[:, None])[:, 0]
            costs = costs * (1 - true_BP).clamp(min=0) ** self.focal_gamma
        return costs.sum(1) / counted_BP.sum(1).clamp(min=1)


def dice_loss(logits_BKP: Tensor, mask_BP: Tensor, counted_BP: Tensor) -> Tensor:
    """1 - Dice, float32 [B], the mean over the classes that a crop shows. Source: Milletari et al. 2016, arXiv 1606.04797."""
    return _tversky(logits_BKP, mask_BP, counted_BP, false=0.5, missed=0.5)


def tversky_loss(logits_BKP: Tensor, mask_BP: Tensor, counted_BP: Tensor) -> Tensor:
    """1 - Tversky's index, float32 [B], which counts missed pixels more. Source: Salehi et al. 2017, arXiv 1706.05721, eq. 2."""
    return _tversky(logits_BKP, mask_BP, counted_BP, false=_FALSE, missed=_MISSED)


def lovasz_loss(logits_BKP: Tensor, mask_BP: Tensor, counted_BP: Tensor) -> Tensor:
    """The Lovász-softmax, float32 [B], over the classes that a crop shows. Source: Berman et al. 2018, arXiv 1705.08790, alg. 1."""
    truth_BKP, probabilities_BKP = _one_a_class(logits_BKP, mask_BP, counted_BP)
    errors_BKP, order = (truth_BKP - probabilities_BKP).abs().sort(dim=2, descending=True)
    sorted_BKP = truth_BKP.gather(2, order)
    counted = counted_BP[:, None].to(truth_BKP.dtype).expand_as(truth_BKP).gather(2, order)
    there = truth_BKP.sum(2, keepdim=True)
    shared = there - sorted_BKP.cumsum(2)
    union = there + (counted - sorted_BKP).cumsum(2)
    jaccard = 1 - shared / union.clamp(min=1e-6)
    steps = torch.cat([jaccard[..., :1], jaccard[..., 1:] - jaccard[..., :-1]], dim=2)
    return _mean_of_shown((errors_BKP * steps.where(there > 0, 0.0)).sum(2), there[..., 0])


_OVERLAPS: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = MappingProxyType(
    {"cross_entropy": dice_loss, "focal": dice_loss, "tversky": tversky_loss, "lovasz": lovasz_loss}
)
LOSSES: tuple[str, ...] = tuple(_OVERLAPS)


def _tversky(logits_BKP: Tensor, mask_BP: Tensor, counted_BP: Tensor, *, false: float, missed: float) -> Tensor:
    truth_BKP, probabilities_BKP = _one_a_class(logits_BKP, mask_BP, counted_BP)
    both, said, there = (truth_BKP * probabilities_BKP).sum(2), probabilities_BKP.sum(2), truth_BKP.sum(2)
    index = (both + _SMOOTH) / (both + false * (said - both) + missed * (there - both) + _SMOOTH)
    return _mean_of_shown(1 - index, there)


def _one_a_class(logits_BKP: Tensor, mask_BP: Tensor, counted_BP: Tensor) -> tuple[Tensor, Tensor]:
    """1 where a pixel is of a class, and how probable that is, [B, K, P] each; 0 where the pixel counts nowhere."""
    counted_B1P = counted_BP[:, None]
    classes = torch.arange(logits_BKP.shape[1], device=mask_BP.device)
    truth_BKP = (mask_BP[:, None] == classes[:, None]).to(logits_BKP.dtype)
    return truth_BKP, logits_BKP.softmax(1) * counted_B1P


def _mean_of_shown(losses_BK: Tensor, there_BK: Tensor) -> Tensor:
    """The mean over the classes that each crop shows, [B]; 0 where it shows none that counts."""
    shown = (there_BK > 0).to(losses_BK.dtype)
    return (losses_BK * shown).sum(1) / shown.sum(1).clamp(min=1)
