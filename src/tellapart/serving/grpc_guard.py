"""Around a method of gRPC: key, message, room, errors, metrics, access log. In: a call. Out: its answer. Next: grpc_service.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from tellapart.errors import TellapartError
from tellapart.serving.bodies import read_aside
from tellapart.serving.budget import Room
from tellapart.serving.guard import ERRORS, log_access, new_request_id
from tellapart.serving.keys import Keys
from tellapart.serving.refusals import Refusal, Slow
from tellapart.serving.service import Service

_Method = Callable[[Any, Any], Awaitable[Any]]


class GuardedMethod:
    """A method of a service, guarded."""

    def __init__(
        self,
        name: str,
        parse: Callable[[bytes], Any],
        method: _Method,
        service: Service,
        *,
        seconds: float,
        keys: Keys,
        room: Room | None,
        queued: bool = False,
    ) -> None:
        """`seconds`: in which the message must come; without `room` a call is always taken; `queued`: its pictures must wait."""
        self._name, self._parse, self._method, self._keys = name, parse, method, keys
        self._seconds, self._room = seconds, room
        self._queued, self._service, self._metrics = queued, service, service.metrics
        self._ending: set[asyncio.Future[Any]] = set()  # keeps them alive

    async def answer(self, messages: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        """Answer one call. Read here and not by grpc, which logs a traceback and says UNKNOWN where bytes are no message.

        Raises: nothing of ours; a Refusal ends the call with its code and message.
        """
        started, code, identity = time.monotonic(), "CANCELLED", new_request_id()
        self._metrics.under_way.inc()
        try:
            self._keys.check({key: str(value) for key, value in context.invocation_metadata() or ()})
            if self._queued:
                self._service.admit()  # before a message is read for nothing
            answer = await self._work(await self._message(context), context)
            code = "OK"
            return answer
        except TellapartError as error:
            code = error.code if isinstance(error, Refusal) else "INVALID_ARGUMENT"
            after = error.retry_after if isinstance(error, Refusal) else None
            trailing = [] if after is None else [("retry-after", str(after)), ("grpc-retry-pushback-ms", f"{after}000")]
            await context.abort(grpc.StatusCode[code], str(error), trailing_metadata=tuple(trailing))
        except asyncio.CancelledError:
            raise
        except grpc.aio.AbortError:
            code = Slow.code
            raise
        except Exception as error:
            code = "INTERNAL"
            ERRORS.error("request %s failed", identity, exc_info=error)
            await context.abort(
                grpc.StatusCode.INTERNAL, f"the server failed. Its log says why, at request {identity}."
            )
        finally:
            seconds = time.monotonic() - started
            self._metrics.under_way.dec()
            self._metrics.add_request("grpc", self._name, code, seconds=seconds)
            log_access(identity, client=context.peer(), method="grpc", path=self._name, status=code, seconds=seconds)

    async def _message(self, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        """The call's message. Raises: Refusal where there is none; AbortError when it did not come in time."""
        late = asyncio.get_running_loop().call_later(self._seconds, self._end, context)
        try:
            message = await context.read()
        finally:
            late.cancel()
        if message is grpc.aio.EOF:
            raise Refusal(f"{self._name} was called without a message. Send one.")
        return bytes(message)

    def _end(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        # From beside, which makes the read end with its call: were it cancelled, gRPC would write to memory that is free.
        reason = f"the message did not arrive within {self._seconds:g} s. Send less, or over a faster line."
        ending = asyncio.ensure_future(context.abort(grpc.StatusCode[Slow.code], reason))
        self._ending.add(ending)
        ending.add_done_callback(self._ended)

    def _ended(self, ending: asyncio.Future[Any]) -> None:
        self._ending.discard(ending)
        if not ending.cancelled():
            ending.exception()  # `abort` always raises

    async def _work(self, message: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        if self._room is None:
            return await self._method(self._read(message), context)
        place = self._room.enter()
        try:
            place.add(len(message))
            return await self._method(await read_aside(self._read, message), context)
        finally:
            place.leave()

    def _read(self, request: bytes) -> Any:
        try:
            return self._parse(request)
        except DecodeError as error:
            raise Refusal(
                f"the bytes are no request of {self._name} ({str(error)[:120]}). Send what the protocol's definition says."
            ) from None
