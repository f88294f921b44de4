"""The server's fixtures, for tests of its client. In: tests/serving/conftest.py. Out: the same, and a scripted server."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ..serving.conftest import (  # noqa: TID252 (the fixtures of another folder have no other name)
    deciding_bytes,
    explain,
    models,
    pictures,
    server,
    several_bytes,
    shared,
    shared_models,
    start,
)

__all__ = [
    "deciding_bytes",
    "explain",
    "models",
    "pictures",
    "server",
    "several_bytes",
    "shared",
    "shared_models",
    "start",
]

Script = Callable[..., "Scripted"]


@dataclass(slots=True, kw_only=True)
class Scripted:
    """A server that gives prepared answers, the last one for ever, and remembers what it was asked."""

    url: str
    answers: list[tuple[int, dict[str, str], bytes]]
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


@pytest.fixture
def script() -> Iterator[Script]:
    """Start a server that answers with (status, headers, body), one after the other."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def make(*answers: tuple[int, dict[str, str], bytes], port: int = 0) -> Scripted:
        scripted = Scripted(url="", answers=list(answers))

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                scripted.asked.append(self.path)
                scripted.headers.append({name.lower(): value for name, value in self.headers.items()})
                scripted.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                status, headers, body = scripted.answers.pop(0) if len(scripted.answers) > 1 else scripted.answers[0]
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *arguments: Any) -> None:
                pass

        one = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        servers.append(one)
        threading.Thread(target=one.serve_forever, args=(0.02,), daemon=True).start()
        scripted.url = f"http://127.0.0.1:{one.server_port}"
        return scripted

    yield make
    for one in servers:
        one.shutdown()
        one.server_close()
