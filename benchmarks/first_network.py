"""What a machine's first run waits for the network. In: a backbone. Out: seconds of both ways, in turn. Next: against_keras.py.

Each round prepares the network twice in fresh processes with empty caches: assembled from the graph that the package keeps,
and exported with PyTorch, as any other network is. Processor time counts the export's own process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tellapart.models.catalog import DEFAULT, EMBEDDED
from tellapart.models.kept_graph import GRAPHS

_CODE = (
    "import sys; from pathlib import Path; from tellapart.features.backbone import prepare_backbone;"
    "prepare_backbone(sys.argv[1], cache=Path(sys.argv[2]), weights=None, graphs=Path(sys.argv[3])).wait()"
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time how an embedded network is made ready on a new machine.")
    parser.add_argument("--backbone", choices=EMBEDDED, default=DEFAULT, help=f"which (default: {DEFAULT})")
    parser.add_argument("--rounds", type=int, default=3, help="how often; the median counts (default: 3)")
    arguments = parser.parse_args()
    rounds = [
        {way: timed(arguments.backbone, graphs) for way, graphs in (("assembled", GRAPHS), ("exported", Path("none")))}
        for _ in range(arguments.rounds)
    ]
    print(json.dumps({"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), **summary(rounds)}, indent=2))


def timed(backbone: str, graphs: Path) -> dict[str, float]:
    """One process, from its start to its exit."""
    with tempfile.TemporaryDirectory(prefix="first-network-") as folder:
        started, before = time.perf_counter(), os.times()
        subprocess.run([sys.executable, "-c", _CODE, backbone, folder, str(graphs)], check=True)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        return {"seconds": round(time.perf_counter() - started, 2), "cpu_seconds": round(used, 2)}


def summary(rounds: list[dict[str, dict[str, float]]]) -> dict[str, object]:
    median = {
        way: {kind: statistics.median(one[way][kind] for one in rounds) for kind in ("seconds", "cpu_seconds")}
        for way in rounds[0]
    }
    ratio = round(median["exported"]["cpu_seconds"] / median["assembled"]["cpu_seconds"], 1)
    return {"median": median, "times_less_processor_time": ratio, "rounds": rounds}


if __name__ == "__main__":
    main()
