"""A request's body, within its limits. In: Starlette's request. Out: bytes, JSON, files. Next: guard.py."""

from __future__ import annotations

import asyncio
import json
import reprlib
from collections.abc import AsyncGenerator, Callable, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import pydantic_core
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from tellapart.serving.refusals import Refusal, Slow, TooLarge

MAX_PARTS = 1000  # of a multipart body
# Of a JSON body. json makes 8 to 100 bytes of each, and nothing else of the process runs while it does.
MAX_VALUES = 4_000_000
_SWALLOWED = 8  # times the limit: so much of a body that is too large is read all the same, and forgotten
_LARGE = 2**20  # bytes; more are not read where everybody else waits
# One thread: large bodies take turns, as their lists would together need more memory than there is.
_READER = ThreadPoolExecutor(1, "read")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the server takes."""

    body_bytes: int = 64 * 1024 * 1024
    body_seconds: float = 30.0  # for the whole body to arrive
    requests: int = 512  # under way at a time, in one process


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that was sent."""

    name: str
    data: bytes


def kind_of(request: Request) -> str:
    """The type of a body, in small letters and without what follows a semicolon; "" where none is told."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_body(request: Request, limits: Limits) -> bytes:
    """The whole body. Raises: TooLarge, Slow, Refusal for an encoding."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal(
            f"the body comes with Content-Encoding {request.headers['content-encoding'][:40]!r}. Send it uncompressed."
        )
    announced = int(text) if (text := request.headers.get("content-length", "")).isdigit() else 0
    if announced > limits.body_bytes * _SWALLOWED or (announced > limits.body_bytes and "expect" in request.headers):
        raise _too_large(announced, limits)
    parts, length = [], 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                length += len(part)
                if max(length, announced) <= limits.body_bytes:
                    parts.append(part)
                    continue
                # To answer and close at once would reset the connection, and with it the answer on its way to a client
                # that still sends.
                parts.clear()
                if length > limits.body_bytes * _SWALLOWED:
                    break
    except TimeoutError:
        raise Slow(
            f"the body did not arrive within {limits.body_seconds:g} s. Send less, or over a faster line."
        ) from None
    except ClientDisconnect:
        raise Refusal("the client closed the connection before its body was whole.") from None
    if max(length, announced) > limits.body_bytes:
        raise _too_large(max(length, announced), limits)
    return b"".join(parts)


class SafeJSON(JSONResponse):
    """An answer that may repeat half of a surrogate pair, which JSON can say and UTF-8 cannot: \\ud800."""

    def render(self, content: Any) -> bytes:
        """As JSON, in UTF-8."""
        return to_json(content)


def to_json(content: Any) -> bytes:
    """JSON in UTF-8, without spaces. Raises: ValueError for what is no number."""
    try:
        written = pydantic_core.to_json(content)  # a tenth of json's time, most of it for numbers
        if b"NaN" not in written and b"Infinity" not in written:
            return written
    except (ValueError, UnicodeError):
        pass  # half of a surrogate pair
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def shown(value: Any) -> str:
    """A client's value for a message: short, in one line, however large or deep it is."""
    found = _SHORT.repr(value)
    return found[1:-1] if isinstance(value, str) else found


async def read_aside(read: Callable[..., Value], body: Sized, *further: Any) -> Value:
    """`read(body, *further)`, of a large body in another thread."""
    return read(body, *further) if len(body) <= _LARGE else await read_apart(read, body, *further)


async def read_apart(read: Callable[..., Value], body: Sized, *further: Any) -> Value:
    """`read(body, *further)` in another thread, where one is read at a time."""
    return await asyncio.get_running_loop().run_in_executor(_READER, read, body, *further)


_IN_JSON = {
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def read_json(body: bytes | memoryview) -> dict[str, Any]:
    """A JSON object. Raises: Refusal; TooLarge for more values than are read in some tenths of a second."""
    text = bytes(body)
    values = text.count(b",") + text.count(b"[") + text.count(b"{")
    if values > MAX_VALUES:
        raise TooLarge(
            f"the JSON holds {values:,} numbers and lists; at most {MAX_VALUES:,} are read, some 20 pictures of 224 x 224. Send "
            "less, or picture files in base64 or as binary tensors."
        )
    try:
        # Not as json decodes bytes, which lets halves of surrogate pairs through.
        value = json.loads(text.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = str(error)[:120] if isinstance(error, ValueError) else "it is nested too deeply"
        raise Refusal(f"the body is not JSON ({reason}). Send a JSON object.") from None
    if not isinstance(value, dict):
        raise Refusal(f"the body is JSON, but {_IN_JSON[type(value)]}, not an object. Send an object.")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


async def read_form(body: bytes, request: Request) -> tuple[list[File], dict[str, str]]:
    """The files of a multipart body, and its fields by name, each once. Raises: Refusal."""
    if len(body) <= _LARGE:
        return await _read_form(body, request)
    # Nothing in it waits, as all of the body is here; it needs a loop only by name.
    return await read_aside(lambda one: asyncio.run(_read_form(one, request)), body)


async def _read_form(body: bytes, request: Request) -> tuple[list[File], dict[str, str]]:
    # All of the body is here, so a field may be as large as it: a page may send its picture as a data: URI.
    most = {"max_files": MAX_PARTS, "max_fields": MAX_PARTS, "max_part_size": max(1, len(body))}
    parser = _Parser(request.headers, _once(body), **most)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        if str(error).startswith("Too many"):
            raise Refusal(
                f"the form has more than {MAX_PARTS:,} files or fields, as many as are taken. Send several requests."
            ) from None
        raise Refusal(f"the multipart body cannot be read ({str(error)[:120]}). Send it again.") from None
    try:
        return await _taken(form)
    finally:
        await form.close()


async def _taken(form: FormData) -> tuple[list[File], dict[str, str]]:
    files: list[File] = []
    fields: dict[str, str] = {}
    for name, part in form.multi_items():
        if isinstance(part, UploadFile):
            files.append(File(name=part.filename or "", data=await part.read()))
        elif name in fields:
            raise Refusal(
                f"the form has the field {name[:60]!r} twice; a field is sent once. Put all of it into one, as in docs/serving.md."
            )
        else:
            fields[name] = part
    return files, fields


def _short() -> reprlib.Repr:
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxlong, short.maxother = 3, 80, 40, 80
    short.maxlist = short.maxdict = short.maxtuple = 8
    return short


_SHORT = _short()


class _Parser(MultiPartParser):
    # The body is in memory already, and bounded; there is nothing to gain from a temporary file on disk.
    spool_max_size = 0


async def _once(body: bytes) -> AsyncGenerator[bytes]:
    yield body
    yield b""


def _too_large(length: int, limits: Limits) -> TooLarge:
    return TooLarge(
        f"the body has {length:,} bytes or more; at most {limits.body_bytes:,} are taken. Send less in one request."
    )
