"""All that a training is at one moment. In: its parts. Out: tensors and JSON values, and back. Next: checkpoint.py."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tellapart.training.average import WeightAverage
from tellapart.training.optimizer import trained_parameters
from tellapart.training.progress import Epoch, Stopped
from tellapart.training.schedule import Schedule
from tellapart.training.update import Seen

_RANDOM = "random.cpu"


@dataclass(slots=True, kw_only=True)
class Position:
    """Where a training is, and what it has seen."""

    epoch: int = 0  # finished epochs
    step: int = 0  # finished updates of the next one
    loss: float = 0.0  # sum over the items of this epoch so far
    parts: dict[str, float] = field(default_factory=dict)  # the same of what the learner tells beside it
    items: int = 0
    seconds: float = 0.0  # of this epoch, up to the newest checkpoint that an earlier process wrote
    ended: Stopped | Literal[""] = ""  # how, once nothing is left to do
    history: list[Epoch] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The first of the epochs with the highest rank, from 1; 0 before the end of the first epoch."""
        return max(self.history, key=lambda epoch: epoch.rank).number if self.history else 0

    def without_gain(self, least: float) -> int:
        """How many epochs ago the rank last rose by more than `least` above what it was at the last such epoch."""
        gained, rank = 0, -math.inf
        for epoch in self.history:
            if epoch.rank > rank + least or rank == -math.inf:
                gained, rank = epoch.number, epoch.rank
        return len(self.history) - gained

    def begin_epoch(self, epoch: int) -> None:
        """Forget what was summed up over the epoch before."""
        self.epoch, self.step = epoch, 0
        self.loss, self.parts, self.items, self.seconds = 0.0, {}, 0, 0.0

    def add(self, seen: Seen) -> None:
        """Take in what an update saw."""
        self.loss += seen.loss
        self.items += seen.items
        for name, value in seen.parts.items():
            self.parts[name] = self.parts.get(name, 0.0) + value

    def state(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Position:
        """What `state` gave."""
        return cls(**{**state, "history": [Epoch(**epoch) for epoch in state["history"]]})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """What changes while a network is trained."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    scaler: torch.amp.GradScaler
    average: WeightAverage | None

    @property
    def judged(self) -> nn.Module:
        """The network that is validated and kept: the average, where there is one."""
        return self.network if self.average is None else self.average.network

    def gather(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors by name (`network.`, `average.`, `optimizer.PARAMETER:`, `random.`) and JSON values; copies nothing.

        The network's and the average's are shaped as its weights [...], the optimizer's as the parameter [...] or a number [].
        """
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{name}": tensor for name, tensor in self.average.network.state_dict().items()}
        for name, parameter in trained_parameters(self.optimizer).items():
            for kind, value in self.optimizer.state[parameter].items():
                if value is not None:
                    tensors[f"optimizer.{kind}.{name}"] = value
        # Each step seeds anew, so this only matters to code that draws between steps: validation, callbacks.
        tensors[_RANDOM] = torch.get_rng_state()
        return tensors, {"schedule": self.schedule.state(), "scaler": self.scaler.state_dict()}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Become what `gather` saw. Values are copied into place: alignment and memory order stay the same."""
        self.network.load_state_dict(_under("network.", tensors))
        if self.average is not None:
            self.average.network.load_state_dict(_under("average.", tensors))
        parameters = trained_parameters(self.optimizer)
        for label, tensor in _under("optimizer.", tensors).items():
            kind, _, name = label.partition(".")
            parameter = parameters[name]
            # In the parameter's own memory order: the fused optimizers walk through memory, not through indices.
            like = parameter if tensor.shape == parameter.shape else tensor
            # The fused optimizers have all of their state on the parameter's device, the count of steps too.
            place = torch.empty_like(like, dtype=tensor.dtype, device=parameter.device)
            self.optimizer.state[parameter][kind] = place.copy_(tensor)
        self.schedule.restore(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(tensors[_RANDOM])


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
