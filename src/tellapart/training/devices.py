"""Where and how training computes. In: what was asked for, the launcher's environment. Out: Devices. Next: update.py.

One process on one device needs nothing but torch. Under `torchrun` or `accelerate launch` with more than one process
Hugging Face Accelerate's PartialState reads the launcher's environment, picks the device of this process and opens the
process group (NCCL on GPUs, gloo on the CPU); it is imported only then, since that takes 0.2 to 0.35 s.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

import torch
from torch import Tensor, nn

from tellapart.errors import SettingsError
from tellapart.runtime import cores

Precision = Literal["float32", "bfloat16", "float16"]
_PATIENCE = timedelta(hours=24)  # the first process may audit and embed for hours before the others are needed
_LAUNCHED = {"bf16": "bfloat16", "fp16": "float16"}  # what `accelerate launch --mixed_precision` calls them
_MAIN_THREAD_CORES = 2  # with no more cores than that, worker processes only take turns with the training


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """What one process of a training computes on, and its place among the others. The default is this CPU alone."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0  # 0 writes, validates and reports
    world: int = 1  # processes that train together
    precision: Precision = "float32"  # of activations; weights stay float32
    channels_last: bool = True  # order in memory; on the CPU a step of lite0 took a quarter less time
    compiled: bool = False  # torch.compile: minutes of compiling, then quicker steps
    threads: int = field(default_factory=cores)  # of torch, on the CPU

    @property
    def main(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    @property
    def description(self) -> str:
        """What sums are rounded by: the same description, the same bits."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.world} x {self.device.type}, {self.precision}, {threads}"

    def prepare(self, network: nn.Module) -> None:
        """Move `network` to the device and its weights into the memory order; its Parameters stay the same objects."""
        network.to(self.device)
        if self.channels_last:
            network.to(memory_format=torch.channels_last)

    def to_device(self, tensor: Tensor) -> Tensor:
        """`tensor` on the device, float tensors as float32, [B, C, H, W] in the memory order."""
        moved = tensor.to(self.device, non_blocking=True)
        if not moved.is_floating_point():
            return moved
        if self.channels_last and moved.dim() == 4:
            return moved.to(torch.float32, memory_format=torch.channels_last)
        return moved.to(torch.float32)

    def autocast(self) -> contextlib.AbstractContextManager[None]:
        """Within it a forward pass runs in `precision`."""
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=getattr(torch, self.precision))

    def scaler(self) -> torch.amp.GradScaler:
        """Scales the loss so that float16 gradients do not vanish; does nothing in other precisions."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision == "float16")

    def add_up(self, tensor: Tensor) -> None:
        """Replace `tensor`, [...] alike in all processes, by its sum over them."""
        if self.world > 1:
            torch.distributed.all_reduce(tensor)

    def share(self, tensor: Tensor) -> None:
        """Replace `tensor`, [...] alike in all processes, by that of process 0."""
        if self.world > 1:
            torch.distributed.broadcast(tensor, src=0)

    def share_network(self, network: nn.Module) -> None:
        """Give all processes the weights and statistics of process 0."""
        for tensor in network.state_dict().values():
            self.share(tensor)

    def count(self, holds: bool) -> int:
        """In how many processes it holds."""
        if self.world == 1:
            return int(holds)
        tensor = torch.tensor([float(holds)], device=self.device)
        self.add_up(tensor)
        return round(tensor.item())

    def agreed(self, *numbers: float) -> tuple[float, ...]:
        """The numbers of process 0."""
        if self.world == 1:
            return numbers
        wide = torch.float32 if self.device.type == "mps" else torch.float64
        tensor = torch.tensor(numbers, dtype=wide, device=self.device)
        self.share(tensor)
        return tuple(tensor.tolist())


def find_devices(
    *,
    device: str = "auto",
    precision: Precision | Literal["auto"] = "auto",
    channels_last: bool = True,
    compiled: bool = False,
) -> Devices:
    """The device of this process: CUDA before MPS before the CPU, one each under a launcher of several processes.

    "auto" precision: bfloat16 on GPUs that compute in it, float16 on those with tensor cores but without it, float32
    elsewhere, the CPU too. Raises: SettingsError for a device that is not there or a precision that it cannot do.
    """
    world = int(os.environ.get("WORLD_SIZE", "1") or 1)
    rank, local_world = 0, 1
    if world > 1:
        chosen, rank, world, local_world = _join(device)
    else:
        chosen = _choose(device)
    return Devices(
        device=chosen,
        rank=rank,
        world=world,
        precision=_precision(chosen, precision),
        channels_last=channels_last,
        compiled=compiled,
        threads=int(os.environ.get("OMP_NUM_THREADS") or 0) or max(1, cores() // local_world),
    )


@contextlib.contextmanager
def training_threads(threads: int) -> Iterator[None]:
    """Torch computes on so many threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def thread_advice(devices: Devices, *, available: int) -> str:
    """What to say where a launcher left each process on the CPU with one thread of its share of `available` cores.

    Empty where there is nothing to say. torchrun sets OMP_NUM_THREADS to 1 for every process unless it is set.
    """
    share = available // int(os.environ.get("LOCAL_WORLD_SIZE", "1") or 1)
    alone = devices.world == 1 or devices.device.type != "cpu"
    told_by_ray = "RAY_JOB_ID" in os.environ  # whose processes have as many threads as CPUs were asked for
    if alone or share < 2 or told_by_ray or os.environ.get("OMP_NUM_THREADS") != "1":
        return ""
    return (
        f"OMP_NUM_THREADS is 1 (torchrun sets it so), and each of the {devices.world} processes trains on 1 thread; the "
        f"{available} cores here allow {share}. For all of them set OMP_NUM_THREADS={share} before torchrun."
    )


def leave(devices: Devices) -> None:
    """Close the process group; torch warns at exit when it is left open."""
    if devices.world > 1 and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _join(device: str) -> tuple[torch.device, int, int, int]:
    """Join the other processes: device, rank, how many there are, how many of them on this machine."""
    from accelerate import PartialState

    local_world = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    # Without it Accelerate warns and takes the machine's physical cores, of which we may be allowed fewer.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // local_world)))
    on_cpu = device == "cpu" or os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true"
    state = PartialState(cpu=on_cpu, timeout=_PATIENCE)
    return state.device, state.process_index, state.num_processes, local_world


def _choose(device: str) -> torch.device:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto" and os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true":
        device = "cpu"
    if device == "auto":
        device = next(name for name, available in there.items() if available)
    name = device.partition(":")[0]
    if name not in there:
        raise SettingsError(f"device is {device!r}; it must be auto, cpu, cuda, cuda:N or mps. Choose one of these.")
    if not there[name]:
        raise SettingsError(
            f"device is {device!r}, but torch {torch.__version__} finds none here. "
            "Use cpu or auto, or install the driver and the build of torch for it."
        )
    return torch.device(device)


def _precision(device: torch.device, precision: str) -> Precision:
    if precision == "auto":
        precision = _LAUNCHED.get(os.environ.get("ACCELERATE_MIXED_PRECISION", ""), "auto")
    if precision == "auto":
        if device.type == "cuda":
            if torch.cuda.is_bf16_supported(including_emulation=False):
                return "bfloat16"
            return "float16" if torch.cuda.get_device_capability(device)[0] >= 7 else "float32"
        return "bfloat16" if device.type == "mps" else "float32"
    if precision == "float16" and device.type == "cpu":
        raise SettingsError("precision is float16, which the CPU cannot train in. Use float32 or bfloat16.")
    if precision not in ("float32", "bfloat16", "float16"):
        raise SettingsError(
            f"precision is {precision!r}; it must be auto, float32, bfloat16 or float16. Choose one of these."
        )
    return precision  # type: ignore[return-value]


def default_workers(devices: Devices, *, available: int | None = None) -> int:
    """Processes that read and vary pictures where the settings name no number; 0: a thread. Never more than cores.

    `available`: the cores (None: those that this process may use).
    """
    count = cores() if available is None else available
    if devices.device.type == "cpu" and count <= _MAIN_THREAD_CORES:
        return 0
    return min(8, (count - 1) // devices.world)
