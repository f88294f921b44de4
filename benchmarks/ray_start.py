"""From how many pictures on does --ray pay? In: a model, numbers. Out: seconds of `predict` with it and without, lines.

    python benchmarks/ray_start.py model.onnx --numbers 100 1000 5000

Makes small pictures in tars of 250, and has them answered by one machine and by Ray of this machine alone, each as a process of its
own. Seconds of the processor are those of the command and of all that it started, Ray's processes too, whoever is their parent in
the end. The lines say what a picture costs either way and what Ray's start costs; from these follows where a cluster of 8 cores has
overtaken a machine of 2. On a busy machine the processor's seconds are the ones to look at.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

EACH, SIDE = 250, 64
CORES, CLUSTER = 2, 8
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)


def make_tars(folder: Path, number: int) -> list[str]:
    """Noisy JPEG files of 64 x 64 pixels, 250 a tar."""
    generator, made = np.random.default_rng(0), []
    for start in range(0, number, EACH):
        path = folder / f"{number:06d}-{start // EACH:04d}.tar"
        with tarfile.open(path, "w") as archive:
            for index in range(start, min(start + EACH, number)):
                stream = io.BytesIO()
                coarse = Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8))
                coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(stream, "JPEG")
                info = tarfile.TarInfo(f"{index:06d}.jpg")
                info.size = len(stream.getvalue())
                archive.addfile(info, io.BytesIO(stream.getvalue()))
        made.append(str(path))
    return made


def measure(command: Sequence[str]) -> dict[str, float]:
    """Seconds until the command has ended, and those of the processor of all that it started."""
    before, began = _spent(), time.perf_counter()
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    seconds = time.perf_counter() - began
    if ended.returncode:
        raise SystemExit(f"{' '.join(command[:6])} ... exited with {ended.returncode}: {ended.stderr[-800:]}")
    while True:  # what it left behind is ours to wait for
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    return {"seconds": round(seconds, 1), "processor_seconds": round(_spent() - before, 1)}


def _spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def overtaking(records: Sequence[dict[str, float]]) -> dict[str, float]:
    """Lines through the seconds of the processor, seconds = start + each x pictures, and through the others where they meet."""
    found: dict[str, float] = {}
    for way in ("alone", "ray"):
        for kind in ("seconds", "processor_seconds"):
            rows = [(row["number"], row[f"{way}_{kind}"]) for row in records]
            each, start = np.polyfit(*np.array(rows).T, 1)
            found |= {f"{way}_{kind}_start": round(float(start), 2), f"{way}_{kind}_each": round(float(each), 5)}
    each = found["alone_processor_seconds_each"]
    saved = each / CORES - found["ray_processor_seconds_each"] / CLUSTER
    for kind in ("seconds", "processor_seconds"):
        start = found[f"ray_{kind}_start"] - found[f"alone_{kind}_start"]
        found[f"overtakes_by_{kind}"] = round(start / saved) if saved > 0 else float("inf")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model")
    parser.add_argument("--numbers", type=int, nargs="+", default=[100, 1_000, 5_000])
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    predict = [sys.executable, "-m", "tellapart.cli.main", "predict", arguments.model]
    records = []
    with tempfile.TemporaryDirectory(prefix="tellapart-ray-start-") as name:
        folder = Path(name)
        for number in arguments.numbers:
            tars = make_tars(folder, number)
            out = str(folder / f"answers-{number}")
            ways = {"alone": ["--format", "jsonl", "--out", f"{out}.jsonl"], "ray": ["--ray", "--out", out]}
            record: dict[str, float] = {"number": number}
            for way, told in ways.items():
                record |= {f"{way}_{kind}": value for kind, value in measure([*predict, *tars, *told]).items()}
            print(json.dumps(record), flush=True)
            records.append(record)
    if len(records) > 1:
        print(json.dumps(overtaking(records)))


if __name__ == "__main__":
    main()
