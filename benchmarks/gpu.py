"""All that a GPU is needed for, in one go of under eight minutes. In: a machine with a GPU. Out: a table, and one JSON file.

Each part (gpu_parts.py) runs in a process of its own with a limit of time, so that one that fails takes no other with it:
the tests marked `gpu`, the same answers as on the CPU, half precision, memory that runs out, speed beside a loop in timm's style,
two processes where there are two cards.

    make gpu
    python benchmarks/gpu.py --out build/gpu.json [--only tasks speed] [--seconds 450]
    python benchmarks/gpu.py --device cpu --only tasks   # where there is no GPU: whether the script itself works
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
SLOWER = 5  # a CPU, on which the script itself is tried
# What runs, in this order, and for how many seconds at most: what says most about faults comes first.
PARTS: Mapping[str, int] = {
    "tests": 90,
    "embeddings": 60,
    "tasks": 150,
    "precision": 90,
    "memory": 60,
    "speed": 100,
    "embedding_speed": 60,
    "cards": 90,
}


def run_part(name: str, device: str, folder: Path, seconds: float) -> dict[str, Any]:
    """What a part found: rows, or why it failed."""
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "gpu_parts.py"), name, device, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TELLAPART_CACHE": str(folder / "cache")}
    started = time.monotonic()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=REPOSITORY,
        start_new_session=True,
    ) as process:
        try:
            printed, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with all that it started, which would hold the card
            printed, _ = process.communicate()
            why = f"not done after {seconds:.0f} s"
            return {"part": name, "state": "too long", "why": why, "seconds": round(seconds, 1), "rows": rows(printed)}
    found: dict[str, Any] = {"part": name, "seconds": round(time.monotonic() - started, 1), "rows": rows(printed)}
    if process.returncode:
        lines = [line for line in (said or printed).splitlines() if line.strip()]
        return {**found, "state": "failed", "why": lines[-1] if lines else f"exit code {process.returncode}"}
    wrong = [row for row in found["rows"] if not row["good"]]
    return {**found, "state": "wrong" if wrong else "good"}


def rows(printed: str) -> list[dict[str, Any]]:
    """The lines of a part that are its rows."""
    return [json.loads(line) for line in printed.splitlines() if line.startswith('{"what"') and line.endswith("}")]


def show(found: dict[str, Any]) -> None:
    """A part as lines of the table."""
    print(f"{found['part']:16} {found['state']:9} {found.get('seconds', 0):7.1f} s  {found.get('why', '')}", flush=True)
    for row in found["rows"]:
        print(f"  {'' if row['good'] else '! '}{row['what']:44} {row['figure']}", flush=True)


def machine(device: str) -> dict[str, Any]:
    """What it was run on."""
    import torch

    about = {"python": platform.python_version(), "torch": torch.__version__, "device": device, "cores": os.cpu_count()}
    if device == "cuda":
        about |= {
            "cuda": torch.version.cuda,
            "cards": [torch.cuda.get_device_name(card) for card in range(torch.cuda.device_count())],
        }
    return about


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build" / "gpu.json", help="the JSON file")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), help="these parts")
    parser.add_argument("--seconds", type=float, default=450, help="for all parts together")
    arguments = parser.parse_args()
    import torch

    if arguments.device == "cuda" and not torch.cuda.is_available():
        print(
            f"--device cuda: torch {torch.__version__} finds no GPU here. Run it where there is one, or try the script itself "
            "with --device cpu.",
            file=sys.stderr,
        )
        return 2
    limits = {name: seconds * (1 if arguments.device == "cuda" else SLOWER) for name, seconds in PARTS.items()}
    ends = time.monotonic() + arguments.seconds
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only:
            left = ends - time.monotonic()
            if left < 10:
                found.append({"part": name, "state": "left out", "why": "no time was left", "rows": []})
            else:
                found.append(run_part(name, arguments.device, Path(folder), min(limits[name], left)))
            show(found[-1])
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            arguments.out.write_text(
                json.dumps({"machine": machine(arguments.device), "parts": found}, indent=1) + "\n"
            )
    print(f"Written: {arguments.out}")
    return 0 if all(one["state"] == "good" for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
