"""What an answer over HTTP costs the processor beside ONNX Runtime alone. In: pictures, a model. Out: milliseconds, a ratio.

Processor time, not time on the clock: it hardly depends on what else the machine does. The server's own process is read while one
client sends one picture after the other; alone, the same files are decoded, prepared and run in a process with one thread, in turn
with the server, round after round. The ratio is of the medians.

    python benchmarks/answer_cost.py PICTURES runs/latest/model.onnx
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from serving_peers import tellapart

from tellapart.answers.table import ANSWERINGS
from tellapart.bundle import Model, open_model

READY_SECONDS = 180
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", type=Path, help="a folder; its JPEG files are sent")
    parser.add_argument("model", type=Path, help="model.onnx")
    parser.add_argument("--files", type=int, default=50, help="at most so many pictures (default: 50)")
    parser.add_argument("--rounds", type=int, default=5, help="all of them so many times (default: 5)")
    arguments = parser.parse_args()
    files = [path.read_bytes() for path in sorted(arguments.pictures.rglob("*.jpg"))[: arguments.files]]
    if not files:
        parser.error(f"{arguments.pictures} holds no .jpg file")
    model, server = open_model(arguments.model), tellapart(arguments.model)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}  # the log has a line for each request
    with subprocess.Popen(server.command, env={**os.environ, **server.environment}, **quiet) as process:
        try:
            await_ready(server.port)
            _ask(server.port, files)  # warm
            _run(model, files)
            rounds = [(_served(process.pid, server.port, files), _run(model, files)) for _ in range(arguments.rounds)]
        finally:
            process.terminate()
    served, alone = (1000 * statistics.median(part) / len(files) for part in zip(*rounds, strict=True))
    told = {"served_ms": round(served, 2), "alone_ms": round(alone, 2), "ratio": round(served / alone, 3)}
    print(json.dumps({"task": model.manifest.task, "size": model.preprocessing.size, "files": len(files), **told}))


def await_ready(port: int) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    sys.exit("the server did not start")


def _served(process: int, port: int, files: Sequence[bytes]) -> float:
    """Seconds of the processor that the server takes for all files."""
    before = seconds_of(process)
    _ask(port, files)
    return seconds_of(process) - before


def seconds_of(process: int) -> float:
    """All its threads', since it began. Source: proc_pid_stat(5), fields 14 and 15."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _ask(port: int, files: Sequence[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for data in files:
        connection.request("POST", "/predict", data, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            sys.exit(body.decode())
    connection.close()


def _run(model: Model, files: Sequence[bytes]) -> float:
    """Seconds of the processor that decoding, preparing and running take for all files, one at a time."""
    answering = ANSWERINGS[model.manifest.task]
    begun = time.process_time()
    for data in files:
        image, _ = answering.prepare(data, model.preprocessing)
        model.compute(np.asarray(image)[None], answering.outputs)
    return time.process_time() - begun


if __name__ == "__main__":
    main()
