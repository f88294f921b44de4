"""`tellapart serve` in processes of their own, for tests. In: models, options. Out: Process. Next: test_serve.py."""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .conftest import PATIENCE

PROGRAM = """
import json, pathlib, sys
from tellapart.workflows.serving.options import ServeOptions
from tellapart.workflows.serve import serve
if __name__ == "__main__":
    def ready(ports):
        print(f"ready {ports.http} {ports.grpc}", file=sys.stderr, flush=True)
    given = json.loads(sys.argv[1])
    if "corrections" in given:
        given["corrections"] = pathlib.Path(given["corrections"])
    serve(ServeOptions(**given), say=lambda text: print(text, file=sys.stderr, flush=True), ready=ready)
"""


@dataclass(slots=True)
class Process:
    """A server in a process."""

    process: subprocess.Popen[str]
    lines: queue.Queue[str] = field(default_factory=queue.Queue)
    seen: list[str] = field(default_factory=list)
    port: int = 0
    reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                self.lines.put(line.rstrip())
        self.lines.put("(no more: the process has ended)")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The next line of standard error that matches."""
        while True:
            line = self.lines.get(timeout=PATIENCE)
            self.seen.append(line)
            if match := re.search(pattern, line):
                return match
            assert not line.startswith("(no more"), self.seen

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request(method, path, body)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        kind = answer.getheader("content-type") or ""
        return answer.status, json.loads(data) if "json" in kind else data.decode()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


Launch = Callable[..., Process]


@contextlib.contextmanager
def launching(tmp_path: Path) -> Iterator[Launch]:
    """Starts servers, and ends those that are left."""
    file, running = tmp_path / "server.py", list[Process]()
    file.write_text(PROGRAM)

    def launch_one(*models: Path, **options: Any) -> Process:
        chosen = {
            "models": [str(one) for one in models],
            "port": 0,
            "grpc_port": 0,
            "poll": 0.1,
            "timeout": PATIENCE,
            **options,
        }
        started = subprocess.Popen(
            [sys.executable, str(file), json.dumps(chosen)], stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        one = Process(started)
        running.append(one)
        one.port = int(one.wait_for(r"^ready (\d+)")[1])
        return one

    yield launch_one
    for one in running:
        one.process.kill()
        one.process.wait()
        one.reader.join(PATIENCE)
