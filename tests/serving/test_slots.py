"""What one client cannot take from the others. In: many connections at once. Out: answers for everybody else."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import grpc
import pytest

from tellapart.reporting.phrases import table
from tellapart.serving import listener
from tellapart.serving.bodies import Limits
from tellapart.serving.budget import BODIES, Room
from tellapart.serving.refusals import Overloaded

from .conftest import Running, Start, png

KEY = "k" * 20
INFER = "/inference.GRPCInferenceService/ModelInfer"


@contextlib.contextmanager
def sent(server: Running, data: bytes, *, times: int = 1, connections: int = 1) -> Iterator[list[socket.socket]]:
    """Connections on which bytes were sent, as many as the server took, and nothing is read."""
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(connections):
            one = stack.enter_context(contextlib.closing(socket.socket()))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", server.http_port))
            one.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                for _ in range(times):
                    one.sendall(data)
            opened.append(one)
        time.sleep(0.3)
        yield opened


def until(there: Callable[[], bool], *, seconds: float = 5) -> bool:
    """Whether it comes in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if there():
            return True
        time.sleep(0.05)
    return False


def stalled(server: Running, *, connections: int) -> bool:
    """Whether so many requests wait for clients that do not read, and nothing moves any more."""
    metrics = server.service.metrics

    def answered() -> float:
        return sum(one.value for metric in metrics.requests.collect() for one in metric.samples if "_total" in one.name)

    def stands() -> bool:
        before = answered()
        time.sleep(0.3)
        return answered() == before and metrics.under_way._value.get() == connections

    return until(stands, seconds=15)


@pytest.mark.parametrize("path", ["/page/page.css", "/openapi.json"])
def test_answers_that_nobody_reads_take_no_slots(start: Start, path: str) -> None:
    words = {key: phrase for key, phrase in table().items() if key.startswith("page_")}
    server = start(limits=Limits(requests=2), keys=[KEY], words=words)
    key = KEY if path == "/openapi.json" else ""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n".encode() * 50
    with sent(server, request, times=200, connections=3):
        assert stalled(server, connections=3)
        assert server.get("/models", X_API_Key=KEY).status == 200


def test_a_client_that_does_not_read_is_let_go(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "WRITE_SECONDS", 1.5)
    server = start()
    under_way = server.service.metrics.under_way._value
    with sent(server, b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50, times=200):
        assert stalled(server, connections=1)
        assert until(lambda: under_way.get() == 0)


def test_a_client_that_reads_slowly_gets_everything(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "WRITE_SECONDS", 0.3)
    server = start(limits=Limits(requests=200))
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    whole = len(server.get("/openapi.json").body)
    count = 8_000_000 // whole
    with contextlib.closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(("127.0.0.1", server.http_port))
        client.settimeout(10)
        sender = threading.Thread(target=client.sendall, args=(request * count,))
        sender.start()
        received = 0
        started = time.monotonic()
        while received < count * whole:
            received += len(client.recv(200_000))
            if time.monotonic() - started < 1.5:
                time.sleep(0.01)
        sender.join()


def test_stopping_prints_no_traceback_of_a_client_that_does_not_read(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server = start(grace=1)
    with sent(server, b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50, times=200):
        assert stalled(server, connections=1)
        server.stop()
    assert [record for record in caplog.records if record.exc_info] == []


def test_stopping_refuses_a_request_that_outlasts_it(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    server = start(limits=Limits(body_seconds=60), grace=1)
    with sent(server, b"POST /predict?model=single HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx") as clients:
        server.stop()
        assert b"the server shuts down. Ask another." in clients[0].recv(65536)
    assert [record for record in caplog.records if record.exc_info] == []


def test_bodies_have_one_budget(start: Start) -> None:
    server = start(limits=Limits(body_bytes=100_000, requests=50, body_seconds=20))
    head = b"POST /predict?model=single HTTP/1.1\r\nHost: a\r\nContent-Length: 99000\r\n\r\n"
    with sent(server, head + b"x" * 98_000, connections=BODIES):
        assert server.post("/predict?model=single", png((1, 2, 3))).status == 200  # a small one still fits
        refused = server.post("/predict?model=single", b"x" * 90_000)
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert "at most 800,000 are held at a time. Come again later." in refused.json["error"]
    assert until(lambda: server.post("/predict?model=single", b"x" * 90_000).status == 400)
    assert server.post("/predict?model=single", b"x" * 700_000).status == 413


def test_a_place_gives_back_what_it_holds() -> None:
    room = Room(requests=2, body_bytes=10)
    one, two = room.enter(), room.enter()
    with pytest.raises(Overloaded, match="2 requests are under way"):
        room.enter()
    one.add(6)
    two.add(4)
    assert (room.taken, room.held) == (2, 10)
    one.add(5)  # too large: nothing of it is kept
    one.add(1000)
    assert room.held == 4
    for place in (one, one, two):
        place.leave()
    two.add(3)
    assert (room.taken, room.held) == (0, 0)


@pytest.mark.parametrize("keys", [[KEY], []], ids=["with keys", "open"])
def test_calls_without_a_message_take_no_slots_and_end(
    start: Start, keys: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    end = grpc.StatusCode.UNAUTHENTICATED if keys else grpc.StatusCode.DEADLINE_EXCEEDED
    server = start(limits=Limits(requests=2, body_seconds=1.5), keys=keys)
    with contextlib.ExitStack() as stack:
        ended, calls = threading.Event(), []

        def nothing() -> Iterator[bytes]:
            ended.wait(20)
            yield b""

        for _ in range(4):
            channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}"))
            calls.append(channel.stream_unary(INFER).future(nothing()))
        channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}"))
        time.sleep(0.3)
        started = time.monotonic()
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5)
        with pytest.raises(grpc.RpcError) as unknown:
            channel.unary_unary(INFER)(b"", timeout=5, metadata=[("x-api-key", KEY)])
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        assert time.monotonic() - started < 1
        codes = {call.code() for call in calls}
        assert time.monotonic() - started < 5
        assert codes == {end}
        counted = server.service.metrics.requests.labels("grpc", "ModelInfer", end.name)
        assert until(lambda: counted._value.get() == 4)
        assert [record for record in caplog.records if record.exc_info] == []
        ended.set()


def test_calls_at_work_are_limited_and_health_is_not(start: Start) -> None:
    entered, gate = threading.Semaphore(0), threading.Event()
    server = start(limits=Limits(requests=1), control=True)

    def held(name: str) -> None:
        entered.release()
        gate.wait(10)

    server.repository.load = held  # type: ignore[method-assign]
    load = "/inference.GRPCInferenceService/RepositoryModelLoad"
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        first = channel.unary_unary(load).future(b"", timeout=20)
        assert entered.acquire(timeout=5)
        with pytest.raises(grpc.RpcError) as refusal:
            channel.unary_unary(INFER)(b"", timeout=5)
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "1 requests are under way" in str(refusal.value.details())
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5)
        gate.set()
        first.result(timeout=10)


def test_a_call_that_ends_without_a_message_is_refused(shared: Running) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{shared.grpc_port}") as channel:
        with pytest.raises(grpc.RpcError) as refusal:
            channel.stream_unary(INFER)(iter(()), timeout=5)
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert refusal.value.details() == "ModelInfer was called without a message. Send one."


def test_where_the_queue_is_full_a_message_is_not_waited_for(start: Start) -> None:
    server, ended = start(), threading.Event()

    def full(count: int) -> None:
        raise Overloaded("128 pictures are waiting.", retry_after=3)

    def never() -> Iterator[bytes]:
        ended.wait(10)
        yield b""

    server.service.batcher.check_room = full  # type: ignore[method-assign]
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        with pytest.raises(grpc.RpcError) as refusal:
            channel.stream_unary(INFER)(never(), timeout=5)
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert dict(refusal.value.trailing_metadata())["retry-after"] == "3"
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5)
        ended.set()
