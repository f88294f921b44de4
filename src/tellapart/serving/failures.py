"""What goes wrong becomes an answer. In: an exception in a route. Out: {"error": "..."} with its status. Next: app.py."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler

from tellapart.errors import TellapartError
from tellapart.serving.guard import ERRORS, refused


def handlers(hint: str) -> dict[Any, ExceptionHandler]:
    """Of an application; `hint` is a sentence that says where one finds what there is, "" for none."""

    async def no_route(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 405:
            message = f"{request.method} is not what this path takes. {hint}"
        else:
            message = f"there is nothing at {request.url.path[:80]!r}. {hint}"
        headers = error.headers if isinstance(error, HTTPException) else None
        return JSONResponse({"error": message.strip()}, status_code=status, headers=headers)

    return {TellapartError: _refuse, HTTPException: no_route, Exception: _failed}


async def _refuse(request: Request, error: Exception) -> Response:
    if not isinstance(error, TellapartError):
        raise error
    return refused(error)


async def _failed(request: Request, error: Exception) -> Response:
    """A bug, or no memory left: the client is told no details, the log is."""
    identity = request.scope.get("state", {}).get("request_id", "")
    ERRORS.error("request %s failed", identity, exc_info=error)
    return JSONResponse({"error": f"the server failed. Its log says why, at request {identity}."}, status_code=500)
