"""One of two processes that meet trouble. In: a folder, torchrun. Out: what stopped each. Next: test_loop_processes.py."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import toy
from torch import nn

from tellapart.errors import TrainingError
from tellapart.training.devices import find_devices, leave


def _no_room(network: Any, arguments: Any) -> None:
    if network.training:
        raise torch.OutOfMemoryError("CUDA out of memory.")


def _no_room_to_validate(network: nn.Module) -> tuple[float, float]:
    raise TrainingError("memory does not suffice to validate")


def _not_a_number(epoch: int, step: int, batch: toy.Batch) -> toy.Batch:
    images = toy.Picture()(batch.inputs)
    return replace(batch, inputs=images * float("nan") if (epoch, step) == (1, 3) else images)


def troubles(folder: Path) -> None:
    """One of two processes; each trouble is met by one of them or by both, and must stop both at once."""
    devices = find_devices(device="cpu")
    place, told = {"rank": devices.rank, "world": devices.world}, {}
    toy.train(folder=folder / "0", epochs=1, devices=devices, batches=toy.Batches(**place))  # process 1 writes nothing
    narrow = toy.build(batch_norm=False)
    if devices.rank == 1:
        narrow.register_forward_pre_hook(_no_room)
    for name, options in {
        "nan": {"batches": toy.Batches(change=_not_a_number, **place)},
        "memory": {"network": narrow, "batches": toy.Batches(**place)},
        "validation": {"validate": _no_room_to_validate, "batches": toy.Batches(**place)},
        "checkpoints": {"folder": folder / str(devices.rank), "epochs": 1, "batches": toy.Batches(**place)},
    }.items():
        try:
            toy.train(devices=devices, **options)
        except TrainingError as error:
            told[name] = str(error)
        if devices.main:  # it goes on alone, while the other waits for what comes next
            toy.train(epochs=1)
        received = [name if devices.main else None]
        torch.distributed.broadcast_object_list(received, src=0)
        assert received == [name]
    (folder / f"process-{devices.rank}.json").write_text(json.dumps(told))
    leave(devices)


if __name__ == "__main__":
    torch.set_num_threads(1)
    troubles(Path(sys.argv[1]))
