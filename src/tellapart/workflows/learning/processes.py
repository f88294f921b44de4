"""More processes train together. In: the launcher's environment, a Job. Out: the same Job elsewhere. Next: fitting.py.

Under `torchrun` or `accelerate launch` process 0 audits, plans, tests and writes; the others wait for its Job, take
their part of every batch, and are done.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tellapart.errors import TrainingError
from tellapart.features.engine import choose_device
from tellapart.settings.tree import TrainSettings

if TYPE_CHECKING:
    from tellapart.training.devices import Devices
    from tellapart.workflows.learning.job import Job


def world_size() -> int:
    """How many processes the launcher started; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1") or 1)


def is_helper() -> bool:
    """Whether this process only helps another one to train."""
    return world_size() > 1 and int(os.environ.get("RANK", "0") or 0) > 0


def send(job: Job | None, devices: Devices) -> None:
    """Give the other processes their Job, or tell them that there is none."""
    if devices.world > 1:
        import torch

        # torch sends objects pickled; they come from our own process 0, over the launcher's own connection.
        torch.distributed.broadcast_object_list([job], src=0)


def join(settings: TrainSettings, device: str) -> Devices:
    """The devices that train; under a launcher this waits for the other processes."""
    from tellapart.training.devices import find_devices

    loop = settings.loop
    return find_devices(
        device=device, precision=loop.precision, channels_last=loop.channels_last, compiled=loop.compile
    )


def follow(settings: TrainSettings) -> None:
    """Wait for process 0's Job, and help with it until it ends."""
    import torch

    from tellapart.reporter import Silent
    from tellapart.training.devices import leave
    from tellapart.workflows.learning.fitting import run_job

    devices = join(settings, choose_device(settings.device))
    try:
        while True:
            received: list[Any] = [None]
            torch.distributed.broadcast_object_list(received, src=0)
            job: Job | None = received[0]
            if job is None:
                return
            # Every process raises this at the same step; process 0 says it, and may go on without fine-tuning.
            with contextlib.suppress(TrainingError):
                # The clock of another machine says nothing here; process 0 watches the time for all.
                run_job(replace(job, deadline=None), devices, Silent())
    finally:
        leave(devices)
