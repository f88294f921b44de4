"""A network whose outputs and embedding are heard. In: Trainable. Out: Overheard, a Trainable. Next: training/distilling.py.

A learner calls the network in its own way and gives losses alone. Who learns from a teacher must know what the network said, and
passes an Overheard in its place: called alike, it keeps that. Shapes: B items, D embedding, T the teacher's embedding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tellapart.models.trainable import NamedParameters, Trainable


class Overheard(Trainable):
    """The network itself, and what it said last; with `map`, a linear layer D -> T that trains with its head."""

    def __init__(self, network: Trainable, *, at: str | None = None, lead: tuple[Tensor, Tensor] | None = None) -> None:
        """`at` is the path of the module that is given the embedding [B, D]; None: there is none to hear.

        `lead` adds the map to a teacher's embedding, and is where it begins: weight [T, D], bias [T].
        """
        super().__init__()
        self.network = network
        self.outputs: tuple[Tensor, ...] = ()  # float [B, ...] each, in the order in which the network gives them
        self.embedding: Tensor | None = None  # float [B, D]
        self.map: nn.Linear | None = None
        if lead is not None:
            weight, bias = lead
            self.map = nn.Linear(weight.shape[1], weight.shape[0], device="meta").to_empty(device="cpu")
            with torch.no_grad():
                self.map.weight.copy_(weight)
                self.map.bias.copy_(bias)
        self._ear = None if at is None else network.get_submodule(at).register_forward_pre_hook(self._hear)

    def forward(self, inputs: Tensor, start: int = 0) -> Any:
        """What the network gives."""
        self.embedding = None
        given = self.network(inputs, start=start)
        self.outputs = tuple(one for one in _tensors(given) if one.is_floating_point())
        return given

    def mapped(self) -> Tensor | None:
        """The embedding as the teacher's is: through the map, where there is one. float [B, T]."""
        if self.embedding is None or self.map is None:
            return self.embedding
        mapped: Tensor = self.map(self.embedding)
        return mapped

    def leave(self) -> None:
        """Hear no more, and keep nothing: a network that is heard cannot be copied while a gradient hangs on what it said."""
        if self._ear is not None:
            self._ear.remove()
        self.outputs, self.embedding = (), None

    def layer_groups(self) -> list[NamedParameters]:
        """The network's, and the map with the last of them."""
        groups = self.network.layer_groups()
        if self.map is None:
            return groups
        own = [(f"map.{name}", parameter) for name, parameter in self.map.named_parameters()]
        return [*groups[:-1], [*groups[-1], *own]] if groups else [own]

    def _hear(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.embedding = inputs[0]


def _tensors(given: Any) -> list[Tensor]:
    """All tensors in what a network gives, however it is nested, in order."""
    if isinstance(given, Tensor):
        return [given]
    if isinstance(given, dict):
        given = list(given.values())
    return [tensor for part in given for tensor in _tensors(part)] if isinstance(given, (list, tuple)) else []
