"""The optimizer, with a learning rate for each layer group. In: named parameters. Out: Optimizer. Next: schedule.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import torch
from torch import nn

from tellapart.errors import SettingsError

OptimizerName = Literal["adamw", "adam", "sgd", "rmsprop", "adagrad", "adadelta"]
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)
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
    nesterov: bool = True,
) -> torch.optim.Optimizer:
    """An optimizer over layer groups from the lowest trained stage to the head.

    The head (the last group) learns at `head_learning_rate` (None: `learning_rate`), the group d below it at
    `learning_rate` x `layer_decay`^d. Weight decay spares parameters of one dimension: norms and biases.
    `momentum` is SGD's, with Nesterov's look ahead where `nesterov`, and RMSprop's, which Keras has none of. AdamW and Adam
    have betas 0.9 and 0.999; they differ in weight decay alone, which Adam adds to the gradient. RMSprop forgets a tenth at each
    update, and Adagrad begins at 0.1, both with 1e-7 beside the root, as in Keras; Adadelta has its paper's decay of 0.95, and 1e-6
    within the roots. Those that torch has fused are: one pass over all weights.
    Sources: Loshchilov & Hutter 2019, arXiv 1711.05101 (AdamW); Kingma & Ba 2015, arXiv 1412.6980 (Adam); Duchi et al. 2011,
    JMLR 12 (Adagrad); Zeiler 2012, arXiv 1212.5701 (Adadelta); Clark et al. 2020, arXiv 2003.10555 (layer decay); Keras 3's
    defaults.
    Raises: SettingsError for an unknown name, or when nothing is to be trained.
    """
    if name not in OPTIMIZERS:
        known = f"{', '.join(OPTIMIZERS[:-1])} or {OPTIMIZERS[-1]}"
        raise SettingsError(f"optimizer is {name!r}; it must be {known}. Choose one of these.")
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
    made: dict[OptimizerName, Callable[[], torch.optim.Optimizer]] = {
        "adamw": lambda: torch.optim.AdamW(rated, lr=learning_rate, fused=True),
        "adam": lambda: torch.optim.Adam(rated, lr=learning_rate, fused=True),
        "sgd": lambda: torch.optim.SGD(
            rated, lr=learning_rate, momentum=momentum, nesterov=nesterov and momentum > 0, fused=True
        ),
        "rmsprop": lambda: torch.optim.RMSprop(rated, lr=learning_rate, alpha=0.9, eps=1e-7, momentum=momentum),
        "adagrad": lambda: torch.optim.Adagrad(
            rated, lr=learning_rate, initial_accumulator_value=0.1, eps=1e-7, fused=True
        ),
        "adadelta": lambda: torch.optim.Adadelta(rated, lr=learning_rate, rho=0.95, eps=1e-6),
    }
    return made[name]()


def trained_parameters(optimizer: torch.optim.Optimizer) -> dict[str, nn.Parameter]:
    """The parameters of `optimizer` by name, in its order."""
    return {
        label: parameter
        for group in optimizer.param_groups
        for label, parameter in zip(group["param_names"], group["params"], strict=True)
    }
