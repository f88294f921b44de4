"""`tellapart serve` with texts beside the model alone. In: a model, texts. Out: figures. Next: serving_peers.py.

    python benchmarks/serving_texts.py MODEL.onnx TEXTS.txt             # a text a line; 2 minutes

Alone, texts become numbers and these run through the network, so many at a time, a thread a core, in a process of its own.
The server is asked for as many at a time (`--sizes`), by each protocol; alone and served take turns, round after round. Told
are texts a second, and microseconds of the server's own processor time a text, which hardly hang on what else the machine
does, each with its share of what the model alone reaches, asked for as many texts at a time: medians of the rounds. The one
who asks shares the cores (`asking`, in cores), so that on few cores the texts a second are less than the server could.
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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from answer_cost import await_ready, seconds_of
from serving import generate
from serving_peers import tellapart

from tellapart.answers.table import ANSWERINGS
from tellapart.bundle import open_model
from tellapart.runtime import cores
from tellapart.texts.inputs import TextInputs, as_input

REQUESTS = 40  # different ones, which are asked over and over
SIZES = "1000,128,8,1"


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="model.onnx")
    parser.add_argument("texts", type=Path, help="a text a line; what is behind a tab is left out")
    parser.add_argument("--seconds", type=float, default=2.5, help="for each figure (default: 2.5)")
    parser.add_argument("--rounds", type=int, default=3, help="all of it so many times (default: 3)")
    parser.add_argument("--clients", type=int, default=4, help="who ask at a time (default: 4)")
    parser.add_argument("--workers", type=int, default=1, help="processes of the server (default: 1)")
    parser.add_argument("--sizes", default=SIZES, help=f"texts at a time (default: {SIZES})")
    parser.add_argument("--encoding", default="utf-8", help="of the texts (default: utf-8)")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sizes = list(map(int, given.sizes.split(",")))
    lines = given.texts.read_text(encoding=given.encoding).split("\n")
    texts = [line.rpartition("\t")[0] or line for line in lines if line.strip()]
    if given.alone:
        print(json.dumps(run_alone(given.model, texts, given.alone, given.seconds)))
        return
    rounds = [measure(given, texts, sizes) for _ in range(given.rounds)]
    show(rounds, sizes)


def measure(given: argparse.Namespace, texts: Sequence[str], sizes: Sequence[int]) -> dict[str, dict[str, float]]:
    """One round: alone, then every way to ask."""
    found = {}
    for size in sizes:
        further = ["--alone", str(size), "--seconds", str(given.seconds), "--encoding", given.encoding]
        command = [sys.executable, __file__, str(given.model), str(given.texts), *further]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[f"alone, {size}"] = json.loads(told)
    options = ("--workers", str(given.workers)) if given.workers > 1 else ()
    server = tellapart(given.model, options=options)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(server.command, env={**os.environ, **server.environment}, **quiet) as process,
    ):
        try:
            await_ready(server.port)
            for way, plan in ways(server.ways, texts, sizes, Path(folder)).items():
                found[way] = ask(plan, process.pid, given)
        finally:
            process.terminate()
    return found


def ways(
    ports: dict[str, dict[str, Any]], texts: Sequence[str], sizes: Sequence[int], folder: Path
) -> dict[str, dict[str, Any]]:
    """How to ask, by name: a plan for serving_load.py, whose files are the requests' bodies."""
    http, grpc = ports["REST"]["port"], ports["v2 gRPC"]["port"]
    found: dict[str, dict[str, Any]] = {}
    for size in sizes:
        parts = [texts[start : start + size] for start in range(0, size * REQUESTS, size)]
        parts = [list(part) for part in parts if len(part) == size]
        plain = [json.dumps({"text": part}).encode() for part in parts]
        served = [json.dumps({"instances": part}).encode() for part in parts]
        tensors = [{"name": "text", "datatype": "BYTES", "shape": [size], "data": part} for part in parts]
        v2 = [json.dumps({"inputs": [tensor]}).encode() for tensor in tensors]
        for name, path, bodies in (
            ("/predict", "/predict", plain),
            ("TF Serving", "/v1/models/m:predict", served),
            ("v2", "/v2/models/m/infer", v2),
        ):
            plan = {"port": http, "path": path, "encoding": "json", "files": _written(folder, f"{name}{size}", bodies)}
            found[f"{name}, {size}"] = {**plan, "texts": size}
        built = [_grpc(part) for part in parts]
        plan = {"port": grpc, "encoding": "built", "files": _written(folder, f"grpc{size}", built)}
        found[f"v2 gRPC, {size}"] = {**plan, "texts": size}
    return found


def _written(folder: Path, name: str, bodies: Sequence[bytes]) -> list[str]:
    paths = [folder / f"{name.strip('/')}-{number}" for number in range(len(bodies))]
    for path, body in zip(paths, bodies, strict=True):
        path.write_bytes(body)
    return list(map(str, paths))


def _grpc(texts: Sequence[str]) -> bytes:
    from tellapart.serving import protobuf

    request = protobuf.read_service("open_inference.proto", "GRPCInferenceService").methods["ModelInfer"][0]
    contents = {"bytes_contents": [text.encode() for text in texts]}
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "contents": contents}
    built: bytes = request(model_name="m", inputs=[tensor], outputs=[{"name": "probabilities"}]).SerializeToString()
    return built


def ask(plan: dict[str, Any], process: int, given: argparse.Namespace) -> dict[str, float]:
    """Texts a second, and the server's processor time a text."""
    plan = {**plan, "clients": given.clients, "seconds": given.seconds}
    generate({**plan, "seconds": 0.3, "warm_up": 0.2})
    before = _seconds_of_all(process)
    told = generate({**plan, "warm_up": 0})
    spent, answered = _seconds_of_all(process) - before, told["outcomes"].get("ok", 0) * plan["texts"]
    if not answered:
        sys.exit(f"no request was answered: {told}")
    return {
        "texts_a_second": answered / given.seconds,
        "microseconds": 1e6 * spent / answered,
        "p50_ms": told["ok_p50_ms"],
        "p99_ms": told["ok_p99_ms"],
        "generator_cores": told["generator_cores"],
    }


def _seconds_of_all(process: int) -> float:
    """Of a process and those that it started."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return seconds_of(process) + sum(map(seconds_of, map(int, children)))


def run_alone(path: Path, texts: Sequence[str], size: int, seconds: float) -> dict[str, float]:
    """Texts a second of the model alone, `size` at a time, with a thread a core, and its processor time a text."""
    model = open_model(path)
    inputs = model.inputs
    assert isinstance(inputs, TextInputs)
    batches = [texts[start : start + size] for start in range(0, len(texts) - size + 1, size)]
    outputs = ANSWERINGS[model.manifest.task].outputs

    def one(thread: int, end: float) -> int:
        done = 0
        while time.perf_counter() < end:
            batch = batches[thread % len(batches)]
            model.compute(as_input(batch, inputs), outputs)
            done, thread = done + len(batch), thread + 1
        return done

    one(0, time.perf_counter() + 0.3)
    begun, end = time.process_time(), time.perf_counter() + seconds
    with ThreadPoolExecutor(cores()) as pool:
        done = sum(pool.map(lambda thread: one(thread * len(batches) // cores(), end), range(cores())))
    return {"texts_a_second": done / seconds, "microseconds": 1e6 * (time.process_time() - begun) / done}


def show(rounds: Sequence[dict[str, dict[str, float]]], sizes: Sequence[int]) -> None:
    """The medians as a table, with their shares of the model alone."""
    names = sorted(rounds[0], key=lambda name: sizes.index(int(name.rpartition(", ")[2])))
    print(
        f"{'':<18}{'texts/s':>10}{'of alone':>10}{'us/text':>10}{'of alone':>10}{'p50 ms':>9}{'p99 ms':>9}{'asking':>8}"
    )
    for name in names:
        middle = {key: statistics.median(one[name][key] for one in rounds) for key in rounds[0][name]}
        rate, cost = middle["texts_a_second"], middle["microseconds"]
        same = [one[f"alone, {name.rpartition(', ')[2]}"] for one in rounds]
        alone = {key: statistics.median(one[key] for one in same) for key in ("texts_a_second", "microseconds")}
        row = f"{name:<18}{rate:>10,.0f}{rate / alone['texts_a_second']:>10.0%}{cost:>10.1f}{alone['microseconds'] / cost:>10.0%}"
        more = (middle.get(key) for key in ("p50_ms", "p99_ms", "generator_cores"))
        print(row + "".join(f"{one:>9.2f}" for one in more if one is not None), flush=True)


if __name__ == "__main__":
    main()
