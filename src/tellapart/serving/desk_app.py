"""The labelling desk over HTTP. In: Desk, PictureMaker. Out: an ASGI app. Next: listener.py.

A browser names pictures by number and classes by name; no path comes from it, and none is answered but in words. What stands
around the server's pages stands around this one: host names, origins, limits on bodies, strict headers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tellapart.errors import PictureError, StorageError
from tellapart.serving import page
from tellapart.serving.bodies import Limits, SafeJSON, read_body, read_json
from tellapart.serving.budget import Room
from tellapart.serving.desk import Desk
from tellapart.serving.desk_pictures import PictureMaker
from tellapart.serving.failures import handlers
from tellapart.serving.guard import Guard
from tellapart.serving.hosts import Hosts
from tellapart.serving.keys import Keys
from tellapart.serving.metrics import Metrics
from tellapart.serving.page_text import Words
from tellapart.serving.refusals import Full, Refusal

LIMITS = Limits(body_bytes=1024 * 1024, body_seconds=30.0, requests=64)
_AT_ONCE = 2  # pictures that are decoded at a time
_MOST_NAMES = 10_000  # of classes in one request


def build_desk(desk: Desk, maker: PictureMaker, *, hosts: Hosts, words: Words, settings: Mapping[str, Any]) -> ASGIApp:
    """The page at /, and what it asks for under /desk. `settings` is what the page should know beside its words."""
    views = _Views(desk, maker)
    given = {"several": desk.several, "new_classes": desk.new_classes, **settings}
    routes = [
        *page.routes(words, given, template="desk.html"),
        Route("/desk", views.state),
        Route("/desk/undo", views.undo, methods=["POST"]),
        Route("/desk/again", views.again, methods=["POST"]),
        Route("/desk/pictures/{number:int}", views.picture),
        Route("/desk/pictures/{number:int}", views.answer, methods=["POST"]),
        Route("/desk/pictures/{number:int}/shown", views.shown),
    ]
    app = Starlette(routes=routes, exception_handlers=handlers(""))
    app.router.redirect_slashes = False
    room = Room(requests=LIMITS.requests, body_bytes=LIMITS.body_bytes)
    metrics = Metrics(waiting=lambda: 0)
    return Guard(app, metrics=metrics, keys=Keys(), hosts=hosts, room=room, operation_of=lambda scope: ("desk", "any"))


class NothingBehind:
    """A desk has no queue to be emptied when its server stops."""

    def stop_taking(self) -> None:
        """Nothing is under way that would not end by itself."""

    async def close(self) -> None:
        """There is nothing to finish."""


class _Views:
    """What each path does. A request raises: Unknown, Refusal, NotAllowed, Full."""

    def __init__(self, desk: Desk, maker: PictureMaker) -> None:
        self._desk, self._maker, self._turns = desk, maker, asyncio.Semaphore(_AT_ONCE)

    async def state(self, request: Request) -> Response:
        """All that the page needs to begin."""
        more = {"classes": self._desk.classes, "problems": self._desk.told_problems()}
        return SafeJSON(self._told(self._desk.next_open()) | more)

    async def picture(self, request: Request) -> Response:
        """What is known of one picture."""
        return SafeJSON(self._desk.told_picture(_number(request)))

    async def shown(self, request: Request) -> Response:
        """Its pixels; with ?whole=1 all of them. 422 where it cannot be shown, which sets it aside."""
        number, whole = _number(request), request.query_params.get("whole") == "1"
        self._desk.told_picture(number)  # Raises: Unknown
        if reason := self._desk.problems.get(number):
            return self._unusable(number, reason)
        file = self._desk.pictures[number].file
        tag = self._maker.tag(file, whole=whole)
        if tag and tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={"ETag": tag, "Cache-Control": "private, no-cache"})
        try:
            async with self._turns:
                made = await asyncio.to_thread(self._maker.make, file, whole=whole)
        except PictureError as error:
            self._desk.set_aside(number, str(error))
            return self._unusable(number, str(error))
        headers = {"Cache-Control": "private, no-cache"} | ({"ETag": made.tag} if made.tag else {})
        return Response(made.data, media_type=made.kind, headers=headers)

    def _unusable(self, number: int, reason: str) -> Response:
        return JSONResponse({"error": reason, **self._told(self._desk.next_open(number))}, status_code=422)

    async def answer(self, request: Request) -> Response:
        """{"labels": [...]} says what a picture shows, {"skip": true} leaves it for later."""
        number = _number(request)
        body = read_json(await read_body(request, LIMITS))
        if body == {"skip": True}:
            self._desk.skip(number)
        else:
            await _kept(self._desk.label, number, _labels(body))
        return SafeJSON(self._told(self._desk.next_open(number)))

    async def undo(self, request: Request) -> Response:
        """Take the last step back, and show the picture that it was about."""
        await read_body(request, LIMITS)
        return SafeJSON(self._told(await _kept(self._desk.undo)))

    async def again(self, request: Request) -> Response:
        """Skipped pictures wait once more."""
        await read_body(request, LIMITS)
        self._desk.again()
        return SafeJSON(self._told(self._desk.next_open()))

    def _told(self, following: int | None) -> dict[str, Any]:
        named = {"classes": self._desk.classes} if self._desk.new_classes else {}
        return self._desk.told() | {"next": following} | named


async def _kept(change: Any, *values: Any) -> Any:
    """A change that is written to disk. Raises: Full where that cannot be."""
    try:
        return await asyncio.to_thread(change, *values)
    except StorageError as error:
        raise Full(f"it was not kept: {error}") from None


def _number(request: Request) -> int:
    number: int = request.path_params["number"]
    return number


def _labels(body: Mapping[str, Any]) -> list[str]:
    labels = body.get("labels")
    if set(body) != {"labels"} or not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
        raise Refusal('the body is no answer of the desk. Send {"labels": ["cat"]} or {"skip": true}.')
    if len(labels) > _MOST_NAMES:
        raise Refusal(f"{len(labels):,} classes were given; at most {_MOST_NAMES:,} are taken. Give fewer.")
    return labels
