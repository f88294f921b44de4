"""`tellapart serve` beside ONNX Runtime alone and other servers. In: pictures, a model. Out: figures. Next: serving_peers.py.

In turn and in one session, on the same cores, with the same pictures and the same file:

- The engine alone (ONNX Runtime, or --engine): files decoded and run in one process, a thread a core, before and after all
  others; the better one counts.
- Each server and each way to ask it: how soon it is ready; one client (a request's own time); 8 and 32 clients that never pause (
  the better is its capacity); requests that arrive at random (Poisson) at 70 % of that; ours also at three times its capacity.

The generator shares the cores with the server, as its figure `generator_cores` says. A line of JSON for each figure, then a table.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
from serving_peers import ENVIRONMENT, Server, fastapi, litserve, make_environment, tellapart, triton

from tellapart.answers.table import ANSWERINGS
from tellapart.bundle import open_model, read_manifest
from tellapart.preprocessing import load
from tellapart.runtime import cores
from tellapart.serving.engines import EngineChoice, EngineName

HERE = Path(__file__).resolve().parent
PEERS = ("tellapart", "fastapi", "litserve", "triton")
MOST_FILES = 200
CLIENTS = (8, 32)
LOAD, OVERLOAD = 0.7, 3.0  # of the capacity
READY_SECONDS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", type=Path, help="a folder; its JPEG files are sent")
    parser.add_argument("model", type=Path, help="model.onnx")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each figure (default: 10)")
    parser.add_argument("--rounds", type=int, default=1, help="all of it so many times (default: 1)")
    parser.add_argument("--only", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="where the other servers are installed")
    parser.add_argument("--engine", default="onnxruntime", help="for tellapart, and alone (default: onnxruntime)")
    parser.add_argument(
        "--option", action="append", default=[], help="for `tellapart serve`, such as --option=--threads=2"
    )
    arguments = parser.parse_args()
    files = [str(path.resolve()) for path in sorted(arguments.pictures.rglob("*.jpg"))]
    if not files:
        parser.error(f"{arguments.pictures} holds no .jpg file")
    files = files[:: max(1, len(files) // MOST_FILES)]
    if set(arguments.only) != {"tellapart"}:
        make_environment(arguments.environment)
    tell({"cores": cores(), "load_at_start": round(os.getloadavg()[0], 2), "pictures": len(files)})
    rows: list[dict[str, Any]] = []
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory(prefix="serving-") as folder:
            rows += one_round(arguments, files, Path(folder), number)
    print(table(rows))


def one_round(arguments: argparse.Namespace, files: list[str], folder: Path, number: int) -> list[dict[str, Any]]:
    """Everything once."""
    model = arguments.model.resolve()
    before = alone(model, arguments.engine, files, arguments.seconds)
    rows = []
    for server in servers(arguments, model, folder):
        with started(server, folder) as (ready, _):
            for way, plan in server.ways.items():
                row = {"server": server.name, "way": way, "ready_seconds": ready}
                row |= measure(
                    {**plan, "files": files}, arguments.seconds, seed=number, overload=server.name == "tellapart"
                )
                rows.append(row)
                tell(row)
    after = alone(model, arguments.engine, files, arguments.seconds)
    best = max(before, after)
    tell({"server": f"{arguments.engine} alone", "pictures_a_second": [before, after]})
    return [{**row, "share_of_alone": round(row["capacity"] / best, 3)} for row in rows]


def servers(arguments: argparse.Namespace, model: Path, folder: Path) -> Iterator[Server]:
    """Those asked for, each made when its turn comes."""
    environment, count = arguments.environment.absolute(), cores()
    python = environment / "bin" / "python"
    if "tellapart" in arguments.only:
        yield tellapart(model, options=("--engine", arguments.engine, *arguments.option))
    if "fastapi" in arguments.only:
        yield fastapi(model, python)
    for batch in (1, 8):
        if "litserve" in arguments.only:
            yield litserve(model, python, batch=batch, cores=count)
        if "triton" in arguments.only:
            classes = len(read_manifest(model).classes)
            place = folder / f"triton-{batch}"
            yield triton(model, environment, place, batch=batch, cores=count, classes=classes)


@contextlib.contextmanager
def started(server: Server, folder: Path) -> Iterator[tuple[float, int]]:
    """Run a server; the seconds until it was ready, and its process."""
    log = folder / f"{server.name}.log"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", **server.environment}
    with log.open("wb") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            server.command, stdout=output, stderr=output, env=environment, cwd=folder, start_new_session=True
        )
        try:
            while not answers(f"http://127.0.0.1:{server.port}{server.ready}"):
                if process.poll() is not None or time.perf_counter() - begun > READY_SECONDS:
                    raise SystemExit(f"{server.name} did not start:\n{log.read_text()[-3000:]}")
                time.sleep(0.01)
            yield round(time.perf_counter() - begun, 2), process.pid
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            # LitServe leaves its workers behind, which would spin beside everything that is measured after it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def measure(plan: dict[str, Any], seconds: float, *, seed: int, overload: bool) -> dict[str, Any]:
    """The figures of one way to ask one server."""
    single = generate({**plan, "clients": 1, "seconds": seconds / 2, "warm_up": 1})
    if "ok_p50_ms" not in single:
        raise SystemExit(f"no request was answered: {single}")
    closed = {count: generate({**plan, "clients": count, "seconds": seconds, "warm_up": 1}) for count in CLIENTS}
    capacity = max(one["ok_a_second"] for one in closed.values())
    busy = {**plan, "clients": 2, "warm_up": 0.5, "settle": 1.0, "seed": seed}
    loaded = generate({**busy, "rate": LOAD * capacity, "seconds": 2 * seconds})
    found = {
        "capacity": capacity,
        "single_p50_ms": single["ok_p50_ms"],
        "at_70_p99_ms": loaded.get("ok_p99_ms"),
        "at_70_times_single": ratio(loaded.get("ok_p99_ms"), single["ok_p50_ms"]),
        "single": single,
        "clients": closed,
        "at_70": loaded,
    }
    if overload:
        flooded = generate({**busy, "rate": OVERLOAD * capacity, "seconds": seconds})
        found["overload"] = flooded
        found["overload_times_70"] = ratio(flooded.get("ok_p99_ms"), loaded.get("ok_p99_ms"))
    return found


def generate(plan: dict[str, Any]) -> dict[str, Any]:
    """Run serving_load.py."""
    command = [sys.executable, str(HERE / "serving_load.py")]
    done = subprocess.run(command, input=json.dumps(plan), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def alone(model: Path, engine: str, files: Sequence[str], seconds: float) -> float:
    """Pictures a second without any server: read, decoded and run, a thread a core. In a process of its own, as a server is."""
    return alone_with_cost(model, engine, files, seconds)[0]


def alone_with_cost(model: Path, engine: str, files: Sequence[str], seconds: float) -> tuple[float, float]:
    """The same, and milliseconds of the processor a picture."""
    command = [sys.executable, str(HERE / "serving.py"), "--alone", str(model), engine, str(seconds), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rate, cost = map(float, done.stdout.split())
    return rate, cost


def run_alone(path: str, engine: EngineName, seconds: str, *files: str) -> tuple[float, float]:
    """The best of batches of 1 and 8."""
    choice = EngineChoice(name=engine)
    model = open_model(Path(path), lambda data, told, where: choice.open(data, told, where, lambda text: None))
    data = [Path(file).read_bytes() for file in files]
    return max(_rate(model, data, batch, float(seconds) / 2) for batch in (1, 8))


def _rate(model: Any, data: list[bytes], batch: int, seconds: float) -> tuple[float, float]:
    outputs = ANSWERINGS[model.manifest.task].outputs

    def work(first: int) -> int:
        done = 0
        while time.perf_counter() < end:
            chosen = [data[(first + done + index) % len(data)] for index in range(batch)]
            model.compute(np.stack([load(one, model.preprocessing) for one in chosen]), outputs)
            done += batch
        return done

    count = cores()
    with ThreadPoolExecutor(count) as threads:
        begun, spent = time.perf_counter(), time.process_time()
        end = begun + seconds
        done = sum(threads.map(work, (len(data) * n // count for n in range(count))))
        cost = 1000 * (time.process_time() - spent) / done
        return round(done / (time.perf_counter() - begun), 1), round(cost, 3)


def ratio(one: float | None, other: float | None) -> float | None:
    return round(one / other, 2) if one and other else None


def tell(row: dict[str, Any]) -> None:
    print(json.dumps(row), flush=True)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """For people."""
    head = (
        "server",
        "way",
        "ready s",
        "pictures/s",
        "of alone",
        "single p50 ms",
        "p99 at 70 %",
        "x single",
        "p99 at 3x",
        "refused",
        "refused in p99 ms",
    )
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for row in rows:
        over = row.get("overload", {})
        counts = over.get("outcomes", {})
        refused = f"{counts.get('refused', 0) / max(1, sum(counts.values())):.0%}" if over else ""
        cells = (
            row["server"],
            row["way"],
            row["ready_seconds"],
            row["capacity"],
            f"{row['share_of_alone']:.0%}",
            row["single_p50_ms"],
            row["at_70_p99_ms"],
            row["at_70_times_single"],
            over.get("ok_p99_ms", ""),
            refused,
            over.get("refused_p99_ms", ""),
        )
        lines.append(" | ".join(map(str, cells)))
    return "\n".join(f"| {line} |" for line in lines)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--alone"]:
        path, engine, *rest = sys.argv[2:]
        print(*run_alone(path, cast("EngineName", engine), *rest))
    else:
        main()
