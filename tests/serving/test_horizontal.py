"""Several servers behind one address. In: servers, a balancer. Out: the same answers, and none lost when one goes."""

from __future__ import annotations

import contextlib
import csv
import http.client
import itertools
import json
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import PATIENCE
from .launched import Launch, Process, launching
from .test_plain import form

pytestmark = pytest.mark.slow
Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    with launching(tmp_path) as found:
        yield found


class Balancer:
    """Hands each connection to the next server that says it is ready, as a Service of Kubernetes or a proxy does."""

    def __init__(self, servers: list[Process]) -> None:
        self.servers, self.given = servers, Counter[int]()
        self._turn, self._lock = itertools.cycle(servers), threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                threading.Thread(target=self._hand_on, args=(self._listening.accept()[0],), daemon=True).start()

    def _hand_on(self, client: socket.socket) -> None:
        with self._lock:
            server = next(one for one in self._turn if is_ready(one))
            self.given[server.port] += 1
        with client, socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as behind:
            threading.Thread(target=copy, args=(client, behind), daemon=True).start()
            copy(behind, client)


def copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def is_ready(server: Process) -> bool:
    try:
        return server.ask("GET", "/health/ready")[0] == 200
    except OSError:
        return False


def post(port: int, path: str, body: bytes, kind: str = "image/png") -> tuple[int, bytes]:
    """A request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("POST", path, body, {"Content-Type": kind})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data


def test_two_servers_are_as_one(
    launch: Launch, until: Until, models: Path, pictures: list[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "corrections"
    servers = [launch(models, keep=1, grpc_port=None, corrections=str(folder)) for _ in range(2)]
    balancer = Balancer(servers)
    v1 = json.dumps({"instances": pixels_of_two_colours()}).encode()
    v2 = json.dumps(
        {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 1, 2, 3], "data": [9, 9, 9, 8, 8, 8]}]}
    )
    asked = [
        *(("/predict?model=colours", picture, "image/png") for picture in pictures),
        ("/v1/models/colours:predict", v1, "application/json"),
        ("/v2/models/colours/infer", v2.encode(), "application/json"),
    ]
    for path, body, kind in asked:
        answers = {post(balancer.port, path, body, kind) for _ in range(4)}
        assert len(answers) == 1, path  # to the byte
        assert next(iter(answers))[0] == 200
    assert set(balancer.given) == {one.port for one in servers}
    assert max(balancer.given.values()) - min(balancer.given.values()) <= 1

    # A new version: for a moment each server says its own; which it was is in the answer, and after that all say the same.
    shutil.copytree(models / "colours" / "1", models / ".3")
    (models / ".3").rename(models / "colours" / "3")
    seen: list[int] = []

    def ask() -> bool:
        status, data = post(balancer.port, "/predict?model=colours", pictures[0])
        assert status == 200
        seen.append(json.loads(data)["version"])
        return seen[-4:] == [3, 3, 3, 3]

    until(ask)
    assert set(seen) <= {2, 3}

    # Corrections that both take end in one table.
    for number in range(6):
        body, kind = correction(pictures[number % 2], "green" if number < 4 else "blue")
        status, data = post(balancer.port, "/corrections?model=colours", body, kind)
        assert status == 200, data
    with (folder / "colours" / "labels.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["label"] for row in rows] == ["blue", "blue"]
    balancer.close()


def test_a_server_that_is_stopped_leaves_first_and_loses_nothing(
    launch: Launch, until: Until, models: Path, pictures: list[bytes]
) -> None:
    servers = [launch(models / "single", grpc_port=None, linger=4.0) for _ in range(2)]
    balancer, stop = Balancer(servers), threading.Event()
    statuses: list[int] = []

    def ask() -> None:
        while not stop.is_set():
            statuses.append(post(balancer.port, "/predict", pictures[0])[0])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: len(balancer.given) == 2 and len(statuses) > 20)
    servers[0].process.terminate()
    until(lambda: servers[0].ask("GET", "/health/ready")[0] == 503)
    assert post(servers[0].port, "/predict", pictures[0])[0] == 200  # who has not noticed yet is answered all the same
    assert servers[0].process.wait(PATIENCE) == 0
    before, already = len(statuses), balancer.given[servers[0].port]
    until(lambda: len(statuses) > before + 20)  # the other one goes on alone
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    assert balancer.given[servers[0].port] == already
    with pytest.raises(ConnectionRefusedError):
        servers[0].ask("GET", "/health/ready")
    balancer.close()


def correction(picture: bytes, label: str) -> tuple[bytes, str]:
    """A form, and its Content-Type."""
    body, kind = form([("a.png", picture)])
    mark = kind.partition("boundary=")[2]
    return f'--{mark}\r\nContent-Disposition: form-data; name="label"\r\n\r\n{label}\r\n'.encode() + body, kind


def pixels_of_two_colours() -> list[object]:
    return [[[[255, 0, 0], [0, 0, 255]]]]
