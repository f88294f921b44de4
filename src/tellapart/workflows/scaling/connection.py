"""Ray, connected and let go of again. In: an address, or none. Out: Connected. Next: own_ray.py.

Only here and in the files beside this one is Ray imported, and only once `--ray` was given. Whoever can reach a Ray cluster can run
any program on it: one that we start listens on loopback alone, keeps no dashboard and reports nothing to anybody.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from tellapart.errors import MachineError, SettingsError, one_line
from tellapart.reporter import Reporter, counted
from tellapart.workflows.scaling.own_ray import hush, start_own

LOCAL = "local"  # Ray of this machine alone, started here and ended with the command
AUTO = "auto"  # the cluster that this machine is part of
# Of a CPU, what one who computes reserves, one a CPU; the rest is for what is small, so that neither waits for the other forever.
WORKER_CPUS = 0.9
SMALL_CPUS = 0.05

# Pictures below which a machine of 2 cores is done before a cluster of 8: a line through what was measured (docs/scale.md).
FEW = 1_500

_ADDRESS = re.compile(r"(ray://)?(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(?P<port>\d{1,5})\Z")
_PROBE_SECONDS = 10.0
_CONNECT_SECONDS = 30  # until a cluster must have said who it is
_FREE_SECONDS = 300.0  # until a part of a CPU must have come free
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # which Ray warns of otherwise
    "RAY_py_gcs_connect_timeout_s": str(_CONNECT_SECONDS),
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A cluster that answers."""

    address: str  # as it was asked for; LOCAL: our own
    nodes: int
    workers: int  # that compute at once, one a whole CPU
    gpus: int

    def said(self) -> str:
        """One sentence."""
        workers = counted(self.workers, "worker")
        if self.address == LOCAL:
            return f"Ray computes with {workers} on this machine."
        return f"Ray computes with {workers} on {counted(self.nodes, 'machine')} at {self.address}."


def is_address(text: str) -> bool:
    """Whether this says where a Ray cluster is: local, auto, HOST:PORT or ray://HOST:PORT."""
    found = _ADDRESS.match(text)
    return text in (LOCAL, AUTO) or (found is not None and 0 < int(found["port"]) < 65_536)


def told_cost(pictures: int | None = None) -> str:
    """A sentence for who calls with fewer pictures than that, or with nobody knows how many; "" for nothing."""
    if pictures is not None and pictures >= FEW:
        return ""
    return f"Ray takes ten seconds and more to start: below some {FEW:,} pictures one machine without --ray is quicker."


def check_address(text: str) -> str:
    """The address. Raises: SettingsError."""
    if not is_address(text):
        raise SettingsError(
            f"--ray {text} names no Ray cluster: it is auto for the one that this machine is part of, HOST:PORT or "
            "ray://HOST:PORT. Name one of these, or none for this machine alone."
        )
    return text


@contextlib.contextmanager
def connected(address: str, reporter: Reporter) -> Iterator[Connected]:
    """Inside, `ray` may be imported and used. What was started here is ended on the way out, after Ctrl-C too.

    Raises: SettingsError for what is no address, or a cluster that does not answer or has another tellapart; MachineError where
    Ray cannot be started here or nothing comes free.
    """
    check_address(address)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with contextlib.ExitStack() as stack:
        if address == LOCAL:
            with reporter.step("Starting Ray", None):
                stack.enter_context(start_own())
        else:
            _probe(address)
            with reporter.step("Connecting to Ray", None):
                stack.enter_context(_joined(address))
        found = _look(address)
        _agree(address, found)
        reporter.say(found.said())
        yield found


def _probe(address: str) -> None:
    """Raises: SettingsError where nobody listens; Ray itself would try for minutes."""
    found = _ADDRESS.match(address)
    if found is None:
        return
    place = (found["host"].strip("[]"), int(found["port"]))
    try:
        socket.create_connection(place, timeout=_PROBE_SECONDS).close()
    except OSError as error:
        raise _silent(address, error.strerror or str(error)) from None


def _silent(address: str, reason: str) -> SettingsError:
    return SettingsError(
        f"--ray {address} does not answer ({reason}). Start a cluster with `ray start --head`, check the address, or leave it "
        "out to use this machine alone."
    )


@contextlib.contextmanager
def _joined(address: str) -> Iterator[None]:
    """Connected to a cluster that others started, which goes on afterwards. Raises: SettingsError."""
    import ray

    hush()
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, TimeoutError, ValueError) as error:
        ray.shutdown()
        raise _silent(address, one_line(error, most=160).rstrip(".")) from None
    try:
        yield
    finally:
        ray.shutdown()


def _look(address: str) -> Connected:
    import ray

    alive = [node for node in ray.nodes() if node["Alive"]]
    workers = sum(int(node["Resources"].get("CPU", 0)) for node in alive)
    gpus = sum(int(node["Resources"].get("GPU", 0)) for node in alive)
    if not workers:
        raise SettingsError(
            f"--ray {address} has no machine with a CPU to give. Start one of its machines with --num-cpus 1 or more."
        )
    return Connected(address=address, nodes=len(alive), workers=workers, gpus=gpus)


def _agree(address: str, found: Connected) -> None:
    """Raises: SettingsError where the workers have no tellapart, or another than we; MachineError where none comes free."""
    import ray

    # A function within a function travels whole: it can say that tellapart is not there, where one of ours could not be found.
    def told() -> str:
        try:
            from importlib.metadata import version as version_there

            import tellapart.runtime  # noqa: F401

            return version_there("tellapart")
        except ImportError as error:
            return f"none: {error}"

    ask: Any = ray.remote(num_cpus=SMALL_CPUS, max_retries=3)(told)
    try:
        theirs = ray.get(ask.remote(), timeout=_FREE_SECONDS)
    except ray.exceptions.GetTimeoutError:
        raise MachineError(
            f"--ray {address} has {counted(found.workers, 'CPU')}, and not a part of one came free in {_FREE_SECONDS:.0f} s. "
            "Wait for what runs there, or add machines."
        ) from None
    ours = version("tellapart")
    if theirs != ours:
        what = f"tellapart {theirs}" if not theirs.startswith("none") else f"no tellapart that runs ({theirs[6:]})"
        raise SettingsError(
            f"the machines of --ray {address} have {what}, and here it is {ours}; both must be the same. Install it there: "
            f'pip install "tellapart[train,ray]=={ours}"'
        )
