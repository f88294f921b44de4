"""A server of files in parts that misbehaves as told: for tests of shards elsewhere."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class Behaviour:
    """What the server does; `fault` is asked for each request, counted from 1, and may name a fault."""

    folder: Path
    fault: Callable[[int, str], str] = lambda number, path: ""
    parts: bool = True
    password: str = ""  # as the header has it
    query: str = ""
    asked: Counter[str] = field(default_factory=Counter)  # "PATH RANGE" -> how often bytes of it were given
    seen: list[str] = field(default_factory=list)  # the Authorization of each request
    lock: threading.Lock = field(default_factory=threading.Lock)
    requests: int = 0

    def denied(self, fault: str, password: str, query: str, file: Path) -> int:
        """The status that refuses a request; 0 for one that is answered."""
        if fault.isdecimal():
            return int(fault)
        if self.password and password != self.password:
            return 401
        if self.query and query != self.query:
            return 403
        return 0 if file.is_file() else 404


def handler(behaviour: Behaviour) -> type[BaseHTTPRequestHandler]:
    class Files(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with behaviour.lock:
                behaviour.requests += 1
                number = behaviour.requests
                behaviour.seen.append(self.headers.get("Authorization", ""))
            parts = urlsplit(self.path)
            fault = behaviour.fault(number, parts.path)
            file = behaviour.folder / parts.path.lstrip("/")
            if fault.startswith("http"):
                self.send_response(302)
                self.send_header("Location", fault)
                self.empty()
            elif status := behaviour.denied(fault, self.headers.get("Authorization", ""), parts.query, file):
                self.refuse(status)
            else:
                self.give(file, fault)

        def give(self, file: Path, fault: str) -> None:
            data = file.read_bytes()
            told = self.headers.get("Range", "")
            if not behaviour.parts or not told:
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                return
            first, last = (int(one) for one in told.removeprefix("bytes=").split("-"))
            last = min(last, len(data) - 1)
            self.send_response(206)
            self.send_header("ETag", '"' + hashlib.md5(data).hexdigest() + '"')
            shift = int(fault == "shift" and first != last)
            self.send_header("Content-Range", f"bytes {first + shift}-{last}/{len(data)}")
            self.send_header("Content-Length", str(last - first + 1))
            self.end_headers()
            if fault == "drop":
                self.wfile.write(data[first : first + (last - first) // 2])
                self.close_connection = True
                return
            self.wfile.write(data[first : last + 1])
            if shift:
                return
            with behaviour.lock:
                behaviour.asked[f"/{file.name} {first}-{last}"] += 1

        def refuse(self, status: int) -> None:
            self.send_response(status)
            if status in (429, 503):
                self.send_header("Retry-After", "0")
            self.empty()

        def empty(self) -> None:
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_request(self, *arguments: object) -> None:
            """Say nothing."""

    return Files


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """The server's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(behaviour))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
