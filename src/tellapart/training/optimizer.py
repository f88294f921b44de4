"""The optimizer, with a learning rate for each layer group. In: named parameters. Out: Optimizer. Next: schedule.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

from tellapart.errors import SettingsError

OptimizerName = Literal["adamw", "sgd"]
LayerGroup = Sequence[tuple[str, nn.Parameter]]


def build_optimizer(
    groups: Sequence[LayerGroup],
    *,
    name: OptimizerName = "adamw",
    learning_rate: float,
    head_learning_rate: float | None = None,
    layer_decay: float = 1.0,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
) -> torch.optim.Optimizer:
    """AdamW, or SGD with Nesterov momentum, over layer groups from the lowest trained stage to the head.

    The head (the last group) learns at `head_learning_rate` (None: `learning_rate`), the group d below it at
    `learning_rate` x `layer_decay`^d. Weight decay spares parameters of one dimension: norms and biases.
    `momentum` is SGD's; AdamW has betas 0.9 and 0.999. Both are torch's fused ones: one pass over all weights.
    Sources: Loshchilov & Hutter 2019, arXiv 1711.05101 (AdamW); Clark et al. 2020, arXiv 2003.10555 (layer decay).
    Raises: SettingsError for an unknown name, or when nothing is to be trained.
    """
    if name not in ("adamw", "sgd"):
        raise SettingsError(f"optimizer is {name!r}; it must be adamw or sgd. Choose one of these.")
    rated: list[dict[str, Any]] = []
    for index, group in enumerate(groups):
        distance = len(groups) - 1 - index
        rate = learning_rate * layer_decay**distance
        if distance == 0 and head_learning_rate is not None:
            rate = head_learning_rate
        for decayed in (True, False):
            members = [(label, parameter) for label, parameter in group if (parameter.dim() > 1) is decayed]
            if members:
                rated.append({"params": members, "lr": rate, "weight_decay": weight_decay if decayed else 0.0})
    if not rated:
        raise SettingsError("0 parameters are to be trained; there must be at least 1. Unfreeze the head or a stage.")
    if name == "adamw":
        return torch.optim.AdamW(rated, lr=learning_rate, fused=True)
    return torch.optim.SGD(rated, lr=learning_rate, momentum=momentum, nesterov=momentum > 0, fused=True)


def trained_parameters(optimizer: torch.optim.Optimizer) -> dict[str, nn.Parameter]:
    """The parameters of `optimizer` by name, in its order."""
    return {
        label: parameter
        for group in optimizer.param_groups
        for label, parameter in zip(group["param_names"], group["params"], strict=True)
    }
