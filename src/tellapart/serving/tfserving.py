"""TensorFlow Serving's REST protocol. In: JSON of its form. Out: JSON of its form. Next: tfserving_described.py.

Source: tensorflow.org/tfx/serving/api_rest. A picture is {"b64": "..."} or nested lists [H][W][3] of whole numbers 0 to 255.
The default signature answers as clients expect it of such a model: with probabilities alone, as a Keras classifier does, or with
the boxes of TensorFlow's detectors, or masks as PNG files with the areas of classes. The signature "decisions" adds all that
we decide (the class, the prediction set, the unknown flag; boxes in pixels, their names), and "prepared" takes pictures that
are resized already.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tellapart.serving.bodies import Limits, SafeJSON, read_aside, read_body, read_json, shown
from tellapart.serving.opened import Version
from tellapart.serving.pictures import Encoded, Picture, Pixels, Ready
from tellapart.serving.refusals import Refusal
from tellapart.serving.scaled import Accept, from_lists, told_range
from tellapart.serving.service import Reply, Service, told_aside
from tellapart.serving.tensors import (
    IMAGE,
    TEXT,
    Tensor,
    Wanted,
    answer_tensors,
    as_numbers,
    check_count,
    from_base64,
    holds_files,
)
from tellapart.serving.tfserving_described import DECISIONS, DEFAULT, PREPARED, SIGNATURES, write_metadata, write_status
from tellapart.texts.cleaning import as_utf8, made_whole

_KEYS = {"signature_name", "instances", "inputs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictRequest:
    """A predict request, read."""

    pictures: Sequence[Picture]
    signature: str
    columns: bool  # it came as `inputs`, and is answered as `outputs`


def routes(service: Service, limits: Limits) -> list[Route]:
    """The protocol's paths."""
    serve = _ServingEndpoints(service, limits)
    found = [Route("/v1/models", serve.models)]
    for model in ("/v1/models/{name}/versions/{version}", "/v1/models/{name}/labels/{label}", "/v1/models/{name}"):
        for verb, endpoint in (("predict", serve.predict), ("classify", serve.classify), ("regress", serve.regress)):
            found.append(Route(f"{model}:{verb}", endpoint, methods=["POST"]))
        found.append(Route(f"{model}/metadata", serve.metadata))
        found.append(Route(model, serve.status))
    return found


class _ServingEndpoints:
    def __init__(self, service: Service, limits: Limits) -> None:
        self._service, self._limits = service, limits

    async def predict(self, request: Request) -> Response:
        version = _version(self._service, request)
        self._service.admit()
        texts = version.takes_texts
        asked = await read_aside(
            lambda body: read_predict(read_json(body), texts=texts, accept=self._service.accept),
            await read_body(request, self._limits),
        )
        reply = await self._service.predict(version, asked.pictures)
        return SafeJSON(await told_aside(reply, lambda: write_predict(reply, asked)))

    async def classify(self, request: Request) -> Response:
        version = _version(self._service, request)
        self._service.admit()
        texts = version.takes_texts
        pictures = await read_aside(
            lambda body: read_classify(read_json(body), texts=texts, accept=self._service.accept),
            await read_body(request, self._limits),
        )
        return SafeJSON(write_classify(await self._service.predict(version, pictures)))

    async def regress(self, request: Request) -> Response:
        version = _version(self._service, request)
        raise Refusal(f"model {version.name!r} names classes and cannot regress. Use :predict or :classify.")

    async def status(self, request: Request) -> Response:
        if ":" in request.url.path.rpartition("/")[2]:  # no name has one: a verb, which comes by POST
            raise HTTPException(405, headers={"Allow": "POST"})
        name = request.path_params["name"]
        served = self._service.repository.model(name)
        number = _number(request)
        if "label" in request.path_params:
            number = self._service.repository.get(name, label=request.path_params["label"]).number
        return SafeJSON(write_status(name, served, number))

    async def metadata(self, request: Request) -> Response:
        return SafeJSON(write_metadata(_version(self._service, request)))

    async def models(self, request: Request) -> Response:
        return SafeJSON({"models": list(self._service.repository.serving)})


def read_predict(body: Mapping[str, Any], *, texts: bool = False, accept: Accept = "bytes") -> PredictRequest:
    """A predict request in row form (`instances`) or column form (`inputs`), of pictures or `texts`. Raises: Refusal."""
    if not set(body) <= _KEYS or ("instances" in body) == ("inputs" in body):
        raise Refusal(
            f"the request has the keys {_listed(body)}; there must be `instances` or `inputs`, "
            "and there may be `signature_name`."
        )
    signature = check_signature(body.get("signature_name") or DEFAULT)
    prepared = signature == PREPARED
    if "instances" in body:
        rows = _rows(body["instances"])
        if not rows:
            raise Refusal(f"`instances` must be a list of at least one {'text' if texts else 'picture'}.")
        return PredictRequest(
            pictures=_pictures(rows if _are_texts(rows) else list(map(_unnamed, rows)), prepared, texts, accept),
            signature=signature,
            columns=False,
        )
    column = _unnamed(body["inputs"])
    rows = [column] if _is_one(column) or isinstance(column, str) else _rows(column)
    if not rows:
        raise Refusal(f"`inputs` must be a list, or an object that holds one as {(TEXT if texts else IMAGE)!r}.")
    return PredictRequest(pictures=_pictures(rows, prepared, texts, accept), signature=signature, columns=True)


def check_signature(signature: Any) -> str:
    """The signature itself. Raises: Refusal where there is none of that name."""
    if signature not in SIGNATURES:
        raise Refusal(f"there is no signature {shown(signature)[:60]!r}. Signatures: {', '.join(SIGNATURES)}.")
    return str(signature)


def outputs_of(version: Version, signature: str) -> Sequence[str]:
    """The names of what a signature answers with."""
    if signature != DECISIONS:
        return version.answering.defaults
    return [one.name for one in version.outputs if not one.on_request]


def read_classify(body: Mapping[str, Any], *, texts: bool = False, accept: Accept = "bytes") -> Sequence[Picture]:
    """A classify request: `examples`, each with the feature `image`, or `text`. Raises: Refusal."""
    examples = body.get("examples")
    if not isinstance(examples, list) or not examples or not all(isinstance(one, dict) for one in examples):
        told = f'"{TEXT}": "..."' if texts else f'"{IMAGE}": {{"b64": "..."}}'
        raise Refusal(f"a classify request holds `examples`: [{{{told}}}].")
    check_count(len(examples))
    context = body.get("context", {})
    if isinstance(context, dict) and context and len(examples) > 1:
        raise Refusal(
            f"`context` holds {_listed(context)} for {len(examples):,} examples; each has an input of its own."
        )
    features = []
    for example in examples:
        value = {**context, **example} if isinstance(context, dict) else example
        value = _unnamed(value)
        alone = isinstance(value, list) and not _is_one(value) and len(rows := _rows(value)) == 1
        features.append(rows[0] if alone and _is_one(rows[0]) else value)
    return _pictures(features, False, texts, accept)


def write_predict(reply: Reply, asked: PredictRequest) -> dict[str, Any]:
    """Row form: `predictions`; column form: `outputs`. One output comes bare, several by name, as TF Serving does.

    Raises: Refusal for a picture that could not be read.
    """
    names = outputs_of(reply.version, asked.signature)
    outputs = {one.name: _nested(one) for one in answer_tensors(reply, [Wanted(name=name) for name in names])}
    if len(outputs) == 1:
        (values,) = outputs.values()
        return {"outputs": values} if asked.columns else {"predictions": values}
    if asked.columns:
        return {"outputs": outputs}
    return {
        "predictions": [{name: values[row] for name, values in outputs.items()} for row in range(len(asked.pictures))]
    }


def write_classify(reply: Reply) -> dict[str, Any]:
    """Label and probability of every class, for each example. Raises: Refusal for a picture that could not be read."""
    classes = reply.version.classes
    return {"results": [list(map(list, zip(classes, row, strict=True))) for row in _figures(reply).tolist()]}


def _nested(tensor: Tensor) -> Any:
    """The elements of a tensor [...] in lists as deep as its shape, for JSON."""
    if not isinstance(tensor.data, list):
        return tensor.data.tolist()
    if holds_files(tensor.name):
        return [{"b64": base64.b64encode(element).decode()} for element in tensor.data]
    texts = np.array([element.decode() for element in tensor.data], dtype=object)
    return texts.reshape(tensor.shape).tolist()


def _figures(reply: Reply) -> NDArray[Any]:
    """A figure a class, [N, K]."""
    return np.asarray(reply.tensors()[reply.version.answering.figures])


def _rows(value: Any) -> list[Any]:
    """What a list holds; nothing where it is no list. Raises: TooLarge."""
    if not isinstance(value, list):
        return []
    check_count(len(value))
    return value


def _pictures(rows: list[Any], prepared: bool, texts: bool, accept: Accept) -> Sequence[Picture]:
    if texts and _are_texts(rows):
        return made_whole(rows)
    return [_text(row, prepared) if texts else _picture(row, prepared, accept) for row in rows]


def _are_texts(rows: Sequence[Any]) -> bool:
    return set(map(type, rows)) == {str}


def _text(row: Any, prepared: bool) -> str | bytes:
    if isinstance(row, str):
        return as_utf8(row)
    if isinstance(row, dict) and set(row) == {"b64"} and not prepared:
        return from_base64(row["b64"], "b64")
    if prepared:
        raise Refusal('the signature "prepared" takes pixels, and the model takes texts. Leave it out.')
    raise Refusal(f'a text is {shown(row)[:40]!r}; it must be a string, or {{"b64": "..."}} of one in UTF-8.')


def _picture(row: Any, prepared: bool, accept: Accept) -> Picture:
    if isinstance(row, dict) and set(row) == {"b64"}:
        if prepared:
            raise Refusal('the signature "prepared" takes pixels; picture files are prepared by the server.')
        return Encoded(from_base64(row["b64"], "b64"))
    if isinstance(row, list):
        array = as_numbers(row, IMAGE) if accept == "bytes" else from_lists(row, accept, IMAGE)
        if array.ndim == 3 and array.shape[2] == 3:
            return Ready(array) if prepared else Pixels(array)
        raise Refusal(
            f"a picture has shape {list(array.shape)}; it must be [height][width][3]: RGB, {told_range(accept)}."
        )
    raise Refusal(f'a picture is {shown(row)[:40]!r}; it must be {{"b64": "..."}} or nested lists [height][width][3].')


def _listed(keys: Mapping[str, Any]) -> str:
    return ", ".join(shown(key) for key in sorted(keys)[:10])[:120] or "none"


def _unnamed(value: Any) -> Any:
    """A named input without its name."""
    if isinstance(value, dict) and set(value) != {"b64"}:
        if set(value) not in ({IMAGE}, {TEXT}):
            raise Refusal(f"the inputs are {_listed(value)}; there is one, named {IMAGE!r}, or {TEXT!r} of texts.")
        return next(iter(value.values()))
    return value


def _is_one(value: Any) -> bool:
    """Whether this is one picture rather than a list of them."""
    if isinstance(value, dict):
        return True
    depth = 0
    while isinstance(value, list) and value and depth < 4:
        value, depth = value[0], depth + 1
    return depth == 3 and not isinstance(value, list | dict)


def _version(service: Service, request: Request) -> Version:
    parameters = request.path_params
    return service.repository.get(parameters["name"], version=_number(request), label=parameters.get("label"))


def _number(request: Request) -> int | None:
    text = request.path_params.get("version")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refusal(f"{text[:40]!r} is not a version. Versions are whole numbers; 0 stands for the latest.")
    return int(text)
