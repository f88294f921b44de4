"""All HTTP paths in one application. In: Service. Out: an ASGI app. Next: listener.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Scope

from tellapart.serving import corrections as correcting
from tellapart.serving import inference_protocol, metrics, page, plain, tfserving
from tellapart.serving.bodies import Limits
from tellapart.serving.budget import Room
from tellapart.serving.corrections import Corrections
from tellapart.serving.failures import handlers
from tellapart.serving.guard import Guard
from tellapart.serving.hosts import Hosts
from tellapart.serving.inference_protocol import HEADER
from tellapart.serving.keys import Keys
from tellapart.serving.openapi import describe
from tellapart.serving.page_text import Words
from tellapart.serving.service import Service

_ASKED_MOST = ("predict", "infer", "classify")  # names of routes


def build_app(
    service: Service,
    *,
    limits: Limits,
    keys: Keys,
    hosts: Hosts | None = None,
    words: Words | None = None,
    corrections: Corrections | None = None,
    in_chinese: page.InChinese | None = None,
) -> ASGIApp:
    """The server's HTTP side. Without `words` there is no page for people at /; `in_chinese` says a reason in that language."""
    settings = {
        "corrections": corrections is not None,
        "heatmaps": service.explain is not None,
        "body_bytes": limits.body_bytes,
    }
    # Tried one after the other, so what is asked most comes first; no path is of two.
    parts: Mapping[str, Sequence[BaseRoute]] = {
        "plain": plain.routes(service, limits),
        "inference_protocol": inference_protocol.routes(service, limits),
        "tfserving": tfserving.routes(service, limits),
        "page": page.routes(words, settings, in_chinese=in_chinese),
        "corrections": correcting.routes(service, limits, corrections),
        "operations": _operations(service),
    }
    every = [route for routes in parts.values() for route in routes]
    every.sort(key=lambda route: _name(route) not in _ASKED_MOST)
    app = Starlette(routes=every, exception_handlers=handlers("See /openapi.json."))
    app.router.redirect_slashes = False
    room = Room(requests=limits.requests, body_bytes=limits.body_bytes)
    hosts = hosts or Hosts()
    guard = Guard(app, metrics=service.metrics, keys=keys, hosts=hosts, room=room, operation_of=_Operations(parts))
    if not hosts.origins:
        return guard
    # What a browser asks beforehand has no key, so that it is answered before the guard asks for one.
    return CORSMiddleware(
        guard,
        allow_origins=hosts.origins,
        allow_methods=("GET", "POST"),
        allow_headers=("Authorization", "Content-Type", "X-API-Key", "X-Request-ID", HEADER),
        expose_headers=("X-Request-ID", "Retry-After", HEADER),
    )


def _operations(service: Service) -> list[Route]:
    async def metrics_text(request: Request) -> Response:
        return Response(service.metrics.text(), media_type=metrics.CONTENT_TYPE)

    async def openapi(request: Request) -> Response:
        return JSONResponse(describe(list(service.repository.serving)))

    return [Route("/metrics", metrics_text), Route("/openapi.json", openapi)]


class _Operations:
    """Which protocol and route a request meets: names from our table only, so that metrics stay bounded."""

    def __init__(self, parts: Mapping[str, Sequence[BaseRoute]]) -> None:
        self._parts = parts
        self._known = {
            endpoint: (protocol, _name(route))
            for protocol, routes in reversed(list(parts.items()))
            for route in reversed(routes)
            if (endpoint := getattr(route, "endpoint", None)) is not None
        }

    def __call__(self, scope: Scope) -> tuple[str, str]:
        if "endpoint" not in scope:  # refused at the door, or no route
            return self._find(scope)
        return self._known.get(scope["endpoint"], ("other", "none"))

    def _find(self, scope: Scope) -> tuple[str, str]:
        for protocol, routes in self._parts.items():
            for route in routes:
                if route.matches(scope)[0] is Match.FULL:
                    return protocol, _name(route)
        return "other", "none"


def _name(route: BaseRoute) -> str:
    return str(getattr(route, "name", "other"))
