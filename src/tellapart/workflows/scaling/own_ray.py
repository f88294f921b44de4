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
import tempfile
from collections.abc import Iterator
from typing import Any

from tellapart.errors import MachineError, one_line
from tellapart.runtime import cores

_TRIES = 4
_STORE_BYTES = 200 * 2**20  # of shared memory: paths and results pass through it, no pictures
_LEAST_STORE_BYTES = 80 * 2**20  # Ray takes no less
_LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def start_own() -> Iterator[None]:
    """Inside, `ray` is connected to it. Raises: MachineError where it does not start."""
    # By this Ray binds its ports to loopback, as it does on the other systems anyway; it is read when Ray is imported.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray

    folder = tempfile.mkdtemp(prefix="tellapart-ray-")  # for our eyes only
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        node = _node(folder)
        stack.callback(node.kill_all_processes, check_alive=False, allow_graceful=True)
        stack.callback(ray.shutdown)
        ray.init(
            address=f"{_LOOPBACK}:{node.gcs_address.rpartition(':')[2]}",
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        yield


def _node(folder: str) -> Any:
    """The processes of one head node. Raises: MachineError."""
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    logging.getLogger("ray").setLevel(logging.ERROR)
    reason: Exception | None = None
    for _ in range(_TRIES):
        # Told ports are not waited for: the processes that listen there may be as slow as they like.
        agent, environments, metrics, listening = _free_ports(4)
        told = RayParams(
            num_cpus=cores(),
            include_dashboard=False,
            object_store_memory=store_bytes(),
            temp_dir=folder,
            no_monitor=True,
            include_log_monitor=False,
            metrics_agent_port=agent,
            runtime_env_agent_port=environments,
            metrics_export_port=metrics,
            dashboard_agent_listen_port=listening,
            dashboard_host=_LOOPBACK,
        )
        try:
            return Node(told, head=True, shutdown_at_exit=True, spawn_reaper=True)
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
