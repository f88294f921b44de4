"""The page for people, at /. In: words in two languages, what the server can do. Out: routes. Next: app.py.

Plain files of pages/ without a build step. The page is made once a language when the server starts: elements say by data-t which
phrase they hold, and the script has both languages, so that switching needs no request. Nothing of a model is in it, so it comes
without a key and asks for one where the server wants it.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tellapart.language import is_simplified_chinese
from tellapart.serving.page_text import LANGUAGES, Words, render
from tellapart.serving.refusals import Unknown

_KINDS: Mapping[str, str] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_THEMES = ("light", "dark")
_MOST_SAID = 300  # characters of a reason
InChinese = Callable[[str], str]
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "Accept, Accept-Language, Cookie",
}
# Kept by the browser, but asked for again each time: after an upgrade of the server no old script meets a new page.
_CACHED = {"Cache-Control": "no-cache"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asset:
    body: bytes
    kind: str
    tag: str  # ETag


def routes(
    words: Words | None,
    settings: Mapping[str, Any],
    *,
    template: str = "page.html",
    in_chinese: InChinese | None = None,
) -> list[Route]:
    """`/`, to browsers the page of a template and to others JSON, and the files under /page. `settings`: what the server can do.

    With `in_chinese` the page asks /page/said for a reason of the server's in the language of who reads it.

    A request raises: Unknown for a file that is not there.
    """
    if words is None:
        return [Route("/", _alive)]
    settings = {**settings, "translates": in_chinese is not None}
    pages = {language: render(template, words, settings, language) for language in LANGUAGES}
    files = _read_files()

    async def page(request: Request) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return await _alive(request)
        language = request.cookies.get("tellapart_language", "")
        if language not in LANGUAGES:
            language = preferred(request.headers.get("accept-language", ""))
        theme = request.cookies.get("tellapart_theme", "")
        text = pages[language]
        if theme in _THEMES:
            text = text.replace("<html ", f'<html data-theme="{theme}" ', 1)
        return _answer(request, _file(text.encode(), "text/html; charset=utf-8"), _HEADERS)

    async def asset(request: Request) -> Response:
        file = files.get(request.path_params["name"])
        if file is None:
            raise Unknown(f"the page has no file {request.path_params['name'][:60]!r}.")
        return _answer(request, file, {})

    async def said(request: Request) -> Response:
        text = request.query_params.get("text", "")[:_MOST_SAID]
        return JSONResponse({"said": text if in_chinese is None else await run_in_threadpool(in_chinese, text)})

    return [Route("/", page), Route("/page/said", said), Route("/page/{name}", asset)]


def preferred(accepted: str) -> str:
    """The language of ours that a browser likes best, by its Accept-Language; English where it names neither."""
    asked = [part.strip().partition(";") for part in accepted.split(",")]
    # A browser from Taipei says "zh-TW, zh;q=0.9": its plain zh is not ours either.
    traditional = any(_language(name) == "zh" and not is_simplified_chinese(name) for name, _, _ in asked)
    best, liking = "en", 0.0
    for name, _, weight in asked:
        language = _language(name)
        if language == "zh" and (not is_simplified_chinese(name) or (traditional and "-" not in name)):
            continue
        found = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", weight)
        quality = float(found[1]) if found else 1.0
        if language in LANGUAGES and quality > liking:
            best, liking = language, quality
    return best


def _language(tag: str) -> str:
    return tag.partition("-")[0].lower()


async def _alive(request: Request) -> Response:
    # KServe's clients ask here whether the server lives.
    return JSONResponse(
        {"status": "alive", "name": "tellapart", "openapi": "/openapi.json"}, headers={"Vary": "Accept"}
    )


def _read_files() -> dict[str, _Asset]:
    folder = importlib.resources.files("tellapart.serving").joinpath("pages")
    return {
        file.name: _file(file.read_bytes(), _KINDS[file.name.rpartition(".")[2]])
        for file in folder.iterdir()
        if file.name.rpartition(".")[2] in _KINDS
    }


def _file(body: bytes, kind: str) -> _Asset:
    return _Asset(body=body, kind=kind, tag=f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _answer(request: Request, file: _Asset, headers: Mapping[str, str]) -> Response:
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    status, body = (304, b"") if file.tag in known else (200, file.body)
    return Response(body, status, {**headers, **_CACHED, "ETag": file.tag}, file.kind)
