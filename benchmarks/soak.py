"""A server under load for an hour while what can happen to it does. In: pictures, models. Out: soak.json. Next: soak_load.py.

`tellapart serve FOLDER --workers 2` is asked at a share of what it could answer, by requests that come at random by themselves, so
that waiting counts. Meanwhile a new version of the model comes every so often, a process that serves is ended by SIGKILL and must
be replaced, and corrections are posted. Told are: requests that failed (the goal is none), how long answers took by the minute, the
memory of every process with a line fitted through it, and whether a correction that was answered is missing on disk.

    python benchmarks/soak.py PICTURES runs/latest/ runs/latest-int8/ --minutes 60 --out soak.json

The rate is `--share` of what a server of one process with one thread answers right now (8 clients that never pause, the median of
three tries): on a machine that others use too, that leaves room. `--rate` names it instead. Beside other work, milliseconds say
nothing of speed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from serving import answers, generate, started
from serving_load import build_requests
from serving_peers import free_port, tellapart
from soak_faults import Happened, correct, kept_corrections, kill, put, served_by, swap, watch
from soak_load import Load

from tellapart import load as open_model
from tellapart.runtime import cores
from tellapart.serving.engines import remember_quickest
from tellapart.storage import write_json

MODEL = "m"
READY_SECONDS, END_SECONDS = 120.0, 90.0
WRITE_SECONDS = 60.0
SETTLED = 1 / 6  # of the time, at most ten minutes: memory before that is not in the line
CAPACITY_TRIES, CAPACITY_SECONDS = 3, 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", type=Path, help="a folder; its JPEG files are sent")
    parser.add_argument(
        "models", type=Path, nargs="+", help="folders with model.onnx, of the same classes; versions of them take turns"
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--share", type=float, default=0.7, help="of what one thread answers (default: 0.7)")
    parser.add_argument("--rate", type=float, help="requests a second, in place of a share")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--swap-every", type=float, default=60.0, help="seconds (default: 60)")
    parser.add_argument("--kill-every", type=float, default=97.0, help="seconds (default: 97)")
    parser.add_argument("--correct-every", type=float, default=5.0, help="seconds (default: 5)")
    parser.add_argument("--files", type=int, default=60, help="pictures that are sent (default: 60)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("soak.json"))
    arguments = parser.parse_args()
    files = sorted(arguments.pictures.rglob("*.jpg"))
    if not files:
        parser.error(f"{arguments.pictures} holds no .jpg file")
    files = files[:: max(1, len(files) // arguments.files)][: arguments.files]
    for source in arguments.models:  # so that no swap measures engines
        remember_quickest(source / "model.onnx")
    record: dict[str, Any] = {"command": sys.argv, "cores": cores(), "load_at_start": round(os.getloadavg()[0], 2)}
    rate = arguments.rate
    if rate is None:
        record["one_thread_a_second"] = capacity(arguments.models[0] / "model.onnx", files)
        rate = arguments.share * record["one_thread_a_second"]
    record["rate"] = round(rate, 2)
    print(json.dumps(record), flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        record = asyncio.run(soak(arguments, files, rate, Path(folder), record))
    write_json(arguments.out, record)
    print(table(record))
    print(summary(record))
    sys.exit(0 if record["totals"].get("failed", 0) == 0 else 1)


def capacity(model: Path, files: list[Path]) -> float:
    """Pictures a second of one process with one thread, now."""
    server = tellapart(model, options=("--threads", "1", "--no-access-log"))
    plan = {**server.ways["REST"], "files": [str(file) for file in files], "clients": 8, "seconds": CAPACITY_SECONDS}
    with tempfile.TemporaryDirectory() as folder, started(server, Path(folder)):
        return statistics.median(generate({**plan, "warm_up": 1})["ok_a_second"] for _ in range(CAPACITY_TRIES))


async def soak(
    arguments: argparse.Namespace, files: list[Path], rate: float, folder: Path, record: dict[str, Any]
) -> dict[str, Any]:
    """The whole of it."""
    right = [
        [dict(zip(found.classes, map(float, row), strict=True)) for row in found.probabilities]
        for found in (open_model(source / "model.onnx").predict(list(files)) for source in arguments.models)
    ]
    models, corrections, port = folder / "models", folder / "corrections", free_port()
    put(models / MODEL, 1, arguments.models[1 % len(arguments.models)])
    (folder / "temporary").mkdir()
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command(arguments, models, corrections, port),
            stdout=log,
            stderr=log,
            env={**os.environ, "TMPDIR": str(folder / "temporary")},
            start_new_session=True,
        )
    try:
        wait_until_ready(server, port, folder / "server.log")
        requests = build_requests(
            {"encoding": "raw", "path": "/predict", "port": port, "files": [str(one) for one in files]}
        )
        load, happened = Load(port, requests, right, rate=rate, seed=arguments.seed), Happened()
        record["spared"] = spared = served_by(server.pid)[-1]
        record["parent"] = server.pid
        pictures, classes = [one.read_bytes() for one in files], list(right[0][0])
        beside = [
            asyncio.create_task(one)
            for one in (
                swap(load, happened, models / MODEL, arguments.models, every=arguments.swap_every),
                kill(load, happened, server.pid, spared=spared, every=arguments.kill_every),
                correct(load, happened, port, pictures, classes, every=arguments.correct_every, seed=arguments.seed),
                watch(load, happened, server.pid),
                keep_writing(arguments.out, record, load, happened),
            )
        ]
        await load.run(60 * arguments.minutes)
        for task in beside:
            if task.done() and not task.cancelled() and (error := task.exception()):
                load.wrong.append(f"the benchmark itself: {error!r}")
            task.cancel()
        ended = await asyncio.to_thread(end, server)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    record |= told(load, happened)
    record["ended_with"], record["end_seconds"] = ended
    record["corrections_kept"] = kept_corrections(corrections, happened.corrections)
    record["log"] = (folder / "server.log").read_text(errors="replace").splitlines()[-200:]
    return record


def command(arguments: argparse.Namespace, models: Path, corrections: Path, port: int) -> list[str]:
    options = ("--no-grpc", "--no-access-log", "--keep", "1", "--workers", str(arguments.workers))
    program = str(Path(sys.executable).with_name("tellapart"))
    return [program, "serve", str(models), "--port", str(port), "--corrections", str(corrections), *options]


def wait_until_ready(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    begun = time.monotonic()
    while not answers(f"http://127.0.0.1:{port}/health/ready"):
        if server.poll() is not None or time.monotonic() - begun > READY_SECONDS:
            raise SystemExit(f"the server did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


def end(server: subprocess.Popen[bytes]) -> tuple[int | None, float]:
    """By SIGTERM: its exit status, and the seconds that it took."""
    begun = time.monotonic()
    server.terminate()
    try:
        return server.wait(END_SECONDS), round(time.monotonic() - begun, 2)
    except subprocess.TimeoutExpired:
        return None, round(time.monotonic() - begun, 2)


async def keep_writing(out: Path, record: dict[str, Any], load: Load, happened: Happened) -> None:
    """So that a soak that is cut short leaves what was seen."""
    while True:
        await asyncio.sleep(WRITE_SECONDS)
        write_json(out, {**record, **told(load, happened), "unfinished": True})


def told(load: Load, happened: Happened) -> dict[str, Any]:
    """What was seen so far, for JSON."""
    totals: Counter[str] = Counter()
    for minute in load.minutes.values():
        totals += Counter({"asked": minute.asked, **minute.counts})
    return {
        "minutes": [{"minute": at, **minute.row()} for at, minute in sorted(load.minutes.items())],
        "totals": {"failed": 0, **totals},
        "wrong": load.wrong,
        "furthest_probability": load.furthest,
        "versions": {
            number: [round(one.first, 2), round(one.last, 2), one.count] for number, one in load.versions.items()
        },
        "swaps": happened.swaps,
        "kills": happened.kills,
        "corrections": happened.correction_outcomes,
        "samples": happened.samples,
        "load_average": round(os.getloadavg()[0], 2),
    }


def slope(samples: list[dict[str, Any]], process: int | None) -> dict[str, float]:
    """MB an hour of one process, or of all; beside it the first and last value of the line's part."""
    after = min(600.0, SETTLED * samples[-1]["at"])
    at, found = [], []
    for one in samples:
        each = [row["rss_mb"] for row in one["processes"] if process in (None, row["process"])]
        if each and one["at"] >= after:
            at.append(one["at"] / 3600)
            found.append(sum(each))
    if len(found) < 3:
        return {}
    hourly, _ = np.polyfit(at, found, 1)
    return {"mb_an_hour": round(float(hourly), 2), "from_mb": found[0], "to_mb": found[-1], "most_mb": max(found)}


def table(record: dict[str, Any]) -> str:
    """Twelve rows at most, each of some minutes."""
    rows, each = record["minutes"], max(1, -(-len(record["minutes"]) // 12))
    lines = [
        "| minutes | asked | failed | refused | cut, sent again | p50 ms | p99 ms | longest ms |",
        "|" + "---|" * 8,
    ]
    for first in range(0, len(rows), each):
        part = rows[first : first + each]
        counts = [str(sum(row.get(name, 0) for row in part)) for name in ("asked", "failed", "refused", "cut")]
        times = [f"{statistics.median(row.get(name, 0.0) for row in part):.0f}" for name in ("p50_ms", "p99_ms")]
        longest = f"{max(row.get('p100_ms', 0.0) for row in part):.0f}"
        lines.append(f"| {part[0]['minute']} to {part[-1]['minute'] + 1} | {' | '.join([*counts, *times, longest])} |")
    return "\n".join(lines)


def summary(record: dict[str, Any]) -> str:
    """What counts, in words."""
    samples, spared, kills = record["samples"], record["spared"], record["kills"]
    ends = [
        next((row for row in one["processes"] if row["process"] == spared), {}) for one in (samples[0], samples[-1])
    ]
    lines = [
        f"requests: {record['totals']}; the first failures: {record['wrong'][:5]}",
        f"swaps: {len(record['swaps'])}; kills: {len(kills)}, replaced: {sum('replaced_by' in one for one in kills)}",
        f"corrections: {record['corrections']}; on disk: {record['corrections_kept']}",
        f"memory of the process that lived: {slope(samples, spared)}",
        f"of its parent: {slope(samples, record['parent'])}; of all: {slope(samples, None)}",
        f"files and threads of the first, at first and at last: {[(one.get('files'), one.get('threads')) for one in ends]}",
        f"ended with {record['ended_with']} after {record['end_seconds']} s",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
