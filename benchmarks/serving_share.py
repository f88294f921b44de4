"""How much of the engine alone the server reaches, and how many times FastAPI. In: pictures, a run. Out: ratios. Next: serving.py.

In turn and several rounds, on the same cores, with the same pictures: the engine alone (files decoded and run in one process, a
thread a core), `tellapart serve` asked over REST with a picture a request and with eight, over gRPC with a picture, and FastAPI's
`def` endpoint with ONNX Runtime in float32. All servers run from the start, and rest while another is measured. A ratio is taken
within a round; told are the median of the rounds and their range. Beside pictures a second stands the processor time of a picture,
the server's and its clients' together: on a busy machine it says more.

    python benchmarks/serving_share.py PICTURES runs/latest/model.onnx --also runs/latest-int8/model.onnx
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from serving import alone_with_cost, generate, started, tell
from serving_peers import ENVIRONMENT, Server, fastapi, tellapart

from tellapart.runtime import cores
from tellapart.serving.engines import remember_quickest
from tellapart.serving.quickest import read_quickest

TOGETHER = 8
CLIENTS, FEW_CLIENTS = 8, 3  # more are refused now and then, rather than kept waiting
MOST_FILES = 200


class Running(NamedTuple):
    """A server that runs."""

    server: Server
    process: int


class Found(NamedTuple):
    """What one way of asking comes to."""

    a_second: float  # pictures
    processor_ms: float  # a picture, of server and clients together


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", type=Path, help="a folder; its JPEG files are sent")
    parser.add_argument("model", type=Path, help="model.onnx, which FastAPI serves too")
    parser.add_argument("--also", type=Path, help="the same model made quicker, such as compress --int8 writes")
    parser.add_argument("--engine", default="auto", help="for tellapart, and alone (default: auto)")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure of a round (default: 3)")
    parser.add_argument("--rounds", type=int, default=3, help="all of it so many times (default: 3)")
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="where FastAPI is installed")
    arguments = parser.parse_args()
    files = [str(path.resolve()) for path in sorted(arguments.pictures.rglob("*.jpg"))]
    if not files:
        parser.error(f"{arguments.pictures} holds no .jpg file")
    files = files[:: max(1, len(files) // MOST_FILES)]
    python = arguments.environment.absolute() / "bin" / "python"
    models = {"model": arguments.model.resolve()} | ({"also": arguments.also.resolve()} if arguments.also else {})
    for path in models.values():  # so that the server and the engine alone choose the same
        if read_quickest(path, path.read_bytes()) is None:
            remember_quickest(path)
    tell({"cores": cores(), "load_at_start": round(os.getloadavg()[0], 2), "pictures": len(files)})
    with tempfile.TemporaryDirectory(prefix="share-") as name, contextlib.ExitStack() as stack:
        servers = {key: tellapart(path, options=("--engine", arguments.engine)) for key, path in models.items()}
        if python.is_file():
            servers["FastAPI"] = fastapi(arguments.model.resolve(), python)
        running = {}
        for key, server in servers.items():
            (folder := Path(name) / key).mkdir()
            ready, process = stack.enter_context(started(server, folder))
            running[key] = Running(server, process)
            tell({"server": key, "ready_seconds": ready})
        rounds = [
            one_round(running, models, files, arguments.engine, arguments.seconds) for _ in range(arguments.rounds)
        ]
    print(table(rounds))


def one_round(
    servers: Mapping[str, Running], models: Mapping[str, Path], files: list[str], engine: str, seconds: float
) -> dict[str, Found]:
    """What each way comes to."""
    found: dict[str, Found] = {}
    if "FastAPI" in servers:
        found["FastAPI"] = ask(servers["FastAPI"], "REST, def", files, seconds)
    for key, path in models.items():
        rate, cost = alone_with_cost(path, engine, files, seconds)
        found[f"{key}, alone"] = Found(rate, cost)
        found[f"{key}, REST"] = ask(servers[key], "REST", files, seconds)
        together = {"encoding": "multipart", "field": "file", "together": TOGETHER, "clients": FEW_CLIENTS}
        found[f"{key}, REST, {TOGETHER} a request"] = ask(servers[key], "REST", files, seconds, **together)
        found[f"{key}, gRPC"] = ask(servers[key], "v2 gRPC", files, seconds)
    tell({name: one._asdict() for name, one in found.items()})
    return found


def ask(running: Running, way: str, files: list[str], seconds: float, **further: Any) -> Found:
    """Of clients that never pause."""
    plan = {**running.server.ways[way], "files": files, "clients": CLIENTS, "seconds": seconds, "warm_up": 0, **further}
    generate({**plan, "seconds": 0.5})
    before = seconds_of(running.process)
    told = generate(plan)
    spent = seconds_of(running.process) - before + told["generator_cores"] * seconds
    answered = sum(told["outcomes"].get(outcome, 0) for outcome in ("ok", "after the end"))
    pictures = answered * int(further.get("together", 1))
    return Found(float(told["ok_a_second"]) * int(further.get("together", 1)), 1000 * spent / max(1, pictures))


def seconds_of(process: int) -> float:
    """The processor time of a process. Source: proc_pid_stat(5), fields 14 and 15."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def table(rounds: list[dict[str, Found]]) -> str:
    """For people: pictures a second, of the engine alone and of FastAPI; processor time, of the engine alone."""
    head = (
        "way",
        "pictures/s",
        "of the engine alone",
        "times FastAPI",
        "processor ms a picture",
        "engine's share of it",
    )
    lines = [f"| {' | '.join(head)} |", "|---|---|---|---|---|---|"]
    for way in rounds[0]:
        base = f"{way.split(',')[0]}, alone"
        cells = [
            way,
            f"{statistics.median(one[way].a_second for one in rounds):.0f}",
            spread([one[way].a_second / one[base].a_second for one in rounds if base in one], "{:.0%}"),
            spread([one[way].a_second / one["FastAPI"].a_second for one in rounds if "FastAPI" in one], "{:.2f}"),
            f"{statistics.median(one[way].processor_ms for one in rounds):.2f}",
            spread([one[base].processor_ms / one[way].processor_ms for one in rounds if base in one], "{:.0%}"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(ratios: list[float], form: str) -> str:
    """The median, and from where to where."""
    if not ratios:
        return ""
    return f"{form.format(statistics.median(ratios))} ({form.format(min(ratios))} to {form.format(max(ratios))})"


if __name__ == "__main__":
    main()
