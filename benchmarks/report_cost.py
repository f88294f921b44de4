"""What a report costs. In: run folders. Out: processor time and seconds of each run's report, as JSON lines.

Each report is written in a process of its own into the run's folder, with the embeddings in the cache, as after a training;
what it imports is counted.

    python benchmarks/report_cost.py runs/latest runs/hotdog-20261128-120000
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

from tellapart.cli.console import make_reporter
from tellapart.features.caching import open_cache
from tellapart.runtime import cores


def measure(folder: Path) -> dict[str, Any]:
    """Write the report of one run."""
    from tellapart.runs.open import OpenRun
    from tellapart.workflows.report import write_report

    pictures, reporter = len(OpenRun(folder).examples), make_reporter(quiet=True)
    with open_cache(reporter) as cache:
        began, spent = time.monotonic(), time.process_time()
        written = write_report(folder, language="en", cache=cache, reporter=reporter)
    return {
        "run": folder.resolve().name,
        "pictures": pictures,
        "cpu_seconds": round(time.process_time() - spent, 2),
        "seconds": round(time.monotonic() - began, 2),
        "bytes": written.size_bytes,
        "machine_cores": cores(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `tellapart train` does; threads that spin count as work
    for folder in arguments.runs:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(json.dumps(pool.apply(measure, (folder,))), flush=True)


if __name__ == "__main__":
    main()
