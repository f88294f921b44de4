"""What an answer looks like, by the kinds of models. In: nothing. Out: schemas. Next: app.py."""

from __future__ import annotations

from typing import Any


def describe_object(required: list[str], /, **properties: Any) -> dict[str, Any]:
    """An object with some properties that it must have."""
    return {"type": "object", "required": required, "properties": properties}


def answer_schemas() -> list[dict[str, Any]]:
    """One picture's answer: of a model that names one class, that names several, that finds boxes, that
    makes masks, or why there is none.
    """
    text, number = {"type": "string"}, {"type": "number"}
    warning = {"type": ["string", "null"]}
    common: dict[str, Any] = {
        "file": text,
        "unknown": {"type": ["boolean", "null"]},
        "novelty": {"type": ["number", "null"]},
        "warning": warning,
        "heatmap": text,
        "reason": _reason(),  # of a text, in the place of a heatmap
        "neighbours": {"type": "array", "items": {"type": "object"}},
    }
    one_class = describe_object(
        ["file", "label", "probability", "classes", "set", "unknown", "novelty", "warning"],
        **common,
        label=text,
        probability=number,
        classes={"type": "array", "items": describe_object(["label", "probability"], label=text, probability=number)},
        set={"type": ["array", "null"], "items": text},
    )
    several = describe_object(
        ["file", "labels", "probabilities", "unknown", "novelty", "warning"],
        **common,
        labels={"type": "array", "items": text},
        probabilities={"type": "object", "additionalProperties": number},
    )
    boxes = describe_object(
        ["file", "boxes", "counts", "width", "height", "unknown", "novelty", "warning"],
        **common,
        boxes={"type": "array", "items": _box()},
        counts={"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}},  # of those that are told
        width={"type": "integer", "minimum": 1},  # pixels of the upright picture
        height={"type": "integer", "minimum": 1},
    )
    return [one_class, several, boxes, _masks(common), describe_object(["file", "error"], file=text, error=text)]


def _reason() -> dict[str, Any]:
    """What the words of a text say for its class over the next."""
    text, number = {"type": "string"}, {"type": "number"}
    word = describe_object(["word", "weight"], word=text, weight=number)
    return describe_object(
        ["label", "over", "begins", "temperature", "words", "left_out"],
        label=text,
        over=text,
        begins={"type": ["number", "null"]},
        temperature=number,
        words={"type": "array", "items": word},
        left_out={"type": "integer", "minimum": 0},
    )


def _box() -> dict[str, Any]:
    """One thing that was found, in pixels of the upright picture; `told` where `min_score` was asked for."""
    sides = {side: {"type": "number", "minimum": 0} for side in ("left", "top", "right", "bottom")}
    score = {"type": "number", "minimum": 0, "maximum": 1}
    return describe_object(
        ["label", "score", *sides], label={"type": "string"}, score=score, told={"type": "boolean"}, **sides
    )


def _masks(common: dict[str, Any]) -> dict[str, Any]:
    """A class a pixel: areas, the mask, and borders where `polygons` were asked for."""
    text, count = {"type": "string"}, {"type": "integer", "minimum": 0}
    file = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}
    area = describe_object(
        ["label", "colour", "pixels", "share", "parts", "sizes"],
        label=text,
        colour=text,  # #rrggbb, as in the mask's palette
        pixels=count,
        share={"type": "number", "minimum": 0, "maximum": 1},
        parts={"type": ["integer", "null"], "minimum": 0},  # null: of the background
        sizes={"type": ["array", "null"], "items": count},  # pixels, the largest first, 100 at most
    )
    corner = {"type": "array", "minItems": 2, "maxItems": 2, "items": count}
    ring = {"type": "array", "items": corner}
    outline = describe_object(
        ["label", "pixels", "polygon", "holes"],
        label=text,
        pixels=count,
        polygon=ring,
        holes={"type": "array", "items": ring},
    )
    return describe_object(
        ["file", "areas", "width", "height", "confidence", "mask", "certainty", "unknown", "novelty", "warning"],
        **common,
        areas={"type": "array", "items": area},
        width={"type": "integer", "minimum": 1},
        height={"type": "integer", "minimum": 1},
        confidence={"type": "number", "minimum": 0, "maximum": 1},
        mask=file,  # numbers of classes, with a palette
        certainty=file,  # grey, 255 for 1
        polygons={"type": "array", "items": outline},
    )
