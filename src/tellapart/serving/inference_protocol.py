"""The Open Inference Protocol (v2) over HTTP. In: JSON, with binary tensors after it. Out: the same. Next: grpc_service.py.

Source: github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md; Triton's extensions for binary
tensor data, classification, the model repository, configuration and statistics
(github.com/triton-inference-server/server, docs/protocol).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tellapart.serving.bodies import Limits, SafeJSON, read_aside, read_body, read_json, shown, to_json
from tellapart.serving.described import get_version, model_config, model_metadata, model_statistics, server_metadata
from tellapart.serving.opened import Version
from tellapart.serving.pictures import Picture
from tellapart.serving.refusals import Refusal, Stopping
from tellapart.serving.repository import Repository
from tellapart.serving.scaled import Accept
from tellapart.serving.service import Service, told_aside
from tellapart.serving.tensors import (
    Tensor,
    Wanted,
    answer_tensors,
    check_inputs,
    check_outputs,
    from_raw,
    from_values,
    pictures_of,
    read_shape,
    to_raw,
    to_values,
)

HEADER = "Inference-Header-Content-Length"  # bytes of JSON at the body's start, when binary data follows
_MOST_OUTPUTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class InferRequest:
    """An inference request, read."""

    pictures: Sequence[Picture]
    wanted: list[Wanted]  # empty: all outputs
    binary: bool  # all outputs as binary data, where `wanted` is empty
    id: str
    timeout: float | None  # seconds


def routes(service: Service, limits: Limits) -> list[Route]:
    """The protocol's paths."""
    serve = _InferenceEndpoints(service, limits)
    found = [
        Route("/v2", serve.server),
        Route("/v2/health/live", serve.live),
        Route("/v2/health/ready", serve.ready),
        Route("/v2/models/stats", serve.statistics),
        Route("/v2/repository/index", serve.index, methods=["POST"]),
        Route("/v2/repository/models/{name}/load", serve.load, methods=["POST"]),
        Route("/v2/repository/models/{name}/unload", serve.unload, methods=["POST"]),
    ]
    for model in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        found += [
            Route(model, serve.metadata),
            Route(f"{model}/ready", serve.model_ready),
            Route(f"{model}/infer", serve.infer, methods=["POST"]),
            Route(f"{model}/stats", serve.statistics),
            Route(f"{model}/config", serve.config),
        ]
    return found


class _InferenceEndpoints:
    def __init__(self, service: Service, limits: Limits) -> None:
        self._service, self._limits = service, limits

    async def live(self, request: Request) -> Response:
        return SafeJSON({"live": True})

    async def ready(self, request: Request) -> Response:
        if not self._service.ready:
            raise Stopping("the server is not ready.")
        return SafeJSON({"ready": True})

    async def server(self, request: Request) -> Response:
        return SafeJSON(server_metadata())

    async def metadata(self, request: Request) -> Response:
        return SafeJSON(model_metadata(self._service.repository, _version(self._service.repository, request)))

    async def config(self, request: Request) -> Response:
        return SafeJSON(model_config(_version(self._service.repository, request)))

    async def model_ready(self, request: Request) -> Response:
        version = _version(self._service.repository, request)
        return SafeJSON({"name": version.name, "ready": True})

    async def infer(self, request: Request) -> Response:
        version = _version(self._service.repository, request)
        self._service.admit()
        accept, header, texts = self._service.accept, request.headers.get(HEADER), version.takes_texts
        asked = await read_aside(
            lambda body: read_infer(body, header, texts=texts, accept=accept), await read_body(request, self._limits)
        )
        check_outputs(version, asked.wanted)
        reply = await self._service.predict(version, asked.pictures, timeout=asked.timeout)
        return await told_aside(reply, lambda: write_infer(version, asked, answer_tensors(reply, asked.wanted)))

    async def statistics(self, request: Request) -> Response:
        return SafeJSON({"model_stats": model_statistics(self._service.repository, **_named(request))})

    async def index(self, request: Request) -> Response:
        """Every version of every model and its state; with `ready` those alone that answer. Raises: Refusal."""
        body = await read_body(request, self._limits)
        only_ready = (await read_aside(read_json, body)).get("ready", False) if body.strip() else False
        if not isinstance(only_ready, bool):
            raise Refusal(f"`ready` is {shown(only_ready)[:40]!r}; it must be true or false.")
        return SafeJSON([row for row in self._service.repository.index() if row["state"] == "READY" or not only_ready])

    async def load(self, request: Request) -> Response:
        await read_body(request, self._limits)
        await asyncio.to_thread(self._service.repository.load, request.path_params["name"])
        return SafeJSON({})

    async def unload(self, request: Request) -> Response:
        await read_body(request, self._limits)
        await asyncio.to_thread(self._service.repository.unload, request.path_params["name"])
        return SafeJSON({})


def read_infer(
    body: bytes, header_length: str | None, *, texts: bool = False, accept: Accept = "bytes"
) -> InferRequest:
    """An inference request; with binary tensors the JSON ends after `header_length` bytes. Raises: Refusal."""
    end = len(body)
    if header_length is not None:
        fits = header_length.isascii() and header_length.isdigit() and len(header_length) < 19
        end = int(header_length) if fits else -1
        if not 0 <= end <= len(body):
            raise Refusal(
                f"{HEADER} is {header_length[:20]!r}; it must be the length of the JSON, at most {len(body):,}."
            )
    request = read_json(body[:end])
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(one, dict) for one in inputs):
        raise Refusal("the request has no list of `inputs`. Send one input, named 'image'.")
    check_inputs([one.get("name") for one in inputs])
    parameters = _parameters(request)
    tensors, rest = [], memoryview(body)[end:]
    for one in inputs:
        tensor, rest = _read_tensor(one, rest, accept)
        tensors.append(tensor)
    if len(rest):
        raise Refusal(f"{len(rest):,} bytes of binary data belong to no input. Say `binary_data_size` for each.")
    binary = parameters.get("binary_data_output") is True
    return InferRequest(
        pictures=pictures_of(tensors, prepared=parameters.get("prepared") is True, texts=texts),
        wanted=_read_outputs(request.get("outputs") or [], binary=binary),
        binary=binary,
        id=_text(request, "id"),
        timeout=read_timeout(parameters.get("timeout")),
    )


def write_infer(version: Version, asked: InferRequest, tensors: Sequence[Tensor]) -> Response:
    """The answer to N pictures: JSON, and after it the tensors, [N, ...] each, that are wanted as binary data."""
    binary = {one.name for one in asked.wanted if one.binary}
    if asked.binary and not asked.wanted:
        binary = {tensor.name for tensor in tensors}
    outputs, raws = [], []
    for tensor in tensors:
        one: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        if tensor.name in binary:
            raws.append(to_raw(tensor))
            one["parameters"] = {"binary_data_size": len(raws[-1])}
        else:
            one["data"] = to_values(tensor)
        outputs.append(one)
    answer: dict[str, Any] = {"model_name": version.name, "model_version": str(version.number)}
    if asked.id:
        answer["id"] = asked.id
    answer["outputs"] = outputs
    if not raws:
        return SafeJSON(answer)
    head = to_json(answer)
    headers = {HEADER: str(len(head))}
    return Response(head + b"".join(raws), media_type="application/octet-stream", headers=headers)


def read_timeout(microseconds: Any) -> float | None:
    """Triton's request parameter `timeout` in seconds. Raises: Refusal."""
    if microseconds is None or microseconds == 0:
        return None
    if type(microseconds) is not int or not 0 < microseconds < 2**63:
        raise Refusal(
            f"`timeout` is {shown(microseconds)[:40]!r}; it must be a whole number of microseconds, at least 0 and below 2**63."
        )
    return microseconds / 1e6


def read_top(parameters: Mapping[str, Any]) -> int:
    """Triton's output parameter `classification`: how many classes to name, 0 for none. Raises: Refusal."""
    top = parameters.get("classification", 0)
    if type(top) is not int or top < 0:
        raise Refusal(f"`classification` is {shown(top)[:40]!r}; it must be the number of classes to name.")
    return top


def _read_tensor(one: Mapping[str, Any], rest: memoryview, accept: Accept) -> tuple[Tensor, memoryview]:
    """A tensor, and the binary data that is left."""
    name, datatype = _text(one, "name"), _text(one, "datatype")
    shape = read_shape(one.get("shape"), name)
    length = _parameters(one).get("binary_data_size")
    if length is None:
        return from_values(name, datatype, shape, one.get("data"), accept), rest
    if type(length) is not int or not 0 <= length <= len(rest):
        raise Refusal(
            f"input {shown(name)!r} says `binary_data_size` {shown(length)[:20]}; {len(rest):,} bytes of binary data are there."
        )
    return from_raw(name, datatype, shape, rest[:length], accept), rest[length:]


def _read_outputs(outputs: Any, *, binary: bool) -> list[Wanted]:
    if not isinstance(outputs, list) or not all(isinstance(one, dict) for one in outputs):
        raise Refusal("`outputs` must be a list of objects with a `name`.")
    check_number(outputs)
    wanted = []
    for one in outputs:
        parameters = _parameters(one)
        as_binary = parameters.get("binary_data", binary) is True
        wanted.append(Wanted(name=_text(one, "name"), binary=as_binary, top=read_top(parameters)))
    return wanted


def check_number(outputs: Sized) -> None:
    """Raises: Refusal for more outputs than any model has, before each is looked at."""
    if len(outputs) > _MOST_OUTPUTS:
        raise Refusal(f"`outputs` names {len(outputs):,}; no model here has more than {_MOST_OUTPUTS}. Name each once.")


def _text(one: Mapping[str, Any], key: str) -> str:
    """A name or the like. Numbers are taken as well, as Triton takes them for an id."""
    found = one.get(key, "")
    if type(found) not in (str, int):
        raise Refusal(f"`{key}` is {shown(found)}; it must be a string.")
    return str(found)


def _parameters(one: Mapping[str, Any]) -> Mapping[str, Any]:
    found = one.get("parameters") or {}
    if not isinstance(found, dict):
        raise Refusal("`parameters` must be an object.")
    return found


def _named(request: Request) -> dict[str, str]:
    return {key: value for key, value in request.path_params.items() if key in ("name", "version")}


def _version(repository: Repository, request: Request) -> Version:
    return get_version(repository, request.path_params["name"], request.path_params.get("version", ""))
