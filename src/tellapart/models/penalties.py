"""Penalties that single layers have on their weights. In: a layer, l1, l2. Out: weights with theirs. Next: training/loss.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn


def give_penalty(layer: nn.Module, *, l1: float, l2: float) -> None:
    """Let the layer's weight cost l1 x sum |w| + l2 x sum w^2 while it is trained, as Keras' `kernel_regularizer` does."""
    if l1 or l2:
        told: Any = layer
        told.penalty = (l1, l2)


def layer_penalties(network: nn.Module) -> Iterator[tuple[nn.Parameter, float, float]]:
    """The weights of layers with a penalty of their own, [out, in, ...] each, and its l1 and l2 as the layer has them."""
    for module in network.modules():
        l1, l2 = getattr(module, "penalty", (0.0, 0.0))
        weight = getattr(module, "weight", None)
        if (l1 or l2) and isinstance(weight, nn.Parameter):
            yield weight, l1, l2
