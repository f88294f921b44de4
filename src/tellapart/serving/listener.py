"""Ports open, answer, and close in good order. In: what serves, sockets. Out: when it is over. Next: workflows/serve.py.

uvicorn speaks HTTP here with its C parser, which takes heads of any length and waits for them for ever; both are bounded below.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tellapart.errors import SettingsError
from tellapart.serving.service import Service

MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0  # for a request's head to arrive
IDLE_SECONDS = 30  # between two requests on one connection
_BACKLOG = 2048  # connections that the system keeps until they are accepted
WRITE_SECONDS = 30.0  # in which a client must read some of what waits for it
_LAST_SECONDS = 0.5  # for a last word to clients whose requests are given up
_LEAST_READ = 16 * 1024  # bytes in that time
_HEAD = b"HTTP/1.1 "  # how an answer's head begins
_LOG = logging.getLogger("tellapart.serving")


class Serving(Protocol):
    """What is behind the ports."""

    def stop_taking(self) -> None:
        """No more is taken, or soon."""

    async def close(self) -> None:
        """Finish what was taken."""


def _answer(status: str, error: str) -> bytes:
    body = json.dumps({"error": error})
    return (
        f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}"
    ).encode()


_LATE = _answer("408 Request Timeout", f"the request's head did not arrive within {HEAD_SECONDS:g} s. Send it at once.")
_LARGE = _answer(
    "431 Request Header Fields Too Large",
    f"the request's head has more than {MAX_HEAD_BYTES:,} bytes. Send fewer or shorter headers.",
)
_GARBAGE = _answer("400 Bad Request", "the bytes are no HTTP/1.1 request. Send one; for gRPC use its own port.")


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises: SettingsError when it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
        # With the protocol named, which create_server leaves at 0: asyncio turns Nagle's algorithm off for TCP only, and
        # with it on, every answer waits 40 ms for the client's delayed acknowledgement.
        opened = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
            opened.listen(_BACKLOG)
        except BaseException:
            opened.close()
            raise
        return opened
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"cannot listen on {host}:{port}: {reason}. Choose another --host or --port, or end what has it."
        ) from None


class _WholeAnswers:
    """A transport that sends an answer's head with the first of its body, in one call of the system in place of two.

    A head alone goes out before the loop does anything else.
    """

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop, self._head = transport, loop, b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send, or keep a head for what follows."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Close after what was written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with limits on a request's head in bytes and in time, and on the time that an answer waits."""

    def connection_made(self, transport: Any) -> None:
        """A client came: its first head must follow."""
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", _WholeAnswers(transport, self.loop))
        # Paused while anything waits for the client, so that the timer sees even the last bytes of a closed connection.
        transport.set_write_buffer_limits(high=0)
        self._write_timer: asyncio.TimerHandle | None = None
        # Of the head that is under way: bytes for certain its own, bytes at most, where it began in the middle of a chunk.
        self._head_bytes = self._head_most = self._chunk = 0
        self._head_is_large = False
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop_timer()
        self._stop_write_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """What was written waits for the client to read it."""
        super().pause_writing()
        if self._write_timer is None:
            self._wait_for_reader()

    def resume_writing(self) -> None:
        """The client has read all."""
        self._stop_write_timer()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Bytes came; those of a head are counted."""
        self._chunk = len(data)
        if self._in_head:
            self._head_bytes += len(data)
            self._head_most += len(data)
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_LARGE)
        elif self._head_timer is None:  # most heads are whole by now, and need no timer
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head, self._head_most = True, self._chunk

    def on_headers_complete(self) -> None:
        """A head is whole."""
        # A chunk may hold a body too, so where there could be too many bytes, the parts of the head are added up.
        if self._head_most > MAX_HEAD_BYTES:
            length = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if length > MAX_HEAD_BYTES:
                self._head_is_large = True
                raise ValueError("the head is too large")  # the parser stops and uvicorn calls send_400_response
        self._in_head, self._head_bytes = False, 0
        self._stop_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """The parser has stopped."""
        if not self.transport.is_closing():
            self._refuse(_LARGE if self._head_is_large else _GARBAGE)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._refuse(_LATE if self._head_most else b"")

    def _wait_for_reader(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._write_timer = self.loop.call_later(WRITE_SECONDS, self._check_reader, waiting)

    def _check_reader(self, before: int) -> None:
        if self.transport.get_write_buffer_size() > before - _LEAST_READ:
            self.transport.abort()
        else:
            self._wait_for_reader()

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _refuse(self, answer: bytes) -> None:
        # In the middle of another answer, a second one would be taken for a part of it.
        if answer and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(answer)
        self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _HttpServer(uvicorn.Server):
    """uvicorn's server; who runs it looks after signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone: uvicorn would end the process by the signal that it caught."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish; let go of clients that do not read."""
        grace = float(self.config.timeout_graceful_shutdown or 0)
        asyncio.get_running_loop().call_later(max(0.0, grace - _LAST_SECONDS), self._let_go)
        await super().shutdown(sockets)
        if self.server_state.tasks:  # what outlasted the grace period was cancelled just now, and tells its client
            await asyncio.wait(tuple(self.server_state.tasks), timeout=_LAST_SECONDS)
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    def _let_go(self) -> None:
        for connection in tuple(self.server_state.connections):
            if connection.transport.get_write_buffer_size():
                connection.transport.abort()


async def listen(
    service: Serving,
    app: ASGIApp,
    *,
    http: socket.socket,
    grpc: Any | None,
    grace: float,
    stop: asyncio.Event,
    linger: float = 0.0,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Answer until `stop` is set; then finish what was taken, within `grace` seconds.

    `linger` in seconds: so long requests are still taken after `stop`, while readiness already says no.
    """
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=round(grace),
    )
    server = _HttpServer(config)
    serving = asyncio.create_task(server.serve(sockets=[http]))
    try:
        if grpc is not None:
            await grpc.start()
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        ready()
        await asyncio.wait([serving, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
        service.stop_taking()
        await asyncio.sleep(linger)
    finally:
        server.should_exit = True
        waiting = [serving] if grpc is None else [serving, asyncio.create_task(_stop_grpc(grpc, grace))]
        await asyncio.gather(*waiting)
        await service.close()


async def keep_fresh(service: Service, *, seconds: float) -> None:
    """Look for new versions every so many seconds, until cancelled."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(service.repository.refresh)
        # A disk that fails now may be back at the next look; what serves goes on.
        except Exception as error:
            _LOG.warning("the models could not be looked at: %s", error)


async def _stop_grpc(grpc: Any, grace: float) -> None:
    await grpc.stop(grace)
