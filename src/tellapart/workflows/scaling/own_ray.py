"""This machine's own Ray, started for one command. In: nothing. Out: Ray, until it is left. Next: connection.py.

`ray.init` alone gives up after 15 s on a busy machine, while small processes of its own are still being imported, and leaves no say
over them. The parts that one command on one machine has no use for (the autoscaler, the reader of logs) are not started.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
from collections.abc import Iterator
from typing import Any

from tellapart.errors import MachineError, one_line
from tellapart.runtime import cores
from tellapart.workflows.scaling.owned import held_folder

_TRIES = 4
_STORE_BYTES = 200 * 2**20  # of shared memory: paths and results pass through it, no pictures
_LEAST_STORE_BYTES = 80 * 2**20  # Ray takes no less
_LOOPBACK = "127.0.0.1"
# Read when Ray is imported, and by the processes that it starts.
PATIENCE = {
    # Its ports are bound to loopback, as on the other systems anyway.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Who connects does not wait for the first workers, and these may take long to be imported.
    "RAY_prestart_worker_first_driver": "0",
    "RAY_worker_register_timeout_seconds": "600",
}


@contextlib.contextmanager
def start_own() -> Iterator[None]:
    """Inside, `ray` is connected to it. Raises: MachineError where it does not start."""
    os.environ |= PATIENCE
    import ray

    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(
            held_folder(None, "tellapart-ray-")
        )  # for our eyes only; Ray opens the one below to all
        node = _node(str(folder / "r"))
        stack.callback(node.kill_all_processes, check_alive=False, allow_graceful=True)
        stack.callback(ray.shutdown)
        hush()
        ray.init(
            address=f"{_LOOPBACK}:{node.gcs_address.rpartition(':')[2]}",
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        yield


def hush() -> None:
    """Keep Ray from printing to standard output, where our answers go, that a worker was lost: what that means is ours to tell."""
    from ray._private import worker

    worker.print_to_stdstream = lambda *_, **__: None


def patient() -> Any:
    """Ray's own class of a node, of which the main process does not wait for smaller ones that are still being imported.

    Those write down at which ports they listen, which are told here; Ray gives up after 15 s without.
    """
    from ray import _raylet
    from ray._private.node import Node

    class Patient(Node):  # type: ignore[misc]  # Ray has no types
        """Writes them down itself."""

        def start_raylet(self, *given: Any, **more: Any) -> None:
            """As Ray's."""
            told = self._ray_params
            for name, port in (
                (_raylet.METRICS_AGENT_PORT_NAME, told.metrics_agent_port),
                (_raylet.METRICS_EXPORT_PORT_NAME, told.metrics_export_port),
                (_raylet.DASHBOARD_AGENT_LISTEN_PORT_NAME, told.dashboard_agent_listen_port),
                (_raylet.RUNTIME_ENV_AGENT_PORT_NAME, told.runtime_env_agent_port),
            ):
                _raylet.persist_port(self._session_dir, self._node_id, name, port)
            super().start_raylet(*given, **more)

    return Patient


def told_ports() -> dict[str, int]:
    """Free ones of loopback for the helpers of a node."""
    names = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
    return dict(zip(names, _free_ports(len(names)), strict=True))


def _node(folder: str) -> Any:
    """The processes of one head node. Raises: MachineError."""
    from ray._private.parameter import RayParams

    logging.getLogger("ray").setLevel(logging.ERROR)
    reason: Exception | None = None
    for _ in range(_TRIES):
        told = RayParams(
            num_cpus=cores(),
            include_dashboard=False,
            object_store_memory=store_bytes(),
            temp_dir=folder,
            no_monitor=True,
            include_log_monitor=False,
            dashboard_host=_LOOPBACK,
            **told_ports(),
        )
        try:
            return patient()(told, head=True, shutdown_at_exit=True, spawn_reaper=True)
        except Exception as error:  # Ray raises a bare Exception
            reason = error
    raise MachineError(
        f"Ray did not start on this machine, tried {_TRIES} times ({one_line(reason, most=120).rstrip('.')}). End other programs "
        "and try again, or leave out --ray."
    )


def store_bytes() -> int:
    """Shared memory that Ray may take: containers often have 64 MB of it, and what does not fit lies on disk."""
    try:
        free = shutil.disk_usage("/dev/shm").free
    except OSError:
        return _STORE_BYTES
    return max(_LEAST_STORE_BYTES, min(_STORE_BYTES, int(free * 0.8)))


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((_LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]
