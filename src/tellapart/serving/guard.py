"""What every HTTP request passes. In: an ASGI app. Out: the same, counted, logged, limited, with headers. Next: app.py."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tellapart.errors import TellapartError
from tellapart.serving.budget import Room, Slot
from tellapart.serving.hosts import Hosts
from tellapart.serving.keys import Keys
from tellapart.serving.metrics import Metrics
from tellapart.serving.refusals import Refusal, Stopping

ACCESS = logging.getLogger("tellapart.access")  # one line of JSON a request
ERRORS = logging.getLogger("tellapart.errors")
_AS_JSON = json.JSONEncoder(ensure_ascii=False).encode
_RANDOM = random.Random()  # seeded by the system
_ID = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)
_OPEN = frozenset({"/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"})  # for probes, without a key
_PAGE = "/page/"  # what the page at / is made of; it asks for the key itself
_HEADERS: Mapping[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}  # a response may set its own

OperationOf = Callable[[Scope], tuple[str, str]]  # a request -> protocol and operation, from a fixed list


def refused(error: TellapartError, *, status: int | None = None) -> Response:
    """A refusal as the protocols say it: {"error": "..."}."""
    headers = {}
    if isinstance(error, Refusal):
        status = status or error.status
        if error.retry_after is not None:
            headers["Retry-After"] = str(error.retry_after)
        if error.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if error.status in (408, 413):  # the rest of the body is not read
            headers["Connection"] = "close"
    return JSONResponse({"error": str(error)}, status_code=status or 400, headers=headers)


class Guard:
    """Request id, host, API key, concurrency limit, security headers, access log and metrics around an ASGI app."""

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, keys: Keys, hosts: Hosts, room: Room, operation_of: OperationOf
    ) -> None:
        self._app, self._metrics, self._keys, self._hosts = app, metrics, keys, hosts
        self._room, self._operation_of = room, operation_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, receive, send)
        self._metrics.under_way.inc()
        try:
            await self._admit(scope, visit)(scope, visit.receive, visit.send)
        except asyncio.CancelledError:
            # The server stops and waited long enough; raised again, uvicorn would log it with its traceback.
            if not visit.begun:
                await refused(Stopping("the server shuts down. Ask another."))(scope, receive, visit.send)
        except Exception:
            # Starlette raises again what it has answered with 500 and the app has logged.
            if not visit.begun:
                raise
        finally:
            visit.leave()
            self._metrics.under_way.dec()
            protocol, operation = self._operation_of(scope)
            self._metrics.add_request(protocol, operation, visit.status, seconds=visit.seconds)
            visit.log()

    def _admit(self, scope: Scope, visit: _Visit) -> ASGIApp:
        """The app, or the refusal in its place."""
        if scope["path"] in _OPEN:
            return self._app
        try:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            self._hosts.check(headers, scope["method"])
            # The page's files need no work, so they take no place from what does.
            if scope["path"] != "/" and not scope["path"].startswith(_PAGE):
                self._keys.check(headers)
                visit.place = self._room.enter()
        except Refusal as error:
            return refused(error)
        return self._app


class _Visit:
    """One request from its head to its answer's end."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send, self._started = scope, receive, send, time.monotonic()
        self.place: Slot | None = None  # what an admitted request holds while it is at work
        self.status, self._sent, self.begun = 500, 0, False  # 500: nothing was sent, the app failed
        self._id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = self._id

    @property
    def seconds(self) -> float:
        """Since the request's head came."""
        return time.monotonic() - self._started

    async def receive(self) -> Message:
        """Pass the body on, counted. Raises: Overloaded."""
        message = await self._receive()
        if self.place is not None:
            self.place.add(len(message.get("body", b"")))
        return message

    def leave(self) -> None:
        """The work is done."""
        if self.place is not None:
            self.place.leave()

    async def send(self, message: Message) -> None:
        """Pass the answer on, with headers that every answer has."""
        if message["type"] == "http.response.start":
            self.leave()  # an answer that nobody reads must not keep others out
            self.status, self.begun = message["status"], True
            headers = list(message.get("headers", []))
            present = {name.lower() for name, _ in headers}
            headers += [(name, value) for name, value in _HEADERS.items() if name not in present]
            headers.append((b"x-request-id", self._id.encode()))
            message = {**message, "headers": headers}
        else:
            self._sent += len(message.get("body", b""))
        await self._send(message)

    def log(self) -> None:
        """One line of JSON."""
        client = self._scope.get("client")
        log_access(
            self._id,
            client=client[0] if client else None,
            method=self._scope["method"],
            path=self._scope["path"],
            status=self.status,
            seconds=self.seconds,
            bytes=self._sent,
        )


def log_access(
    identity: str, *, client: str | None, method: str, path: str, status: int | str, seconds: float, **further: int
) -> None:
    """One line of JSON for one request."""
    if not ACCESS.isEnabledFor(logging.INFO):
        return
    line: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "id": identity,
        "client": client,
        "method": method,
        "path": path,
        "status": status,
        "ms": round(seconds * 1000, 2),
        **further,
    }
    # As `info` does, which would look for the line of code that called it, and nobody is told that.
    ACCESS.handle(logging.LogRecord(ACCESS.name, logging.INFO, "", 0, _AS_JSON(line), None, None))


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if _ID.fullmatch(given):
                return str(given)
    return new_request_id()


def new_request_id() -> str:
    """Of 128 random bits, in hexadecimal digits; no secret, so that the system is not asked for each."""
    return f"{_RANDOM.getrandbits(128):032x}"
