"""What a network says while it is trained, without gradients. In: network, pictures. Out: logits. Next: progress.py."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from tellapart.errors import TrainingError
from tellapart.training.devices import Devices
from tellapart.training.update import within_memory

VALIDATION_BATCH = 64  # pictures


class Inference:
    """Passes pictures through networks in parts as large as memory allows; what it allows is found out once."""

    def __init__(self, devices: Devices, *, start: int = 0, chunk: int = VALIDATION_BATCH) -> None:
        """`start`: the networks' stage that the inputs go into; `chunk`: pictures at a time, at most."""
        self._devices, self._start, self._chunk = devices, start, chunk

    def logits(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """Float32 [B, ...] of inputs [B, ...], on the device. Raises: TrainingError when one picture does not fit into memory."""
        while True:
            logits = within_memory(functools.partial(self._run, network, inputs), self._devices.device)
            if logits is not None:
                return logits
            if self._chunk == 1:
                raise TrainingError(
                    "memory does not suffice to validate 1 picture at a time; there must be room for 1. "
                    "Choose smaller pictures or a smaller network."
                )
            self._chunk = min(self._chunk, len(inputs)) // 2 or 1

    def _run(self, network: nn.Module, inputs: Tensor) -> Tensor:
        with torch.inference_mode(), self._devices.autocast():
            parts = torch.split(inputs, self._chunk)
            return torch.cat([network(self._devices.to_device(part), start=self._start).float() for part in parts])
