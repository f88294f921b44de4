"""Plain REST for people: files in, classes out. In: multipart or raw bytes. Out: JSON. Next: app.py."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tellapart.answers.answering import Answering
from tellapart.answers.class_rows import tells_many
from tellapart.answers.mask_files import PaintsMasks
from tellapart.serving.bodies import Limits, SafeJSON, read_body
from tellapart.serving.described import get_version
from tellapart.serving.figures import figure, figures
from tellapart.serving.opened import Version
from tellapart.serving.pictures import Encoded, Picture
from tellapart.serving.plain_options import check_able, read_box, read_flag, read_least, read_neighbours, read_top
from tellapart.serving.refusals import NotAllowed, Overloaded, Refusal, Stopping, TooLarge
from tellapart.serving.service import Reply, Service, ToExplain, told_aside
from tellapart.serving.tables import with_rows
from tellapart.serving.written import Sent, read_pictures
from tellapart.texts.cleaning import as_utf8

MOST_EXPLAINED = 16  # pictures of one request: each costs many runs of the network
_MOST_WAITING = 16  # requests that wait for heatmaps


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
        if not read_flag(request, "explain"):
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
        top, neighbours = read_top(request), read_neighbours(request)
        least, box = read_least(request), read_box(request)
        check_able(version, least=least, box=box, explain=explain)
        told = _told(version, outlined=read_flag(request, "polygons"))
        if neighbours and version.gallery is None:
            raise NotAllowed(
                f"model {version.name!r} was shipped without training pictures. Ask without `neighbours`, or have its operator "
                "make them: tellapart gallery RUN."
            )
        self._service.admit()
        sent = await read_pictures(await read_body(request, self._limits), request)
        most = self._service.batcher.limit * version.many
        if version.takes_texts:
            sent = await with_rows(sent, request, most)
        count = len(sent.data)
        if count > most:  # all of a request waits in the queue, or nothing
            raise TooLarge(
                f"{count:,} files in one request; at most {most:,} are taken, as many as may wait (--queue). Send "
                "several requests."
            )
        if explain and count > MOST_EXPLAINED:
            raise Refusal(f"{count} {version.item}s to explain; at most {MOST_EXPLAINED} in one request. Send several.")
        reply = await self._service.predict(version, _pictures(version, sent))
        rows = await told_aside(reply, lambda: describe(reply, told, sent.names, top, least))
        if neighbours:
            await asyncio.to_thread(_add_neighbours, reply, rows, neighbours)
        if explain:
            answers = zip(reply.answers(), rows, strict=True)
            shown = [_shown(version, answer, row, box or 1) for answer, row in answers]
            await self._add_heatmaps(version, shown, rows, sent)
        failed = all(reply.errors)
        body: dict[str, Any] = {"model": version.name, "version": version.number, "predictions": rows}
        if failed:
            body["error"] = f"no {version.item} can be used. The first: {reply.errors[0]}."
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
        self, version: Version, shown: list[ToExplain | None], rows: list[dict[str, Any]], sent: Sent
    ) -> None:
        explain = self._service.explain
        if explain is None:
            return
        async with self._explaining:
            for one, row, data in zip(shown, rows, sent.data, strict=True):
                if one is not None:
                    found = await asyncio.to_thread(explain, version, _file(data), one)
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
                    "similarity": figure(one.similarity),
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
    reply: Reply, told: Answering[Any, Any], names: Sequence[str], top: int, least: float | None = None
) -> list[dict[str, Any]]:
    """Each picture's answer as its task tells it, under its file's name; null what the model cannot tell.

    `least` in [0, 1]: also what is only so certain, of a model that grades what it tells.
    """
    if tells_many(told) and len(reply.decided):
        rows = iter(told.rows(reply.decided, top=top, figures=figures))
        told_of = zip(reply.errors, names, strict=True)
        return [{"file": name, "error": error} if error else {"file": name, **next(rows)} for error, name in told_of]
    answers = zip(reply.answers(), names, strict=True)
    return [_described(told, answer, name, top, least) for answer, name in answers]


def _described(answering: Answering[Any, Any], answer: Any, name: str, top: int, least: float | None) -> dict[str, Any]:
    if answer.error:
        return {"file": name, "error": answer.error}
    row = answering.row(answer, top=top, figure=figure, least=least)
    del row["path"], row["error"]
    return {"file": name, **row}


def _pictures(version: Version, sent: Sent) -> Sequence[Picture]:
    return sent.data if version.takes_texts else [Encoded(_file(one)) for one in sent.data]


def _file(data: bytes | str) -> bytes:
    return as_utf8(data) if isinstance(data, str) else data


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


def _data_address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
