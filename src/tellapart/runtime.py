"""ONNX Runtime, the engine that predicts. In: the bytes of an ONNX file. Out: arrays. Next: bundle.py.

One thread inside a session and one batch per core outside it is quicker here than many threads on one batch: each
core keeps its own small batch in its cache (175 against 100 pictures a second on two AVX2 cores, docs/results.md).
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import onnxruntime
from numpy.typing import NDArray

from tellapart.errors import ModelFileError, one_line

BATCH = 8  # pictures; larger batches fall out of the core's cache and run slower


_shared: list[int] = []  # how many cores this process was told to keep to; none: it was not


def share_cores(count: int) -> None:
    """Keep to `count` cores from now on, as one of several processes that compute beside each other on a machine."""
    _shared[:] = [count]


def cores() -> int:
    """How many cores this process may use, at least 1: `taskset` and containers often allow fewer than there are.

    A limit on processor time counts too (`docker run --cpus`, Kubernetes' limits.cpu), rounded up: with more threads than that,
    all of them stand still together for part of each period.
    """
    if _shared:
        return _shared[0]
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = time_limit(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    return max(1, min(there, math.ceil(limit)) if math.isfinite(limit) else there)


@functools.cache
def time_limit(membership: Path, groups: Path) -> float:
    """Cores' worth of time that Linux's control groups allow, the smallest of our group and those above; inf without a limit.

    Source: cpu.max of docs.kernel.org/admin-guide/cgroup-v2.html, and cpu.cfs_quota_us of cgroup v1 (scheduler/sched-bwc).
    """
    limits = [math.inf]
    try:
        lines = membership.read_text(errors="surrogateescape").split("\n")
    except OSError:
        return math.inf
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        for folder in {groups / "cpu", groups / controllers} if controllers else {groups}:
            inner = folder / path.lstrip("/")
            # A container may see its own group as the root, under a path that is only there outside.
            limits += [_limit_of(one) for one in (inner, *inner.parents) if one.is_relative_to(folder)]
    return min(limits)


def _limit_of(group: Path) -> float:
    """Of one group, in cores."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):  # no limit: "max", or no such file
        return math.inf


class OpenedNetwork(Protocol):
    """A network that an engine holds, ready to be run from several threads at once."""

    @property
    def inputs(self) -> Mapping[str, tuple[int | str, ...]]:
        """Names of its inputs, each with its shape; what is free is a name."""
        ...

    @property
    def outputs(self) -> Mapping[str, tuple[int | str, ...]]:
        """The same of what it gives."""
        ...

    def run(self, inputs: NDArray[Any], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """Run its only input, mostly uint8 pictures [N, H, W, 3], and return the named outputs, each [N, ...]."""
        ...


class Session:
    """One ONNX network on the CPU. `run` may be called from several threads at once."""

    def __init__(self, model: bytes | Path, *, source: str) -> None:
        """Raises: ModelFileError when ONNX Runtime cannot load `model`; `source` names it in the message."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
            )
        # ONNX Runtime raises a dozen classes of its own for a graph it cannot load.
        except Exception as error:
            reason = one_line(error, most=200)
            raise ModelFileError(
                f"{source} cannot be loaded by ONNX Runtime {onnxruntime.__version__} ({reason}). "
                "Train it again, or upgrade onnxruntime."
            ) from None
        self.inputs = {item.name: tuple(item.shape) for item in self._session.get_inputs()}
        self.outputs = {item.name: tuple(item.shape) for item in self._session.get_outputs()}

    def run(self, inputs: NDArray[Any], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """Run its only input, mostly uint8 pictures [N, H, W, 3], and return the named outputs, mostly float32 [N, ...]."""
        result: list[NDArray[Any]] = self._session.run(list(outputs), {next(iter(self.inputs)): inputs})
        return result
