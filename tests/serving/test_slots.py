"""What one client cannot take from the others. In: many connections at once. Out: answers for everybody else."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import uvicorn
from starlette.applications import Starlette
from uvicorn.server import ServerState

from tellapart.reporting.phrases import table
from tellapart.serving import listener
from tellapart.serving.bodies import Limits
from tellapart.serving.budget import BODIES, Room
from tellapart.serving.refusals import Overloaded

from .conftest import PATIENCE, Reply, Running, Start, png

KEY = "k" * 20
INFER = "/inference.GRPCInferenceService/ModelInfer"


Until = Callable[[Callable[[], object]], None]
OPENAPI = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(slots=True)
class Client:
    """Sends in a thread, as fast as the server takes it, and reads nothing of itself."""

    connection: socket.socket
    data: bytes
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._send)
        self.thread.start()

    def _send(self) -> None:
        with contextlib.suppress(ConnectionError):
            self.connection.sendall(self.data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.connection.close()


@contextlib.contextmanager
def sending(server: Running, data: bytes, *, connections: int = 1) -> Iterator[list[Client]]:
    """Clients that send."""
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(connections):
            one = socket.socket()
            one.settimeout(PATIENCE)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", server.http_port))
            clients.append(stack.enter_context(contextlib.closing(Client(one, data))))
        yield clients


def answered(server: Running) -> float:
    counted = server.service.metrics.requests.collect()
    return sum(one.value for metric in counted for one in metric.samples if "_total" in one.name)


def stalled(server: Running, *, connections: int) -> bool:
    """Whether so many requests wait for clients that do not read, and nothing moves any more."""
    # The server looks at all connections between two requests on one of them, so what can move does.
    before, asked = answered(server), 20
    for _ in range(asked):
        assert server.get("/health/live").status == 200
    nothing = answered(server) == before + asked
    return nothing and server.service.metrics.under_way._value.get() == connections


@pytest.mark.parametrize("path", ["/page/page.css", pytest.param("/openapi.json", marks=pytest.mark.long)])
def test_answers_that_nobody_reads_take_no_slots(start: Start, until: Until, path: str) -> None:
    words = {key: phrase for key, phrase in table().items() if key.startswith("page_")}
    server = start(limits=Limits(requests=2), keys=[KEY], words=words)
    key = KEY if path == "/openapi.json" else ""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n".encode() * 10_000
    with sending(server, request, connections=3):
        until(lambda: stalled(server, connections=3))
        assert server.get("/models", X_API_Key=KEY).status == 200


def test_a_client_that_does_not_read_is_let_go(start: Start, until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "WRITE_SECONDS", 0.5)
    server = start()
    with sending(server, OPENAPI * 10_000):
        until(lambda: answered(server) > 0)
        until(lambda: stalled(server, connections=0))  # nothing is under way, though it still sends


class Connection:
    """A connection and its loop: of what waits for the client, as much is left as it is told; timers run when asked."""

    def __init__(self) -> None:
        self.waiting, self.aborted = 0, False
        self.timers: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []

    def call_later(self, seconds: float, run: Callable[..., None], *values: Any) -> Any:
        entry = (seconds, run, values)
        self.timers.append(entry)
        return SimpleNamespace(cancel=lambda: self.timers.remove(entry))

    def run_timer(self) -> float:
        """Run the newest one; its seconds."""
        seconds, run, values = self.timers.pop()
        run(*values)
        return seconds

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == 0  # so that the protocol is told of every byte that waits

    def get_extra_info(self, name: str) -> None:
        return None

    def abort(self) -> None:
        self.aborted = True


def waiting(connection: Any) -> listener.BoundedProtocol:
    """The server's side of it, with a million bytes for the client to read."""
    config = uvicorn.Config(Starlette(), log_config=None)
    protocol = listener.BoundedProtocol(config, ServerState(), {}, connection)
    protocol.connection_made(connection)
    connection.waiting = 1_000_000
    protocol.pause_writing()
    return protocol


def test_a_client_that_reads_slowly_is_kept_as_long_as_it_reads() -> None:
    connection = Connection()
    protocol = waiting(connection)
    for _ in range(10):
        connection.waiting -= 16 * 1024
        assert connection.run_timer() == 30.0
        assert not connection.aborted
    connection.waiting = 5
    protocol.resume_writing()
    assert len(connection.timers) == 1  # that of the head
    protocol.pause_writing()
    connection.run_timer()
    assert connection.aborted


def test_a_client_that_has_read_too_little_is_let_go() -> None:
    connection = Connection()
    waiting(connection)
    connection.waiting -= 16 * 1024 - 1
    connection.run_timer()
    assert connection.aborted


def test_stopping_prints_no_traceback_of_a_client_that_does_not_read(
    start: Start, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    server = start(grace=1)
    with sending(server, OPENAPI * 10_000):
        until(lambda: stalled(server, connections=1))
        server.stop()
    assert [record for record in caplog.records if record.exc_info] == []


def test_stopping_refuses_a_request_that_outlasts_it(
    start: Start, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    server = start(limits=Limits(body_seconds=PATIENCE), grace=1)
    with sending(server, b"POST /predict?model=single HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx") as (client,):
        until(lambda: server.service.metrics.under_way._value.get() == 1)
        server.stop()
        assert b"the server shuts down. Ask another." in client.connection.recv(65536)
    assert [record for record in caplog.records if record.exc_info] == []


def test_bodies_have_one_budget(start: Start, until: Until) -> None:
    server = start(limits=Limits(body_bytes=100_000, requests=50, body_seconds=PATIENCE))
    head = b"POST /predict?model=single HTTP/1.1\r\nHost: a\r\nContent-Length: 99000\r\n\r\n"

    def ask(length: int) -> Reply:
        return server.post("/predict?model=single", b"x" * length)

    with sending(server, head + b"x" * 98_000, connections=BODIES):
        # Before the others have come nothing else asks: of nine bodies one of theirs might be the one that is refused.
        until(lambda: stalled(server, connections=BODIES))
        until(lambda: ask(20_000).status == 429)
        assert server.post("/predict?model=single", png((1, 2, 3))).status == 200  # a small one still fits
        refused = ask(90_000)
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert "at most 800,000 are held at a time. Come again later." in refused.json["error"]
    until(lambda: ask(90_000).status == 400)
    assert ask(700_000).status == 413


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
    start: Start, until: Until, keys: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    end = grpc.StatusCode.UNAUTHENTICATED if keys else grpc.StatusCode.DEADLINE_EXCEEDED
    server = start(limits=Limits(requests=2, body_seconds=1.5), keys=keys)
    with contextlib.ExitStack() as stack:
        ended, calls = threading.Event(), []

        def nothing() -> Iterator[bytes]:
            ended.wait(PATIENCE)
            yield b""

        for _ in range(4):
            channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}"))
            calls.append(channel.stream_unary(INFER).future(nothing()))
        channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}"))
        under_way = server.service.metrics.under_way._value
        counted = server.service.metrics.requests.labels("grpc", "ModelInfer", end.name)._value
        until(lambda: under_way.get() + counted.get() == 4)
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=PATIENCE)
        with pytest.raises(grpc.RpcError) as unknown:
            channel.unary_unary(INFER)(b"", timeout=PATIENCE, metadata=[("x-api-key", KEY)])
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        assert {call.code() for call in calls} == {end}
        until(lambda: counted.get() == 4)
        assert [record for record in caplog.records if record.exc_info] == []
        ended.set()


def test_calls_at_work_are_limited_and_health_is_not(start: Start) -> None:
    entered, gate = threading.Semaphore(0), threading.Event()
    server = start(limits=Limits(requests=1), control=True)

    def held(name: str) -> None:
        entered.release()
        gate.wait(PATIENCE)

    server.repository.load = held  # type: ignore[method-assign]
    load = "/inference.GRPCInferenceService/RepositoryModelLoad"
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        first = channel.unary_unary(load).future(b"", timeout=PATIENCE)
        assert entered.acquire(timeout=PATIENCE)
        with pytest.raises(grpc.RpcError) as refusal:
            channel.unary_unary(INFER)(b"", timeout=PATIENCE)
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "1 requests are under way" in str(refusal.value.details())
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=PATIENCE)
        gate.set()
        first.result(timeout=PATIENCE)


def test_a_call_that_ends_without_a_message_is_refused(shared: Running) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{shared.grpc_port}") as channel:
        with pytest.raises(grpc.RpcError) as refusal:
            channel.stream_unary(INFER)(iter(()), timeout=PATIENCE)
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert refusal.value.details() == "ModelInfer was called without a message. Send one."


def test_where_the_queue_is_full_a_message_is_not_waited_for(start: Start) -> None:
    server, ended = start(), threading.Event()

    def full(count: int) -> None:
        raise Overloaded("128 pictures are waiting.", retry_after=3)

    def never() -> Iterator[bytes]:
        ended.wait(PATIENCE)
        yield b""

    server.service.batcher.check_room = full  # type: ignore[method-assign]
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        with pytest.raises(grpc.RpcError) as refusal:
            channel.stream_unary(INFER)(never(), timeout=PATIENCE)
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert dict(refusal.value.trailing_metadata())["retry-after"] == "3"
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=PATIENCE)
        ended.set()
