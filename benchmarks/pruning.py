"""What pruning costs and saves. In: a folder of class folders. Out: before and after, as one JSON line.

A classifier on the frozen network is trained, and `tellapart compress --prune` leaves out a share of its multiply-adds; both are
tested on the same pictures and timed in turn. Seconds are processor time of this process, all threads together.

    python benchmarks/pruning.py /path/to/cats_dogs --size 160 --share 0.4 --epochs 2
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from tellapart.cli.console import make_reporter
from tellapart.settings.reading import make_settings
from tellapart.workflows.compress import compress
from tellapart.workflows.train import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--size", type=int, default=160, help="pixels, the side of what the network sees")
    parser.add_argument("--share", type=float, default=0.4, help="of the multiply-adds, that goes")
    parser.add_argument("--epochs", type=int, default=None, help="of the training after the last step")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", type=Path, default=None, help="a run that was trained already")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    arguments = parser.parse_args()
    reporter, run = make_reporter(quiet=False), arguments.run
    if run is None:
        given = {
            "data": str(arguments.pictures),
            "out": str(arguments.out),
            "strategy": "probe",
            "network": {"size": arguments.size},
            "seed": arguments.seed,
            "report": False,
        }
        run = train(make_settings(given), reporter=reporter).run
    began, clock = time.process_time(), time.monotonic()
    found = compress(run, reporter=reporter, prune=arguments.share, epochs=arguments.epochs)
    seconds = {"processor": time.process_time() - began, "clock": time.monotonic() - clock}
    print(json.dumps({"seconds": seconds, **found.as_json()}, ensure_ascii=False))


if __name__ == "__main__":
    main()
