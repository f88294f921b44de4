"""Shards in a real object store on loopback, moto's server, behind a gate that misbehaves.

Needs an environment with moto[server] and what the extra `remote` brings, whose folder is in TELLAPART_REMOTE:

    uv venv /tmp/remote && uv pip install --python /tmp/remote 'moto[s3,server]' s3fs
    TELLAPART_REMOTE=/tmp/remote pytest -m remote tests/sources/test_object_store.py
"""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.remote
EACH, SHARDS = 40, 3
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "SECRETKEY", "AWS_DEFAULT_REGION": "us-east-1"}
PUT = """
import pathlib, s3fs, sys
files = s3fs.S3FileSystem()
files.mkdir("pets")
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.tar")):
    files.put(str(path), f"pets/shards/{path.name}")
"""
# Ours, with the packages of the other environment behind its own.
CHECK = "import sys; sys.path.append(sys.argv.pop(1)); from tellapart.cli.main import run; run(sys.argv[1:])"


@pytest.fixture(scope="module")
def environment(lacks: Callable[[str], NoReturn]) -> Path:
    found = os.environ.get("TELLAPART_REMOTE")
    if not found:
        lacks("TELLAPART_REMOTE names no environment with moto[server] and s3fs")
    return Path(found or "")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    generator = np.random.default_rng(0)
    for number in range(SHARDS):
        with tarfile.open(folder / f"s-{number}.tar", "w") as archive:
            for index in range(EACH):
                stream = io.BytesIO()
                Image.fromarray(generator.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(stream, "PNG")
                for ending, data in (("png", stream.getvalue()), ("cls", b"cat" if index % 2 else b"dog")):
                    info = tarfile.TarInfo(f"{number}{index:03d}.{ending}")
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    return folder


@pytest.fixture(scope="module")
def moto(environment: Path, shards: Path, until: Callable[[Callable[[], object]], None]) -> Iterator[int]:
    """The port of a store that holds the shards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    server = subprocess.Popen(
        [environment / "bin" / "moto_server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def answers() -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/").close()
        except OSError:
            return False
        return True

    try:
        until(answers)
        own = os.environ | KEYS | {"FSSPEC_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        subprocess.run([environment / "bin" / "python", "-c", PUT, shards], env=own, check=True)
        yield port
    finally:
        server.terminate()
        server.wait()


def gate(port: int, fault: Callable[[int, str], str]) -> type[BaseHTTPRequestHandler]:
    """Hands requests on to the store; of those for shards' bytes every one may be refused or dropped."""
    numbers = iter(range(1, 10**9))
    lock = threading.Lock()

    class Gate(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with lock:
                what = fault(next(numbers), self.path) if self.command == "GET" and ".tar" in self.path else ""
            if what.isdecimal():
                self.send_response(int(what))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            store = http.client.HTTPConnection("127.0.0.1", port)
            store.request(self.command, self.path, body, dict(self.headers))
            answer = store.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                    self.send_header(name, value)
            length = answer.headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if what == "drop" else data)
            self.close_connection = what == "drop"
            store.close()

        do_GET = do_HEAD = do_PUT = do_POST = hand_on

        def log_request(self, *arguments: object) -> None:
            """Say nothing."""

    return Gate


def check(
    environment: Path, port: int, cache: Path, *arguments: str, keys: bool = True
) -> subprocess.CompletedProcess[str]:
    packages = next((environment / "lib").glob("python3*")) / "site-packages"
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS")} | (KEYS if keys else {})
    own |= {"FSSPEC_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}", "TELLAPART_CACHE": str(cache)}
    own |= {"AWS_EC2_METADATA_DISABLED": "true"}
    return subprocess.run(
        [sys.executable, "-c", CHECK, packages, "check", *arguments],
        env=own,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda number, path: "", id="sound"),
        pytest.param(lambda number, path: "503" if number % 2 else "", id="busy"),
        pytest.param(lambda number, path: "429" if number % 3 == 0 else "", id="throttled"),
        pytest.param(lambda number, path: "drop" if number % 2 else "", id="dropped"),
    ],
)
def test_every_picture_comes_once_however_the_store_behaves(
    environment: Path, moto: int, tmp_path: Path, fault: Callable[[int, str], str]
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), gate(moto, fault))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        done = check(environment, server.server_address[1], tmp_path, "s3://pets/shards", "--json")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["pictures"], record["unreadable"], record["exact_copies"]) == (EACH * SHARDS, [], [])
    assert "SECRETKEY" not in done.stdout + done.stderr


def test_a_key_that_is_gone_and_a_store_that_refuses_are_told(environment: Path, moto: int, tmp_path: Path) -> None:
    gone = check(environment, moto, tmp_path, "s3://pets/shards/s-{2..3}.tar")
    assert (gone.returncode, "cannot be read: no such file." in gone.stderr) == (2, True)
    refused = check(environment, moto, tmp_path, "s3://pets/shards", keys=False)
    assert (refused.returncode, "cannot be listed: the store refuses it: Unable to locate" in refused.stderr) == (
        2,
        True,
    )
