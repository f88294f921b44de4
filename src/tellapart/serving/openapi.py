"""The description of the HTTP paths, OpenAPI 3.1. In: nothing. Out: a document for /openapi.json. Next: openapi_answers.py."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from tellapart.serving.openapi_answers import answer_schemas, describe_object

_NUMBER = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}  # 0: the latest
_NAME: dict[str, Any] = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_VERSION = {"name": "version", "in": "path", "required": True, "schema": _NUMBER}
_LABEL = {"name": "label", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_ERROR = {"$ref": "#/components/schemas/Error"}
_OBJECT: dict[str, Any] = {"type": "object"}
_REFUSALS = {
    "400": "The request is wrong.",
    "401": "No key, or not a known one.",
    "403": "For another host, or from a page of another site.",
    "404": "No such model or version.",
    "408": "The body did not arrive in time.",
    "409": "The server was not started for this.",
    "413": "More bytes, pictures or pixels than allowed.",
    "429": "The queue is full; come again after Retry-After seconds.",
    "503": "Not ready, or shutting down.",
    "504": "The answer was not there in time.",
    "507": "What should be kept has no place on the disk.",
}
_QUERY = [
    {
        "name": "model",
        "in": "query",
        "description": "May be left out where there is one.",
        "schema": {"type": "string"},
    },
    {"name": "version", "in": "query", "description": "0: the latest.", "schema": _NUMBER},
    {
        "name": "top",
        "in": "query",
        "description": "How many classes a picture.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 999999, "default": 5},
    },
    {
        "name": "text_column",
        "in": "query",
        "description": "Of a table of texts (text/csv, or a file named .csv): which column holds them, by its name or number.",
        "schema": {"type": "string"},
    },
    {
        "name": "explain",
        "in": "query",
        "description": "Add a heatmap: of the most probable class, or of one box. A picture without such a box has none. "
        "Of a text, what each word says: `reason`.",
        "schema": {"type": "boolean", "default": False},
    },
    {
        "name": "box",
        "in": "query",
        "description": "With `explain`, of a model that finds boxes: which of the boxes that are answered, the most certain first.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 99999, "default": 1},
    },
    {
        "name": "min_score",
        "in": "query",
        "description": "Of a model that finds boxes: every box at least so certain, with `told`, whether it reaches its class's "
        "threshold, instead of those alone that do.",
        "schema": {"type": "number", "minimum": 0, "maximum": 1},
    },
    {
        "name": "polygons",
        "in": "query",
        "description": "Of a model that makes masks: the border of each connected part, too.",
        "schema": {"type": "boolean", "default": False},
    },
    {
        "name": "neighbours",
        "in": "query",
        "description": "Add so many training pictures that look alike, where shipped.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 50, "default": 0},
    },
]


def describe(models: Sequence[str] = ()) -> dict[str, Any]:
    """The document; `models` are those that can be asked now."""
    name = {**_NAME, "schema": {**_NAME["schema"], "enum": list(models)}} if models else _NAME
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tellapart",
            "version": importlib.metadata.version("tellapart"),
            "description": "Pictures to classes, one or several a picture, to boxes with classes, or to a class a pixel; texts to "
            "a class: plain REST, TensorFlow Serving's REST and the Open Inference Protocol (v2).",
        },
        "paths": {**_plain(), **_tfserving(name), **_inference_protocol(name), **_operations()},
        "components": {"schemas": _schemas(), "securitySchemes": _security()},
        "security": [{}, {"bearer": []}, {"header": []}],
    }


def _plain() -> dict[str, Any]:
    picture = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
    many = {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
    form = {"schema": {"type": "object", "required": ["file"], "properties": {"file": many}}}
    text = {"type": "string", "minLength": 1, "description": "A picture file as base64, or a data: URI."}
    written = {"oneOf": [text, {"type": "array", "minItems": 1, "items": text}]}
    said = {"type": "string", "minLength": 1, "description": "A text, of a model that takes texts."}
    texts = {"oneOf": [said, {"type": "array", "minItems": 1, "items": said}]}
    both = [describe_object([name], **{name: one}) for name, one in (("image", written), ("text", texts))]
    as_json = {"schema": {"oneOf": both}}
    content = {
        "multipart/form-data": form,
        "image/*": picture,
        "application/octet-stream": picture,
        "application/json": as_json,
        "text/plain": {"schema": said},
        "text/csv": {
            "schema": {
                **said,
                "description": "A table of texts in UTF-8, of a model that takes texts: each row is one.",
            }
        },
    }
    predict = _operation("What picture files show, or texts say.", "Predicted", _QUERY, content)
    text = {"type": "string"}
    boxes = {**text, "description": "A JSON list of [label, left, top, right, bottom], in pixels; [] for none."}
    told = {
        "label": text,
        "labels": text,
        "boxes": boxes,
    }  # of a model that names one class, or several, or finds boxes
    fields = {"file": {**text, "format": "binary"}, **told, "model": text, "version": text}
    one = [{"required": [name]} for name in told]
    kept = {"type": "object", "required": ["file"], "anyOf": one, "properties": fields}
    correction = {"multipart/form-data": {"schema": kept}}
    return {
        "/predict": {"post": predict},
        "/corrections": {"post": _operation("Keep a picture and what it shows.", "Corrected", content=correction)},
        "/models": {"get": _operation("Every model: classes, scores, origin.", None)},
        "/health/live": {"get": _operation("The process answers.", None)},
        "/health/ready": {"get": _operation("Every model serves.", None)},
    }


def _tfserving(name: dict[str, Any]) -> dict[str, Any]:
    paths: dict[str, Any] = {"/v1/models": {"get": _operation("Names of the models.", None)}}
    variants = (
        ("/v1/models/{name}", [name]),
        ("/v1/models/{name}/versions/{version}", [name, _VERSION]),
        ("/v1/models/{name}/labels/{label}", [name, _LABEL]),
    )
    for path, parameters in variants:
        paths[path] = {"get": _operation("States of the versions.", "Status", parameters)}
        paths[f"{path}/metadata"] = {"get": _operation("The signatures.", None, parameters)}
        predict, classify = _json("TfPredict"), _json("TfClassify")
        paths[f"{path}:predict"] = {"post": _operation("Probabilities, boxes, or masks.", None, parameters, predict)}
        paths[f"{path}:classify"] = {"post": _operation("Classes and probabilities.", None, parameters, classify)}
    return paths


def _inference_protocol(name: dict[str, Any]) -> dict[str, Any]:
    paths: dict[str, Any] = {
        "/v2": {"get": _operation("Name, version and extensions.", None)},
        "/v2/health/live": {"get": _operation("The process answers.", None)},
        "/v2/health/ready": {"get": _operation("Every model serves.", None)},
        "/v2/models/stats": {"get": _operation("Statistics of all models.", None)},
        "/v2/repository/index": {
            "post": _operation("Every model and its state.", None, content=_json("Index"), array=True)
        },
        "/v2/repository/models/{name}/load": {"post": _operation("Serve a model.", None, [name])},
        "/v2/repository/models/{name}/unload": {"post": _operation("Serve it no longer.", None, [name])},
    }
    for path, parameters in (
        ("/v2/models/{name}", [name]),
        ("/v2/models/{name}/versions/{version}", [name, _VERSION]),
    ):
        paths[path] = {"get": _operation("Inputs and outputs.", None, parameters)}
        paths[f"{path}/ready"] = {"get": _operation("Whether it serves.", None, parameters)}
        paths[f"{path}/config"] = {"get": _operation("Its tensors, as Triton configures them.", None, parameters)}
        paths[f"{path}/stats"] = {"get": _operation("What it has done so far.", None, parameters)}
        paths[f"{path}/infer"] = {"post": _operation("Classify.", "Inferred", parameters, _json("Infer"))}
    return paths


def _operations() -> dict[str, Any]:
    text = {"description": "Prometheus's text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    metrics = _operation("What is counted.", None)
    metrics["responses"]["200"] = text
    return {"/metrics": {"get": metrics}, "/openapi.json": {"get": _operation("This document.", None)}}


def _operation(
    summary: str,
    answer: str | None,
    parameters: list[dict[str, Any]] | None = None,
    content: dict[str, Any] | None = None,
    *,
    array: bool = False,
) -> dict[str, Any]:
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{answer}"} if answer else _OBJECT
    if array:
        schema = {"type": "array", "items": _OBJECT}
    refusals = {
        status: {"description": why, "content": {"application/json": {"schema": _ERROR}}}
        for status, why in _REFUSALS.items()
    }
    described: dict[str, Any] = {
        "summary": summary,
        "responses": {"200": {"description": "Done.", "content": {"application/json": {"schema": schema}}}, **refusals},
    }
    if parameters:
        described["parameters"] = parameters
    if content:
        described["requestBody"] = {"required": content != _json("Index"), "content": content}
    return described


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _security() -> dict[str, Any]:
    return {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }


def _schemas() -> dict[str, Any]:
    text = {"type": "string"}
    encoded = describe_object(["b64"], b64={"type": "string", "contentEncoding": "base64"})
    pixels = {"type": "array", "items": {"type": "array", "items": {"type": "array", "items": _whole(255)}}}
    picture = {"anyOf": [encoded, pixels]}
    named = describe_object(["image"], image=picture)
    signature = {"enum": ["serving_default", "decisions", "prepared"]}
    of_text = describe_object(["text"], text={"anyOf": [text, encoded]})
    several = {"type": "array", "minItems": 1, "items": {"anyOf": [picture, named, text, of_text]}}
    column = {"type": "array", "minItems": 1, "items": {"anyOf": [picture, text]}}
    return {
        "Error": describe_object(["error"], error=text),
        "Corrected": describe_object(
            ["path", "replaced"], path=text, label=text, labels=text, boxes=text, replaced={"type": "boolean"}
        ),
        "Predicted": describe_object(
            ["model", "version", "predictions"],
            model=text,
            version={"type": "integer"},
            predictions={"type": "array", "items": {"anyOf": answer_schemas()}},
        ),
        "Status": describe_object(["model_version_status"], model_version_status={"type": "array", "items": _OBJECT}),
        "TfPredict": {
            "anyOf": [
                describe_object(["instances"], instances=several, signature_name=signature),
                describe_object(
                    ["inputs"],
                    inputs={
                        "anyOf": [column, *(describe_object([name], **{name: column}) for name in ("image", "text"))]
                    },
                    signature_name=signature,
                ),
            ]
        },
        "TfClassify": describe_object(
            ["examples"], examples={"type": "array", "minItems": 1, "items": {"anyOf": [named, of_text]}}
        ),
        "Infer": describe_object(
            ["inputs"], id=text, inputs={"type": "array", "minItems": 1, "maxItems": 1, "items": _tensor()}
        ),
        "Inferred": describe_object(
            ["model_name", "model_version", "outputs"], outputs={"type": "array", "items": _OBJECT}
        ),
        "Index": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    }


def _tensor() -> dict[str, Any]:
    """Pictures as the Open Inference Protocol sends them."""
    return describe_object(
        ["name", "datatype", "shape", "data"],
        name={"const": "image"},
        datatype={"enum": ["BYTES", "UINT8"]},
        shape={"type": "array", "maxItems": 4, "items": _whole(2**31 - 1)},
        data={"type": "array"},
        parameters=_OBJECT,
    )


def _whole(most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "maximum": most}
