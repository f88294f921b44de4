"""A moving average of the weights, which often classifies better. In: network. Out: its averaged twin. Next: state.py.

timm's ModelEmaV3 walks two state dicts at each update and averages frozen weights too; this one keeps the lists.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from tellapart.errors import SettingsError


class WeightAverage:
    """An exponential moving average of a network's trained weights and batch-norm statistics.

    The decay grows with the updates done: min(decay, (1 + n) / (10 + n)), so that a short training is averaged over
    its own last part and not over its start. Source: tf.train.ExponentialMovingAverage, `num_updates`.
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        """Raises: SettingsError when `decay` is not within [0, 1)."""
        if not 0 <= decay < 1:
            raise SettingsError(f"the average's decay is {decay}; it must be at least 0 and under 1. Try 0.999.")
        self.decay = decay
        self.network = copy.deepcopy(network).eval()  # what is validated and kept
        self.network.requires_grad_(False)
        frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
        pairs = [
            (twin, own)
            for (name, twin), own in zip(self.network.state_dict().items(), network.state_dict().values(), strict=True)
            if name not in frozen
        ]
        self._averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """Take in the network's weights after its update number `updates` (the first is 1)."""
        decay = min(self.decay, (1 + updates) / (10 + updates))
        torch._foreach_lerp_([twin for twin, _ in self._averaged], [own for _, own in self._averaged], 1 - decay)
        for twin, own in self._copied:
            twin.copy_(own)
