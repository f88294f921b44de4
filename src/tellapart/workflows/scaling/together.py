"""Several processes at work on one training, by Ray Train. In: a function, an order. Out: what it gives. Next: connection.py.

Ray Train places the processes, joins them to a group of torch's (NCCL on GPUs, gloo on CPUs) by the names that torchrun uses too,
and begins all of them again when one is lost.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import MachineError, SettingsError, one_line
from tellapart.reporter import counted

_GROUP_SECONDS = 24 * 3600  # the first process may audit and embed for hours before the others are needed
_START_SECONDS = 900  # until all processes have imported what they need; 60 are too few for a machine that is busy
_BEGUN_AGAIN = 50  # who begins again where it was lost before notices that itself, and ends sooner


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerShare:
    """What each of several processes gets."""

    workers: int
    cpus: int  # and as many threads of torch
    gpus: int  # 1, or 0


def share_out(
    nodes: Sequence[Mapping[str, float]], *, workers: int | None, cpus: int | None, device: str
) -> WorkerShare:
    """What each of so many workers gets of machines with these resources (Ray's names: CPU, GPU), a GPU where there are some.

    Raises: SettingsError where there are not so many.
    """
    there = int(sum(node.get("GPU", 0) for node in nodes))
    gpus = int(device == "cuda" or (device == "auto" and there > 0))
    if gpus and not there:
        raise SettingsError(
            f"--device {device} was asked for, and the Ray cluster has no GPU. Use --device cpu, or add machines with one."
        )
    workers = workers or (there if gpus else sum(node.get("CPU", 0) >= 1 for node in nodes)) or 1
    if gpus and there < workers:
        raise SettingsError(
            f"--ray has no room for {counted(workers, 'worker')} with a GPU each: there are {counted(there, 'GPU')}. Use "
            f"--workers {there} or --device cpu."
        )
    most = max((int(node.get("CPU", 0)) for node in nodes), default=0)
    asked = range(cpus, cpus + 1) if cpus is not None else range(1, most + 1)
    fitting = [each for each in asked if _room(nodes, cpus=each, gpus=gpus) >= workers]
    if not fitting:
        total = int(sum(node.get("CPU", 0) for node in nodes))
        each = counted(cpus or 1, "CPU") + (" and a GPU" if gpus else "")
        raise SettingsError(
            f"--ray has no room for {counted(workers, 'worker')} with {each} each: "
            f"there are {counted(len(nodes), 'machine')}, {counted(total, 'CPU')} and {counted(there, 'GPU')}. Ask "
            "for fewer, or add machines."
        )
    return WorkerShare(workers=workers, cpus=1 if gpus and cpus is None else max(fitting), gpus=gpus)


def _room(nodes: Sequence[Mapping[str, float]], *, cpus: int, gpus: int) -> int:
    """How many find room on these machines."""
    rooms = [int(node.get("CPU", 0)) // cpus for node in nodes]
    if gpus:
        rooms = [min(room, int(node.get("GPU", 0))) for room, node in zip(rooms, nodes, strict=True)]
    return sum(rooms)


class Together:
    """Processes at work, begun in a thread of their own so that who waits can listen meanwhile."""

    def __init__(self, work: Callable[[Any], Any], order: Any, share: WorkerShare, folder: Path) -> None:
        """Each calls `work(order)`; what Ray keeps of it lies in `folder`, which all machines must see."""
        self._error: BaseException | None = None
        self._given: Any = None
        self._thread = threading.Thread(
            target=self._fit, args=(work, order, share, folder), name="ray-train", daemon=True
        )
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether they have ended, after so many seconds at most."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def given(self) -> Any:
        """What process 0 has given. Raises: MachineError where they were lost too often, or never got started."""
        if self._error is not None:
            raise MachineError(
                f"Ray ended the training: {one_line(self._error, most=300).rstrip('.')}. Its own log, under /tmp/ray on its head "
                "machine, says more."
            ) from self._error
        return self._given

    def _fit(self, work: Callable[[Any], Any], order: Any, share: WorkerShare, folder: Path) -> None:
        try:
            self._given = _trainer(work, order, share, folder).fit().return_value
        except BaseException as error:
            self._error = error


def _work(work: Callable[[Any], Any], told: Mapping[str, Any]) -> Any:
    return work(told["order"])


def _trainer(work: Callable[[Any], Any], order: Any, share: WorkerShare, folder: Path) -> Any:
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", str(_START_SECONDS))
    os.environ.setdefault("RAY_TRAIN_ENABLE_PRINT_PATCH", "0")
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    resources: dict[str, float] = {"CPU": share.cpus, **({"GPU": share.gpus} if share.gpus else {})}
    return TorchTrainer(
        functools.partial(_work, work),
        train_loop_config={"order": order},
        torch_config=TorchConfig(backend="nccl" if share.gpus else "gloo", timeout_s=_GROUP_SECONDS),
        scaling_config=ScalingConfig(num_workers=share.workers, use_gpu=share.gpus > 0, resources_per_worker=resources),
        run_config=RunConfig(
            name="ray", storage_path=str(folder), failure_config=FailureConfig(max_failures=_BEGUN_AGAIN)
        ),
    )
