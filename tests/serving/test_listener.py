"""Ports under bad manners. In: raw bytes over sockets. Out: refusals, and a server that still answers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tellapart.errors import SettingsError
from tellapart.serving import listener
from tellapart.serving.bodies import Limits
from tellapart.serving.listener import open_socket
from tellapart.serving.opened import Version
from tellapart.serving.refusals import Stopping
from tellapart.serving.service import ToExplain

from .conftest import PATIENCE, Running, Start, full_queue, png

Until = Callable[[Callable[[], object]], None]
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"


def raw(server: Running, data: bytes) -> bytes:
    """Send bytes and read until the server closes."""
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=PATIENCE) as connection:
        with contextlib.suppress(ConnectionError):  # it may close before it has read all
            connection.sendall(data)
        return rest(connection)


def rest(connection: socket.socket) -> bytes:
    """What still comes until the server closes."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            answer += part
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
    answer = raw(shared, LIVE * before + head)
    # In the middle of another answer the connection is closed without a second one.
    assert f"HTTP/1.1 {status} ".encode() in answer or (before == 1 and status == 431)
    assert b"HTTP/1.1 404 " not in answer or status == 404


def test_a_long_body_is_no_long_head(shared: Running) -> None:
    head = b"POST /predict?model=single HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 150000\r\n\r\n"
    assert b"not a picture in a known format" in raw(shared, head + b"x" * 150_000)


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 90_000 + b"\r\n\r\n", "431 Request Header Fields Too Large", "65,536 bytes"),
        (b"GARBAGE\r\n\r\n", "400 Bad Request", "are no HTTP/1.1 request"),
    ],
    ids=["large", "garbage"],
)
def test_the_ports_own_refusals_are_json(shared: Running, data: bytes, status: str, words: str) -> None:
    assert_refusal(raw(shared, data), status, words)


def assert_refusal(answer: bytes, status: str, words: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n".encode())
    assert f"content-length: {len(body)}".encode() in head
    assert words in json.loads(body)["error"]


@pytest.mark.parametrize("bytes_sent", [b"", b"GET / HT"], ids=["nothing", "half a head"])
def test_a_head_that_does_not_come_is_not_waited_for(
    shared: Running, bytes_sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(listener, "HEAD_SECONDS", 0.2)
        answer = raw(shared, bytes_sent)
    # Nothing is said to who has said nothing; half a head may come too late to be seen.
    assert answer == b"" or (bytes_sent and answer.startswith(b"HTTP/1.1 408 "))
    assert alive(shared)


def test_half_a_head_behind_another_request_is_told_that_it_is_late(
    shared: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_connection(("127.0.0.1", shared.http_port), timeout=PATIENCE) as connection:
        connection.sendall(LIVE)
        answer = b""
        while not answer.endswith(b'{"status":"alive"}'):
            answer += connection.recv(65536)
        # The clock of this head begins with its first byte, so that the server has seen it when it is late.
        monkeypatch.setattr(listener, "HEAD_SECONDS", 0.2)
        connection.sendall(b"GET / HT")
        assert_refusal(rest(connection), "408 Request Timeout", "head did not arrive within")


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
    last = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert raw(shared, LIVE * 20 + last).count(b'{"status":"alive"}') == 21


def test_connections_that_are_dropped_leave_nothing_behind(shared: Running, until: Until) -> None:
    for number in range(300):
        with socket.create_connection(("127.0.0.1", shared.http_port)) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"[: number % 60])
    assert alive(shared)
    until(lambda: _under_way(shared) == 1)  # the request that asks


def test_more_requests_than_allowed_are_told_to_come_again(start: Start, until: Until) -> None:
    gate = threading.Event()

    def held(version: Version, data: bytes, shown: ToExplain) -> bytes:
        gate.wait(PATIENCE)
        return b""

    server = start(limits=Limits(requests=2), explain=held)
    path, picture = "/predict?model=single&explain=1", png((1, 2, 3))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        taken = [pool.submit(server.post, path, picture) for _ in range(2)]
        until(lambda: server.service.metrics.under_way._value.get() == 2)
        refused = server.post(path, picture)
        gate.set()
        assert [reply.result().status for reply in taken] == [200, 200]
    assert refused.status == 429
    assert refused.headers["retry-after"] == "1"
    assert "2 requests are under way, as many as this server takes" in refused.json["error"]


def test_a_full_queue_refuses_before_the_body_has_come(start: Start) -> None:
    server = start(threads=1, max_batch=1, queue=8)
    with full_queue(server):
        for path in ("/predict?model=single", "/v1/models/single:predict", "/v2/models/single/infer"):
            head = f"POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n\r\nx".encode()
            answer = raw(server, head)
            assert answer.startswith(b"HTTP/1.1 429 ")
            assert b"retry-after: " in answer.lower()
            assert b"8 pictures are waiting, and at most 8 may." in answer


def test_stopping_finishes_what_was_taken(start: Start, until: Until) -> None:
    begun, gate = threading.Event(), threading.Event()

    def held(version: Version, data: bytes, shown: ToExplain) -> bytes:
        begun.set()
        gate.wait(PATIENCE)
        return b"heat"

    def refused() -> bool:
        try:
            socket.create_connection(("127.0.0.1", server.http_port)).close()
        except ConnectionRefusedError:
            return True
        return False

    server = start(explain=held)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        reply = pool.submit(server.post, "/predict?model=single&explain=1", png((1, 2, 3)))
        assert begun.wait(PATIENCE)
        stopped = pool.submit(server.stop)
        until(refused)
        assert not stopped.done()
        gate.set()
        assert reply.result().status == 200
        stopped.result()
    with pytest.raises(Stopping):  # its threads have ended
        asyncio.run(server.service.batcher.submit(server.repository.get("single"), [None], timeout=1))


def test_answers_do_not_wait_for_acknowledgements() -> None:
    # With Nagle's algorithm on, every answer waits 40 ms for a client that does not acknowledge at once.
    async def main() -> int:
        without_nagle: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            option = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            without_nagle.set_result(option)
            writer.close()

        async with await asyncio.start_server(accepted, sock=open_socket("127.0.0.1", 0)) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            option = await without_nagle
            writer.close()
        return option

    assert asyncio.run(main()) != 0


def test_a_port_that_is_taken_is_named(shared: Running) -> None:
    with pytest.raises(SettingsError, match=r"cannot listen on 127\.0\.0\.1:\d+: .* Choose another --host or --port"):
        open_socket("127.0.0.1", shared.http_port)


def _under_way(server: Running) -> float:
    text = server.get("/metrics").body.decode()
    value: Any = next(line for line in text.splitlines() if line.startswith("tellapart_requests_under_way "))
    return float(value.split()[1])


class Sent:
    """A transport that keeps what was sent, call by call."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_an_answers_head_goes_out_with_its_body_in_one_call() -> None:
    async def main() -> Sent:
        sent = Sent()
        joined = listener._WholeAnswers(sent, asyncio.get_running_loop())
        joined.write(b"HTTP/1.1 200 OK\r\n\r\n")
        assert sent.calls == []
        joined.write(b"body")
        joined.write(b"more")
        assert sent.calls == [b"HTTP/1.1 200 OK\r\n\r\nbody", b"more"]
        joined.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await asyncio.sleep(0)
        assert sent.calls[2:] == [b"HTTP/1.1 204 No Content\r\n\r\n"]
        joined.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        joined.close()
        assert joined.is_closing()
        await asyncio.sleep(0)
        return sent

    sent = asyncio.run(main())
    assert sent.calls[3:] == [b"HTTP/1.1 400 Bad Request\r\n\r\n"]
    assert sent.closed


def test_a_head_without_a_body_is_answered(shared: Running) -> None:
    answer = raw(shared, b"HEAD /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\n")
