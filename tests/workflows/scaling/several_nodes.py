"""A Ray cluster of three machines, pretended on one, with what may happen to them. In: a folder. Out: JSON, what came of each.

Started by test_faults.py in a process of its own. What disturbs a unit does so once: it leaves a file that says so.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

STORE_BYTES = 80 * 2**20
UNITS = 10


class Nodes:
    """A head and others, a CPU each."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # a short name: sockets lie below it
        from tellapart.workflows.scaling.own_ray import PATIENCE, patient

        os.environ |= {
            "RAY_TMPDIR": self.folder,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",  # with Ray's 15 a busy machine leaves them nothing
            **PATIENCE,
        }
        Path(self.folder, "ray").mkdir()
        import ray._private.node
        from ray.cluster_utils import Cluster

        ray._private.node.Node = patient()
        self.cluster = Cluster()
        self.add()

    def add(self) -> Any:
        from tellapart.workflows.scaling.own_ray import told_ports

        return self.cluster.add_node(
            num_cpus=1,
            object_store_memory=STORE_BYTES,
            include_dashboard=False,
            no_monitor=True,
            include_log_monitor=False,
            **told_ports(),
        )

    def end(self) -> None:
        self.cluster.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)


def first_time(marks: str, name: str) -> bool:
    try:
        Path(marks, name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


# Each makes what works on a unit, a number, from the folder of marks.
def undisturbed(marks: str) -> Callable[[int], int]:
    def square(unit: int) -> int:
        time.sleep(0.1)
        return unit * unit

    return square


def worker_killed(marks: str) -> Callable[[int], int]:
    def square(unit: int) -> int:
        if unit == 3 and first_time(marks, "killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        return unit * unit

    return square


def always_killed(marks: str) -> Callable[[int], int]:
    def square(unit: int) -> int:
        if unit == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return unit * unit

    return square


def one_is_slow(marks: str) -> Callable[[int], int]:
    def square(unit: int) -> int:
        if unit == 2 and first_time(marks, "slow"):
            time.sleep(3600)
        return unit * unit

    return square


def refused(marks: str) -> Callable[[int], int]:
    def square(unit: int) -> int:
        from tellapart.errors import DataError

        if unit == 4:
            raise DataError("four cannot be done. Leave it out.")
        return unit * unit

    return square


def large(marks: str) -> Callable[[int], Any]:
    import numpy as np

    return lambda unit: np.full(2_500_000, unit, dtype=np.int64)  # 20 MB: four fill a store


def tried(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def main(folder: Path) -> Iterator[tuple[str, Any]]:
    nodes = Nodes()
    try:
        for _ in range(2):
            nodes.add()
        yield from disturbed(nodes, folder)
    finally:
        nodes.end()


def disturbed(nodes: Nodes, folder: Path) -> Iterator[tuple[str, Any]]:
    from tellapart.reporter import Silent
    from tellapart.workflows.scaling.connection import connected
    from tellapart.workflows.scaling.spread import over_ray

    with connected(nodes.cluster.address, Silent()) as found:
        yield "connected", [found.nodes, found.workers]
        spread = over_ray(found.workers)
        marks = str(folder)

        def squares(make: Any) -> list[list[int]]:
            return [list(one) for one in spread(make, marks, range(UNITS))]

        for make in (undisturbed, worker_killed, one_is_slow, always_killed, refused):
            yield make.__name__, tried(lambda make=make: squares(make))
        kept = dict(spread(large, marks, range(UNITS)))  # all at once: 200 MB through stores of 80
        yield "full_store", {unit: [int(value[0]), int(value.sum() // len(value))] for unit, value in kept.items()}
        del kept
        yield "node_lost", node_lost(nodes, spread, marks)
        yield from pictures_by_ray(folder, spread, found.workers)
    yield "predicted", caller_killed(folder, nodes.cluster.address)


def node_lost(nodes: Nodes, spread: Any, marks: str) -> list[list[int]]:
    lost = next(iter(nodes.cluster.worker_nodes))
    found = []
    for one in spread(undisturbed, marks, range(3 * UNITS)):
        found.append(list(one))
        if len(found) == 4:
            nodes.cluster.remove_node(lost, allow_graceful=False)
    return found


def pictures_by_ray(folder: Path, spread: Any, workers: int) -> Iterator[tuple[str, Any]]:
    """The audit of one machine and of several; who runs this has the pictures there."""
    from tellapart.data.audit import audit_json
    from tellapart.reporter import Silent
    from tellapart.workflows.check import check
    from tellapart.workflows.scaling.looking import AfarBy

    for name, afar in (("here", None), ("there", AfarBy(spread=spread, workers=workers))):
        os.environ["TELLAPART_CACHE"] = str(folder / name)
        yield f"audit_{name}", audit_json(check(folder / "pictures", reporter=Silent(), afar=afar).audit)


def caller_killed(folder: Path, address: str) -> dict[str, Any]:
    """`tellapart predict --ray`, ended by SIGKILL as soon as a part is written, and called again."""
    out = folder / "answers"
    call = [sys.executable, "-c", "from tellapart.cli.main import run; run()", "predict", folder / "model.onnx"]
    call += [folder / "shards", "--ray", address, "--out", out]
    first = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while first.poll() is None and not list(out.glob("*.parquet")):
        time.sleep(0.002)
    first.kill()
    first.wait()
    killed = json.loads((out / "predictions.json").read_text())
    left = len(list(out.glob("*.parquet")))
    again = subprocess.run(call, capture_output=True, text=True)
    return {"parts": len(killed["parts"]), "left": left, "code": again.returncode, "said": again.stderr}


if __name__ == "__main__":
    # What stands in this file is none of a module that the workers could import: it travels whole.
    for name, value in main(Path(sys.argv[1])):
        print(json.dumps({name: value}), flush=True)
