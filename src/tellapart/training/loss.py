"""The loss of each picture, and penalties on weights. In: logits, targets. Out: losses [B]. Next: update.py.

Shapes: B pictures, K classes. A batch's loss is the plain sum over its pictures by their number, with class weights
too (torch divides by the sum of the weights instead): so the same pictures in one batch, in several chunks or on
several machines have the same loss and gradient. Weights that average 1 over the training set keep its scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.errors import SettingsError

AUXILIARY = 0.3  # weight of an auxiliary classifier's loss; Szegedy et al. 2014, arXiv 1409.4842, section 5
_LEAST = 1e-8  # of 1 - p


class PictureLoss(nn.Module):
    """Cross-entropy or focal loss of each picture, or one of Keras' others; `LOSSES` has their names."""

    class_weights: Tensor | None

    def __init__(
        self,
        *,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        focal_gamma: float = 0.0,
        name: str = "cross_entropy",
    ) -> None:
        """`class_weights` [K], None: all 1; `focal_gamma` 0 is cross-entropy; `label_smoothing` in [0, 1).

        Sources: Szegedy et al. 2016, arXiv 1512.00567, section 7 (smoothing); Lin et al. 2017, arXiv 1708.02002,
        eq. 5 (focal), here over soft targets t: sum over classes of -t_k w_k (1 - p_k)^gamma log p_k. The others, with the
        weight of the targets' class before them: the mean over classes of (p_k - t_k)^2 and of the binary cross-entropy of
        p_k (as Keras has them on a softmax), and max(0, 1 + the largest other logit - that of the class) (Crammer and Singer
        2001; with the two logits 0 and z of a single output, z the SVM's score).
        """
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise SettingsError(f"label_smoothing is {label_smoothing}; it must be at least 0 and under 1. Try 0.1.")
        if focal_gamma < 0:
            raise SettingsError(f"focal_gamma is {focal_gamma}; it must be at least 0. Try 2, or 0 for none.")
        self.label_smoothing, self.focal_gamma, self.name = label_smoothing, focal_gamma, name
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self.register_buffer("class_weights", weights)

    def forward(self, logits_BK: Tensor, targets: Tensor) -> Tensor:
        """Losses float32 [B] in nats. `targets`: classes int64 [B], or soft ones float [B, K] that sum to 1."""
        logits_BK = logits_BK.float()
        if self.name == "cross_entropy" and not self.focal_gamma:
            return functional.cross_entropy(
                logits_BK, targets, self.class_weights, reduction="none", label_smoothing=self.label_smoothing
            )
        classes = logits_BK.shape[1]
        hard_BK = targets if targets.is_floating_point() else functional.one_hot(targets, classes).to(logits_BK)
        soft_BK = hard_BK * (1 - self.label_smoothing) + self.label_smoothing / classes
        if self.name in LOSSES:
            losses_B = LOSSES[self.name](logits_BK, soft_BK)
            return losses_B if self.class_weights is None else losses_B * (hard_BK @ self.class_weights)
        if self.class_weights is not None:
            soft_BK = soft_BK * self.class_weights
        log_BK = logits_BK.log_softmax(1)
        # expm1, since 1 - exp(x) loses all digits near 0; a floor, since powers under 1 have no finite slope at 0.
        wrong_BK = (-torch.expm1(log_BK)).clamp_min(_LEAST)
        return -(soft_BK * wrong_BK**self.focal_gamma * log_BK).sum(1)


def _hinge(logits_BK: Tensor, soft_BK: Tensor) -> Tensor:
    # Of mixed pictures each class's hinge by its share; smoothing shares out a little to all, as in the other losses.
    one_off = torch.eye(logits_BK.shape[1], device=logits_BK.device, dtype=torch.bool)
    others_BKK = logits_BK[:, None, :].masked_fill(one_off, -torch.inf)
    hinges_BK = (1 + others_BKK.amax(2) - logits_BK).clamp_min(0)
    return (soft_BK * hinges_BK).sum(1)


def _mean_squared_error(logits_BK: Tensor, soft_BK: Tensor) -> Tensor:
    return (logits_BK.softmax(1) - soft_BK).square().mean(1)


def _binary_cross_entropy(logits_BK: Tensor, soft_BK: Tensor) -> Tensor:
    log_BK = logits_BK.log_softmax(1)
    log_not_BK = torch.log((-torch.expm1(log_BK)).clamp_min(_LEAST))
    return -(soft_BK * log_BK + (1 - soft_BK) * log_not_BK).mean(1)


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "hinge": _hinge,
    "mean_squared_error": _mean_squared_error,
    "binary_cross_entropy": _binary_cross_entropy,
}


def with_auxiliary(
    given: Tensor | tuple[Tensor, ...], loss: Callable[[Tensor, Tensor], Tensor], targets: Tensor
) -> tuple[Tensor, Tensor]:
    """The logits float32 [B, K] of what a network gives in training, and the losses [B], those of auxiliary classifiers in them."""
    logits_BK, *others = (one.float() for one in (given if isinstance(given, tuple) else (given,)))
    losses_B = loss(logits_BK, targets)
    for other_BK in others:
        losses_B = losses_B + AUXILIARY * loss(other_BK, targets)
    return logits_BK, losses_B


def balanced_weights(counts: Sequence[int]) -> list[float]:
    """Class weights N / (K x pictures of the class), which average 1 over the training set; 0 for an empty class."""
    total, classes = sum(counts), sum(1 for count in counts if count)
    return [total / (classes * count) if count else 0.0 for count in counts]


def add_layer_penalty_gradients(penalties: Iterable[tuple[nn.Parameter, float, float]]) -> None:
    """Add the gradient of l1 x sum |w| + l2 x sum w^2 to that of each weight, given with its own l1 and l2 (Keras' convention)."""
    with torch.no_grad():
        for weight, l1, l2 in penalties:
            if weight.grad is not None:
                weight.grad += l1 * weight.detach().sign() + 2 * l2 * weight.detach()


def add_penalty_gradients(parameters: Iterable[nn.Parameter], *, l1: float = 0.0, l2: float = 0.0) -> None:
    """Add the gradient of l1 x sum |w| + l2 / 2 x sum w^2 to that of each parameter with more than one dimension.

    The penalty is not part of the loss that is reported, so training and validation loss stay comparable.
    """
    weights = [weight for weight in parameters if weight.dim() > 1 and weight.grad is not None]
    if not weights or not (l1 or l2):
        return
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    values: list[Tensor] = [weight.detach() for weight in weights]
    with torch.no_grad():
        if l2:
            torch._foreach_add_(gradients, values, alpha=l2)
        if l1:
            torch._foreach_add_(gradients, torch._foreach_sign(values), alpha=l1)
