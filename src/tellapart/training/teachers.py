"""Who teaches: a network beside the one that learns, or answers known before. In: Batch. Out: Taught. Next: loop.py."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tellapart.models.overheard import Overheard
from tellapart.training.devices import Devices
from tellapart.training.distilling import Taught
from tellapart.training.learner import Batch


@dataclass(slots=True, kw_only=True, eq=False)
class NetworkTeacher:
    """A network that sees the very pictures that the other sees, varied as they are."""

    network: Overheard
    devices: Devices
    start: int = 0  # the stage that a batch goes into

    def __post_init__(self) -> None:
        self.network.requires_grad_(False).eval()
        self.devices.prepare(self.network)

    def __call__(self, batch: Batch) -> Taught:
        """Its outputs and its embedding, without gradients and in evaluation mode."""
        with torch.no_grad(), self.devices.autocast():
            self.network(self.devices.to_device(batch.inputs), start=self.start)
        return Taught(outputs=self.network.outputs, embedding=self.network.mapped())


@dataclass(slots=True, kw_only=True, eq=False)
class TableTeacher:
    """Answers that were computed once a picture, however it is varied; rows are those of the source."""

    outputs: Tensor  # float32 [N, ...]
    embeddings: Tensor | None = None  # float32 [N, T]

    def __call__(self, batch: Batch) -> Taught:
        """The rows of the batch, on the device of its inputs. Raises: ValueError for rows beyond the table."""
        if len(batch.rows) and int(batch.rows.max()) >= len(self.outputs):
            raise ValueError(
                f"row {int(batch.rows.max())} has no answer: the teacher was asked about {len(self.outputs)}"
            )
        device = batch.inputs.device if isinstance(batch.inputs, Tensor) else self.outputs.device
        embedding = None if self.embeddings is None else self.embeddings[batch.rows].to(device)
        return Taught(outputs=(self.outputs[batch.rows].to(device),), embedding=embedding)
