"""Ports under bad manners. In: raw bytes over sockets. Out: refusals, and a server that still answers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import socket
import statistics
import threading
import time
from typing import Any

import pytest

from tellapart.errors import PictureError, SettingsError
from tellapart.serving import listener
from tellapart.serving.bodies import Limits
from tellapart.serving.listener import open_socket
from tellapart.serving.opened import Version
from tellapart.serving.refusals import Stopping

from .conftest import Running, Start, png


def raw(server: Running, data: bytes, *, seconds: float = 10) -> bytes:
    """Send bytes and read until the server closes."""
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=seconds) as connection:
        connection.sendall(data)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


def alive(server: Running) -> bool:
    return server.get("/health/live").status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 400_000,
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 60_000,
        b"GET /" + b"x" * 400_000,
    ],
    ids=["one header", "many headers", "path"],
)
def test_a_head_without_end_is_cut_off(shared: Running, head: bytes) -> None:
    answer = raw(shared, head)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    assert alive(shared)


@pytest.mark.parametrize("before", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize(("length", "status"), [(65_000, 404), (66_000, 431), (130_000, 431)])
def test_a_head_has_64_kib_at_most(shared: Running, before: int, length: int, status: int) -> None:
    head = b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: " + b"x" * length + b"\r\n\r\n"
    answer = raw(shared, b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n" * before + head)
    # In the middle of another answer the connection is closed without a second one.
    assert f"HTTP/1.1 {status} ".encode() in answer or (before == 1 and status == 431)
    assert b"HTTP/1.1 404 " not in answer or status == 404


def test_a_long_body_is_no_long_head(shared: Running) -> None:
    head = b"POST /predict?model=single HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 150000\r\n\r\n"
    assert b"not a picture in a known format" in raw(shared, head + b"x" * 150_000)


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"GET / HT", "408 Request Timeout", "head did not arrive within"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 90_000 + b"\r\n\r\n", "431 Request Header Fields Too Large", "65,536 bytes"),
        (b"GARBAGE\r\n\r\n", "400 Bad Request", "are no HTTP/1.1 request"),
    ],
    ids=["late", "large", "garbage"],
)
def test_the_ports_own_refusals_are_json(
    shared: Running, data: bytes, status: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.2)
    head, _, body = raw(shared, data).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n".encode())
    assert f"content-length: {len(body)}".encode() in head
    assert words in json.loads(body)["error"]


@pytest.mark.parametrize("bytes_sent", [b"", b"GET / HT"], ids=["nothing", "half a head"])
def test_a_head_that_does_not_come_is_not_waited_for(
    shared: Running, bytes_sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.2)
    started = time.monotonic()
    answer = raw(shared, bytes_sent)
    assert time.monotonic() - started < 3
    assert answer == b"" if not bytes_sent else answer.startswith(b"HTTP/1.1 408 ")
    assert alive(shared)


def test_a_body_that_does_not_come_is_not_waited_for(start: Start) -> None:
    server = start(limits=Limits(body_seconds=0.3))
    head = b"POST /predict?model=single HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
    answer = raw(server, head + b"x" * 50)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not arrive within 0.3 s" in answer


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 1000]
)
def test_what_is_not_http_is_refused(shared: Running, data: bytes) -> None:
    assert b" 400 " in raw(shared, data).partition(b"\r\n")[0]
    assert alive(shared)


def test_requests_come_one_after_another_on_a_connection(shared: Running) -> None:
    head = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert raw(shared, head * 20 + last).count(b'{"status":"alive"}') == 21


def test_connections_that_are_dropped_leave_nothing_behind(shared: Running) -> None:
    for number in range(300):
        with socket.create_connection(("127.0.0.1", shared.http_port)) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"[: number % 60])
    assert alive(shared)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _under_way(shared) > 1:
        time.sleep(0.05)
    assert _under_way(shared) == 1  # the request that asks


def test_more_requests_than_allowed_are_told_to_come_again(start: Start) -> None:
    def slow(version: Version, data: bytes, target: int) -> bytes:
        time.sleep(0.5)
        return b""

    server = start(limits=Limits(requests=2), explain=slow)
    path, picture = "/predict?model=single&explain=1", png((1, 2, 3))
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: server.post(path, picture), range(6)))
    statuses = [reply.status for reply in replies]
    assert set(statuses) == {200, 429}
    refused = next(reply for reply in replies if reply.status == 429)
    assert refused.headers["retry-after"] == "1"
    assert "2 requests are under way, as many as this server takes" in refused.json["error"]


def test_a_full_queue_refuses_before_the_body_has_come(start: Start) -> None:
    server = start(threads=1, max_batch=1, queue=8)
    entered, gate = threading.Semaphore(0), threading.Event()

    class Held:
        def prepare(self, picture: Any) -> Any:
            entered.release()
            gate.wait(10)
            raise PictureError("held")

        run = prepare

    async def fill() -> None:
        one = asyncio.create_task(server.service.batcher.submit(Held(), [0], timeout=20))
        await asyncio.to_thread(entered.acquire)
        more = asyncio.create_task(server.service.batcher.submit(Held(), list(range(8)), timeout=20))
        while server.service.batcher.waiting < 8:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(ask)
        gate.set()
        await asyncio.gather(one, more)

    def ask() -> None:
        for path in ("/predict?model=single", "/v1/models/single:predict", "/v2/models/single/infer"):
            head = f"POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n\r\nx".encode()
            answer = raw(server, head)
            assert answer.startswith(b"HTTP/1.1 429 ")
            assert b"retry-after: " in answer.lower()
            assert b"8 pictures are waiting, and at most 8 may." in answer

    asyncio.run(fill())


def test_stopping_finishes_what_was_taken(start: Start) -> None:
    def slow(version: Version, data: bytes, target: int) -> bytes:
        time.sleep(0.6)
        return b"heat"

    server = start(explain=slow)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reply = pool.submit(server.post, "/predict?model=single&explain=1", png((1, 2, 3)))
        time.sleep(0.3)
        server.stop()
        assert reply.result().status == 200
    with pytest.raises(ConnectionRefusedError):
        server.get("/health/live")
    with pytest.raises(Stopping):  # its threads have ended
        asyncio.run(server.service.batcher.submit(server.repository.get("single"), [None], timeout=1))


def test_answers_do_not_wait_for_acknowledgements(shared: Running) -> None:
    # A client that does not acknowledge at once (TCP's delayed acknowledgement) waited 40 ms for every answer.
    times = []
    with socket.create_connection(("127.0.0.1", shared.http_port)) as connection:
        for _ in range(20):
            started = time.monotonic()
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = b""
            while not answer.endswith(b'{"status":"alive"}'):
                answer += connection.recv(65536)
            times.append(time.monotonic() - started)
    assert statistics.median(times) < 0.035


def test_a_port_that_is_taken_is_named(shared: Running) -> None:
    with pytest.raises(SettingsError, match=r"cannot listen on 127\.0\.0\.1:\d+: .* Choose another --host or --port"):
        open_socket("127.0.0.1", shared.http_port)


def _under_way(server: Running) -> float:
    text = server.get("/metrics").body.decode()
    value: Any = next(line for line in text.splitlines() if line.startswith("tellapart_requests_under_way "))
    return float(value.split()[1])
