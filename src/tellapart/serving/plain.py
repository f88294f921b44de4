"""Plain REST for people: files in, classes out. In: multipart or raw bytes. Out: JSON. Next: app.py."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tellapart.answers.answering import Answering
from tellapart.answers.mask_files import PaintsMasks
from tellapart.serving.bodies import File, Limits, SafeJSON, read_body
from tellapart.serving.described import get_version
from tellapart.serving.opened import Version
from tellapart.serving.pictures import Encoded
from tellapart.serving.refusals import NotAllowed, Overloaded, Refusal, Stopping, TooLarge
from tellapart.serving.service import Reply, Service, ToExplain, told_aside
from tellapart.serving.written import read_pictures

MOST_NEIGHBOURS = 50
MOST_EXPLAINED = 16  # pictures of one request: each costs many runs of the network
_MOST_WAITING = 16  # requests that wait for heatmaps
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no", "")
_DIGITS = 7  # a float32 carries seven significant decimal digits


def routes(service: Service, limits: Limits) -> list[Route]:
    """The paths of plain REST and of health."""
    serve = _PlainEndpoints(service, limits)
    return [
        Route("/predict", serve.predict, methods=["POST"]),
        Route("/models", serve.models),
        Route("/health/live", serve.live),
        Route("/health/ready", serve.ready),
    ]


class _PlainEndpoints:
    def __init__(self, service: Service, limits: Limits) -> None:
        self._service, self._limits = service, limits
        self._explaining = asyncio.Semaphore(1)  # heatmaps must not take the cores from everybody else
        self._to_explain = 0  # requests that have heatmaps drawn, or wait for that

    async def predict(self, request: Request) -> Response:
        if not _flag(request, "explain"):
            return await self._predict(request, explain=False)
        if self._service.explain is None:
            raise NotAllowed("this server draws no heatmaps. Ask without `explain`.")
        if self._to_explain >= _MOST_WAITING:
            raise Overloaded(
                f"{self._to_explain} requests wait for heatmaps, which are drawn one at a time. Send it again later, or ask "
                "without `explain`.",
                retry_after=5,
            )
        self._to_explain += 1
        try:
            return await self._predict(request, explain=True)
        finally:
            self._to_explain -= 1

    async def _predict(self, request: Request, *, explain: bool) -> Response:
        query = request.query_params
        version = choose_version(self._service, query.get("model", ""), query.get("version", ""))
        top, neighbours, least, box = _top(request), _neighbours(request), _least(request), _box(request)
        _check_able(version, least=least, box=box, explain=explain)
        told = _told(version, outlined=_flag(request, "polygons"))
        if neighbours and version.gallery is None:
            raise NotAllowed(
                f"model {version.name!r} was shipped without training pictures. Ask without `neighbours`, or have its operator "
                "make them: tellapart gallery RUN."
            )
        self._service.admit()
        files = await read_pictures(await read_body(request, self._limits), request)
        most = self._service.batcher.limit * version.many
        if len(files) > most:  # all of a request waits in the queue, or nothing
            raise TooLarge(
                f"{len(files):,} files in one request; at most {most:,} are taken, as many as may wait (--queue). Send "
                "several requests."
            )
        if explain and len(files) > MOST_EXPLAINED:
            raise Refusal(f"{len(files)} pictures to explain; at most {MOST_EXPLAINED} in one request. Send several.")
        reply = await self._service.predict(version, [Encoded(file.data) for file in files])
        answers = reply.answers()
        rows = await told_aside(
            reply,
            lambda: [
                describe(told, answer, file.name, top, least) for answer, file in zip(answers, files, strict=True)
            ],
        )
        if neighbours:
            await asyncio.to_thread(_add_neighbours, reply, rows, neighbours)
        if explain:
            shown = [_shown(version, answer, row, box or 1) for answer, row in zip(answers, rows, strict=True)]
            await self._add_heatmaps(version, shown, rows, files)
        failed = all(reply.errors)
        body: dict[str, Any] = {"model": version.name, "version": version.number, "predictions": rows}
        if failed:
            body["error"] = f"no picture can be used. The first: {reply.errors[0]}."
        return SafeJSON(body, status_code=400 if failed else 200)

    async def models(self, request: Request) -> Response:
        found = [served.latest for served in self._service.repository.serving.values()]
        return SafeJSON({"models": [describe_model(version) for version in found if version is not None]})

    async def live(self, request: Request) -> Response:
        return SafeJSON({"status": "alive"})

    async def ready(self, request: Request) -> Response:
        if not self._service.ready:
            raise Stopping("the server is not ready.")
        return SafeJSON({"status": "ready"})

    async def _add_heatmaps(
        self, version: Version, shown: list[ToExplain | None], rows: list[dict[str, Any]], files: list[File]
    ) -> None:
        explain = self._service.explain
        if explain is None:
            return
        async with self._explaining:
            for one, row, file in zip(shown, rows, files, strict=True):
                if one is not None:
                    found = await asyncio.to_thread(explain, version, file.data, one)
                    if isinstance(found, bytes):
                        row["heatmap"] = _data_address("image/png", found)
                    else:
                        row["reason"] = found


def _shown(version: Version, answer: Any, row: Mapping[str, Any], box: int) -> ToExplain | None:
    """What a heatmap is of; None where the picture could not be read, or has no such box."""
    if answer.error:
        return None
    if "boxes" not in row:
        return ToExplain(label=version.answering.shown_class(answer))
    if box > len(row["boxes"]):
        return None
    one = row["boxes"][box - 1]
    sides = (one["left"], one["top"], one["right"], one["bottom"])
    return ToExplain(label=version.classes.index(one["label"]), sides=sides, score=one["score"])


def _add_neighbours(reply: Reply, rows: list[dict[str, Any]], count: int) -> None:
    gallery = reply.version.gallery
    for row, embedding in zip(rows, reply.embeddings, strict=True):
        if gallery is not None and embedding is not None:
            row["neighbours"] = [
                {
                    **_named([reply.version.classes[index] for index in one.classes], several=gallery.several),
                    "similarity": _figure(one.similarity),
                    "thumbnail": _data_address("image/jpeg", one.jpeg),
                }
                for one in gallery.nearest(embedding, count)
            ]


def _named(classes: list[str], *, several: bool) -> dict[str, Any]:
    return {"labels": classes} if several else {"label": classes[0]}


def choose_version(service: Service, name: str, version: str) -> Version:
    """The version that a request names; its model may be left out where there is one only. Raises: Refusal."""
    if not name:
        names = list(service.repository.serving)
        if len(names) != 1:
            raise Refusal(
                f"this server has {len(names)} models. Say which: ?model=NAME. Models: {', '.join(names)[:500]}."
            )
        name = names[0]
    return get_version(service.repository, name, version)


def _told(version: Version, *, outlined: bool) -> Answering[Any, Any]:
    """How its answers are told. Raises: NotAllowed for borders of what has none."""
    if not outlined:
        return version.answering
    if not isinstance(version.answering, PaintsMasks):
        raise NotAllowed(
            f"model {version.name!r} makes no masks, so that there are no borders. Ask without `polygons`."
        )
    told: Answering[Any, Any] = version.answering.with_outlines()
    return told


def describe(
    answering: Answering[Any, Any], answer: Any, name: str, top: int, least: float | None = None
) -> dict[str, Any]:
    """One picture's answer as its task tells it, under the file's name; null what the model cannot tell.

    `least` in [0, 1]: also what is only so certain, of a model that grades what it tells.
    """
    if answer.error:
        return {"file": name, "error": answer.error}
    row = answering.row(answer, top=top, figure=_figure, least=least)
    del row["path"], row["error"]
    return {"file": name, **row}


def describe_model(version: Version) -> dict[str, Any]:
    """What a person wants to know of a model: task, classes, scores with intervals, where it came from.

    `record` is what its task keeps of it, thresholds among that; clients older than it look for `abstention`.
    """
    manifest = version.model.manifest
    record = manifest.record.model_dump()
    return {
        "name": version.name,
        "version": version.number,
        "task": manifest.task,
        "classes": list(manifest.classes),
        "created": manifest.created,
        "strategy": manifest.strategy,
        "backbone": manifest.backbone.model_dump(),
        "data": manifest.data.model_dump(),
        "scores": {name: score.model_dump() for name, score in manifest.scores.items()},
        "record": record,
        "abstention": record.get("abstention"),
        "explainable": version.explainable,
        "gallery": None if version.gallery is None else len(version.gallery),
    }


def _top(request: Request) -> int:
    text = request.query_params.get("top", "5")
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text)):
        raise Refusal(f"top is {text[:20]!r}; it must be a whole number from 1 to 999,999.")
    return int(text)


def _neighbours(request: Request) -> int:
    text = request.query_params.get("neighbours", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= MOST_NEIGHBOURS):
        raise Refusal(f"neighbours is {text[:20]!r}; it must be a whole number of at most {MOST_NEIGHBOURS}.")
    return int(text)


def _least(request: Request) -> float | None:
    text = request.query_params.get("min_score")
    if text is None:
        return None
    if not re.fullmatch(r"[01]?\.?[0-9]{1,9}", text) or not 0 <= float(text) <= 1:
        raise Refusal(f"min_score is {text[:20]!r}; it must be a number from 0 to 1, such as 0.05.")
    return float(text)


def _box(request: Request) -> int | None:
    text = request.query_params.get("box")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text)):
        raise Refusal(f"box is {text[:20]!r}; it must be a whole number from 1, the most certain box, to 99,999.")
    return int(text)


def _check_able(version: Version, *, least: float | None, box: int | None, explain: bool) -> None:
    """Raises: NotAllowed for what such a model cannot tell."""
    if least is not None and not version.answering.graded:
        raise NotAllowed(
            f"model {version.name!r} tells all that it finds; min_score is for one that finds boxes. Ask without `min_score`."
        )
    if explain and isinstance(version.answering, PaintsMasks):
        raise NotAllowed(
            f"model {version.name!r} makes masks, of which no heatmap is drawn here: `certainty` in its answer says how sure each "
            "pixel is, and `tellapart explain` what a part of a mask rests on. Ask without `explain`."
        )
    if explain and not version.explainable:
        raise NotAllowed(
            f"model {version.name!r} gives neither classes of whole pictures nor boxes, of which heatmaps are drawn. Ask without "
            "`explain`."
        )
    if box is not None and "boxes" not in version.model.session.outputs:
        raise NotAllowed(
            f"model {version.name!r} finds no boxes; `box` says of which of them a heatmap is. Ask without `box`."
        )
    if box is not None and not explain:
        raise Refusal(f"box is {box}, which says of which box a heatmap is, and none is asked for. Add `explain=true`.")


def _flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "").lower()
    if text not in (*_YES, *_NO):
        raise Refusal(f"{name} is {text[:20]!r}; it must be true or false.")
    return text in _YES


def _figure(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _data_address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
