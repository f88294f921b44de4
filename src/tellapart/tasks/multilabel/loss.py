"""The loss of a set of classes. In: logits, targets, both [B, K]. Out: losses [B]. Next: learner.py.

Shapes: B pictures, K classes. A picture's loss is the mean over the classes that are known of it, so that it is the same in
one batch, in several chunks or on several machines.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.errors import SettingsError

ASYMMETRIC = {"gamma_positive": 1.0, "gamma_negative": 4.0, "clip": 0.05}  # as its authors chose them
_LEAST = 1e-8  # under a power, whose slope at 0 may have no end


class LabelsLoss(nn.Module):
    """Binary cross-entropy of each class, focal or asymmetric where the gammas say so."""

    positive_weights: Tensor | None

    def __init__(
        self,
        *,
        label_smoothing: float = 0.0,
        positive_weights: Sequence[float] | None = None,
        gamma_positive: float = 0.0,
        gamma_negative: float = 0.0,
        clip: float = 0.0,
    ) -> None:
        """`positive_weights` [K] of the pictures that are of a class, None: all 1; `label_smoothing` in [0, 1).

        With p the probability of a class and q = max(p - `clip`, 0), a picture that is of it costs
        -(1 - p)^`gamma_positive` log p, one that is not -q^`gamma_negative` log(1 - q); soft targets weigh both.
        Sources: Ridnik et al. 2021, arXiv 2009.14119, eq. 7 (asymmetric); with both gammas alike and no clip it is the
        focal loss of Lin et al. 2017, arXiv 1708.02002, with both 0 binary cross-entropy.
        Raises: SettingsError for a number out of its range.
        """
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise SettingsError(f"label_smoothing is {label_smoothing}; it must be at least 0 and under 1. Try 0.1.")
        if gamma_positive < 0 or gamma_negative < 0:
            raise SettingsError(
                f"the loss's gammas are {gamma_positive} and {gamma_negative}; both must be at least 0. Try 1 and 4."
            )
        if not 0 <= clip < 1:
            raise SettingsError(f"the loss's clip is {clip}; it must be at least 0 and under 1. Try 0.05.")
        self.label_smoothing, self.clip = label_smoothing, clip
        self.gamma_positive, self.gamma_negative = gamma_positive, gamma_negative
        weights = None if positive_weights is None else torch.tensor(positive_weights, dtype=torch.float32)
        self.register_buffer("positive_weights", weights)

    def forward(self, logits_BK: Tensor, targets_BK: Tensor) -> Tensor:
        """Losses float32 [B] in nats. `targets_BK` in [0, 1], NaN: not known, which counts neither way; 0 where nothing is."""
        logits_BK = logits_BK.float()
        known_BK = ~targets_BK.isnan()
        # Filled in before anything is computed: the gradient of NaN is NaN, even where it is masked afterwards.
        yes_BK = targets_BK.float().masked_fill(~known_BK, 0.0)
        yes_BK = yes_BK * (1 - self.label_smoothing) + self.label_smoothing / 2
        cells_BK = self._positive(logits_BK) * yes_BK + self._negative(logits_BK) * (1 - yes_BK)
        return cells_BK.masked_fill(~known_BK, 0.0).sum(1) / known_BK.sum(1).clamp_min(1)

    def _positive(self, logits_BK: Tensor) -> Tensor:
        """What it costs to be of a class."""
        losses_BK = -functional.logsigmoid(logits_BK)
        if self.gamma_positive:
            losses_BK = losses_BK * torch.sigmoid(-logits_BK).clamp_min(_LEAST) ** self.gamma_positive
        return losses_BK if self.positive_weights is None else losses_BK * self.positive_weights

    def _negative(self, logits_BK: Tensor) -> Tensor:
        """What it costs not to be of a class."""
        wrong_BK = torch.sigmoid(logits_BK)
        losses_BK = -functional.logsigmoid(-logits_BK)
        if self.clip:
            wrong_BK = (wrong_BK - self.clip).clamp_min(0.0)
            losses_BK = -torch.log1p(-wrong_BK)
        if self.gamma_negative:
            losses_BK = losses_BK * wrong_BK.clamp_min(_LEAST) ** self.gamma_negative
        return losses_BK
