"""Does it stay quick and small with many pictures? In: a number. Out: audit seconds and peak memory, as one JSON line.

Makes NUMBER small pictures once (noise textures: all different, so that the search for copies has no easy way out, and one
in a hundred a copy), then runs `tellapart check` twice and, with --train, `tellapart train` once, each as a process of its
own with a fresh cache:

    python benchmarks/scale.py /tmp/scale --number 60000 --train
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image


def make_pictures(folder: Path, number: int, *, classes: int = 10, side: int = 28) -> None:
    """Write `number` pictures of `classes` kinds: smooth random fields, brighter by class."""
    generator = np.random.default_rng(0)
    previous = np.zeros((side, side), dtype=np.uint8)
    for index in range(number):
        label = index % classes
        target = folder / f"class {label}"
        target.mkdir(parents=True, exist_ok=True)
        if index % 100 != 99:
            coarse = generator.integers(0, 256, (7, 7), dtype=np.uint8)
            smooth = np.asarray(
                Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64
            )
            previous = np.clip(smooth * (0.5 + 0.05 * label), 0, 255).astype(np.uint8)
        Image.fromarray(previous).save(target / f"{index:06d}.png")


def measure(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Seconds, those of the processor (below cores x seconds where something waited) and the peak memory of one process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} exited with {process.returncode}")
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_gb": round(usage.ru_maxrss / 1e6, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, default=60_000)
    parser.add_argument(
        "--train", action="store_true", help="train too; computes every embedding, about 13 ms each on two cores"
    )
    arguments = parser.parse_args()
    pictures = arguments.folder / f"pictures-{arguments.number}"
    if not pictures.exists():
        make_pictures(pictures, arguments.number)
    cache = tempfile.mkdtemp(prefix="tellapart-scale-")
    environment = os.environ | {"TELLAPART_CACHE": cache}
    tellapart = [sys.executable, "-m", "tellapart.cli.main"]
    try:
        record: dict[str, object] = {"number": arguments.number}
        record["check"] = measure([*tellapart, "check", str(pictures), "--json"], environment)
        record["check again"] = measure([*tellapart, "check", str(pictures), "--json"], environment)
        if arguments.train:
            train = [*tellapart, "train", str(pictures), "--out", str(arguments.folder / "runs"), "--json"]
            record["train"] = measure(train, environment)
            record["train again"] = measure(train, environment)
        record["own_peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 3)
        print(json.dumps(record))
    finally:
        shutil.rmtree(cache, ignore_errors=True)


if __name__ == "__main__":
    main()
