"""What every network that is trained can do, whatever its task. In: nothing. Out: Trainable. Next: staged.py."""

from __future__ import annotations

import abc
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

NamedParameters = list[tuple[str, nn.Parameter]]


class Trainable(nn.Module, abc.ABC):
    """All that the wiring of a training asks of a network.

    A class without code and no Protocol, since a Protocol could not say that it is a torch module, too.
    """

    @abc.abstractmethod
    def forward(self, inputs: Tensor, start: int = 0) -> Any:
        """What the task's learner reads, of pictures uint8 [B, S, S, 3] in RGB, or of what stage `start` - 1 gave."""

    @abc.abstractmethod
    def layer_groups(self) -> list[NamedParameters]:
        """The parameters that train: one list a stage, from the lowest that trains, and the head's as the last.

        Names are those under which the weights are saved. Layer-wise learning-rate decay goes by a list's distance from
        the last one.
        """


def only_trained(groups: Iterable[NamedParameters]) -> list[NamedParameters]:
    """The groups without what is frozen, and without those of which nothing is left."""
    trained = [[(name, value) for name, value in group if value.requires_grad] for group in groups]
    return [group for group in trained if group]
