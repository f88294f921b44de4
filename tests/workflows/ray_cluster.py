"""A cluster of several nodes on this machine, for tests that kill parts of it. In: numbers. Out: an address, processes.

As a script it holds one: it prints the address, adds or removes a node when it reads so, and ends when nobody reads any more.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tellapart.workflows.scaling.own_ray import _free_ports

MARK = "TELLAPART_TEST_CLUSTER"  # in the environment of all its processes
SECONDS = 1200.0  # a busy machine takes minutes to start and stop them


class Cluster:
    """Holds the script."""

    def __init__(self, environment: Mapping[str, str], nodes: int) -> None:
        self.mark = f"{os.getpid()}-{time.time_ns()}"
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(nodes)],
            env={
                **environment,
                MARK: self.mark,
                "RAY_USAGE_STATS_ENABLED": "0",
                "RAY_raylet_start_wait_time_s": "300",
                "RAY_memory_monitor_refresh_ms": "0",
                "RAY_worker_niceness": "0",  # with Ray's 15 a busy machine leaves them nothing
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self._line()

    def lose_a_node(self) -> None:
        """The newest one ends at once, with all that runs there."""
        assert self._process.stdin is not None
        self._process.stdin.write("lose\n")
        self._process.stdin.flush()
        assert self._line() == "lost"

    def workers(self, name: str) -> list[int]:
        """Processes of it that Ray calls by that name."""
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if (
                    folder.name.isdigit()
                    and name.encode() in (folder / "cmdline").read_bytes()
                    and f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes().split(b"\0")
                ):
                    found.append(int(folder.name))
        return sorted(found)

    def close(self) -> None:
        """End all of it."""
        self._process.communicate(timeout=SECONDS)

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the cluster has ended"
        return line


@contextlib.contextmanager
def cluster_of(environment: Mapping[str, str], nodes: int) -> Iterator[Cluster]:
    """So many nodes with a CPU each."""
    cluster = Cluster(environment, nodes)
    try:
        yield cluster
    finally:
        cluster.close()


def wait_for(there: Callable[[], Any], process: subprocess.Popen[str] | None = None) -> Any:
    """What `there` gives, as soon as that is something, or the process has ended."""
    until = time.monotonic() + SECONDS
    while not (found := there()) and (process is None or process.poll() is None):
        if time.monotonic() > until:
            raise TimeoutError("it never came")
        time.sleep(0.02)
    return found


def kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _node(**told: Any) -> dict[str, Any]:
    """A node with a CPU. Told ports are not waited for: the processes that listen there may be as slow as they like."""
    names = ("metrics_agent_port", "runtime_env_agent_port", "metrics_export_port", "dashboard_agent_listen_port")
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    return {"num_cpus": 1, "object_store_memory": 100 * 2**20, "include_log_monitor": False, **ports, **told}


def _hold(nodes: int) -> None:
    from ray.cluster_utils import Cluster as Nodes

    cluster: Any = Nodes(initialize_head=True, head_node_args=_node(include_dashboard=False, no_monitor=True))
    added = [cluster.add_node(wait=False, **_node()) for _ in range(nodes - 1)]
    cluster.wait_for_nodes(timeout=SECONDS)
    print(cluster.address, flush=True)
    for _ in sys.stdin:
        cluster.remove_node(added.pop(), allow_graceful=False)
        print("lost", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    _hold(int(sys.argv[1]))
