"""Files from addresses. In: a server on this machine that misbehaves. Out: whole files, or why not; nothing half."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tellapart.errors import DataError
from tellapart.workflows import fetching
from tellapart.workflows.fetching import Remote, fetch

BODY = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Drops the connection as often as told, then serves; counts what it is asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.drops, self.ranges, self.status = BODY, 0, True, 0
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:  # http.server's name
        server = self.server
        asked = self.headers.get("Range", "")
        server.asked.append(asked)
        if server.status:
            self.send_error(server.status)
            return
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        body = server.body[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.drops:
            server.drops -= 1
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetching, "_PAUSE", 0.0)
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def remote(server: Server, **changes: Any) -> Remote:
    told = {
        "address": f"http://127.0.0.1:{server.server_address[1]}/a.bin",
        "size": len(BODY),
        "sha256": hashlib.sha256(BODY).hexdigest(),
    }
    return Remote(**{**told, **changes})


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    heard: list[int] = []
    for _ in range(2):
        found = fetch(remote(server), tmp_path / "new", heard.append)
        assert found.read_bytes() == BODY
    assert len(server.asked) == 1
    assert sum(heard) == 2 * len(BODY)
    assert [path.name for path in found.parent.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_connection_is_taken_up_again(server: Server, tmp_path: Path, ranges: bool) -> None:
    server.drops, server.ranges = 2, ranges
    assert fetch(remote(server), tmp_path).read_bytes() == BODY
    assert server.asked == [
        "",
        f"bytes={len(BODY) // 2}-",
        f"bytes={len(BODY) * 3 // 4 if ranges else len(BODY) // 2}-",
    ]


def test_the_next_call_goes_on(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(BODY[:1000])
    assert fetch(remote(server), tmp_path).read_bytes() == BODY
    assert server.asked == ["bytes=1000-"]


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_another_file_than_was_published(server: Server, tmp_path: Path, kind: str) -> None:
    server.body = BODY[:-1] + b"x"
    told = {"sha256": "", "md5": hashlib.md5(BODY).hexdigest()} if kind == "md5" else {}
    with pytest.raises(DataError, match="its checksum begins with"):
        fetch(remote(server, **told), tmp_path)
    assert not list(tmp_path.iterdir())
    server.body = BODY
    assert fetch(remote(server, **told), tmp_path).read_bytes() == BODY


def test_more_bytes_than_were_published(server: Server, tmp_path: Path) -> None:
    server.body = BODY + b"more" * 1_000_000
    with pytest.raises(DataError, match="sends more than"):
        fetch(remote(server), tmp_path)


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (503, 4)])
def test_a_server_that_has_it_not(server: Server, tmp_path: Path, status: int, tries: int) -> None:
    server.status = status
    with pytest.raises(DataError, match=r"cannot be fetched .*put the file at .*a\.bin"):
        fetch(remote(server), tmp_path)
    assert len(server.asked) == tries


def test_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_PAUSE", 0.0)
    nowhere = Remote(address="http://127.0.0.1:9/a.bin", size=1, sha256="0")
    with pytest.raises(DataError, match="Connect to the network"):
        fetch(nowhere, tmp_path)
