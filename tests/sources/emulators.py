"""Object stores on loopback, for tests: moto's server (S3), gcp-storage-emulator (Google), Azurite (Azure).

All lie in one environment, whose folder is in TELLAPART_REMOTE:

    uv venv /tmp/remote
    uv pip install --python /tmp/remote 'moto[s3,server]' s3fs gcp-storage-emulator gcsfs adlfs
    npm install --prefix /tmp/remote azurite

A `gate` in front of one refuses or cuts off what is read of shards. A store that is not installed is skipped.
"""

from __future__ import annotations

import base64
import http.client
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SECRET = base64.b64encode(b"SECRETKEY" * 8).decode()  # of a form that Azure takes, too
BUCKET = "pets"
_OURS = (
    "AWS",
    "AZURE",
    "FSSPEC",
    "GOOGLE",
    "STORAGE_EMULATOR",
)  # how variables begin that would name the machine's own stores
PUT = f"""
import fsspec, pathlib, sys
files = fsspec.filesystem(sys.argv[1])
files.mkdir("{BUCKET}")
for path in sorted(pathlib.Path(sys.argv[2]).glob("*.tar")):
    files.put(str(path), f"{BUCKET}/shards/{{path.name}}")
"""
# Ours, with the packages of the other environment behind its own.
RUN = "import sys; sys.path.append(sys.argv.pop(1)); from tellapart.cli.main import run; run(sys.argv[1:])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A store that can be started."""

    scheme: str
    program: str  # in the environment
    options: Callable[[int], list[str]]  # for a port
    settings: Callable[[int], Mapping[str, str]]  # variables by which its clients find it
    own: Mapping[str, str]  # variables of the store itself
    keys: tuple[str, ...]  # the settings that are secret; none: it lets everybody in


def _azure(port: int) -> dict[str, str]:
    place = f"BlobEndpoint=http://127.0.0.1:{port}/{BUCKET};"
    return {
        "AZURE_STORAGE_CONNECTION_STRING": f"DefaultEndpointsProtocol=http;AccountName={BUCKET};AccountKey={SECRET};{place}"
    }


EMULATORS: Mapping[str, Emulator] = {
    "s3": Emulator(
        scheme="s3",
        program="bin/moto_server",
        options=lambda port: ["-p", str(port)],
        settings=lambda port: {
            "FSSPEC_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        own={},
        keys=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ),
    "gs": Emulator(
        scheme="gs",
        program="bin/gcp-storage-emulator",
        options=lambda port: ["start", "--port", str(port), "--quiet", "--in-memory"],
        settings=lambda port: {
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
            "FSSPEC_GS_TOKEN": "anon",
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # for what puts the shards there; `tellapart` says so by itself
        },
        own={},
        keys=(),
    ),
    "az": Emulator(
        scheme="az",
        program="node_modules/.bin/azurite-blob",
        options=lambda port: [
            *(
                "--blobPort",
                str(port),
                "--inMemoryPersistence",
                "--silent",
                "--skipApiVersionCheck",
                "--disableTelemetry",
            )
        ],
        settings=_azure,
        own={"AZURITE_ACCOUNTS": f"{BUCKET}:{SECRET}"},
        keys=("AZURE_STORAGE_CONNECTION_STRING",),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A store that runs and holds the shards."""

    emulator: Emulator
    environment: Path
    port: int

    def run(
        self, *arguments: str, port: int, cache: Path, keys: bool = True, **further: str
    ) -> subprocess.CompletedProcess[str]:
        """`tellapart` with the store, or a gate before it, at a port."""
        settings = dict(self.emulator.settings(port))
        settings.pop("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", None)
        given = {name: value for name, value in settings.items() if keys or name not in self.emulator.keys}
        packages = next((self.environment / "lib").glob("python3*")) / "site-packages"
        return subprocess.run(
            [sys.executable, "-c", RUN, packages, *arguments],
            env=_without_stores() | given | {"TELLAPART_CACHE": str(cache)} | further,
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def started(
    emulator: Emulator, environment: Path, shards: Path, until: Callable[[Callable[[], object]], None]
) -> Iterator[Started]:
    """The store, with the shards in it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    server = subprocess.Popen(
        [environment / emulator.program, *emulator.options(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | emulator.own,
    )
    try:
        until(lambda: _listens(port))
        own = _without_stores() | dict(emulator.settings(port))
        subprocess.run([environment / "bin" / "python", "-c", PUT, emulator.scheme, shards], env=own, check=True)
        yield Started(emulator=emulator, environment=environment, port=port)
    finally:
        server.terminate()
        server.wait()


def _without_stores() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


Fault = Callable[[int, str], str]  # of a request, counted from 1, and its path: "", a status, or "drop"


@contextmanager
def gate(port: int, fault: Fault) -> Iterator[int]:
    """The port of what hands requests on to a store; of those that read a shard every one may be refused or cut off."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(port, fault))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(port: int, fault: Fault) -> type[BaseHTTPRequestHandler]:
    numbers, lock = iter(range(1, 10**9)), threading.Lock()

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
