"""Boxes in LabelMe's JSON. In: BoxFiles. Out: Annotated. Next: boxes_table.py.

One JSON a picture, beside it or in a folder of its own, with shapes of points. A rectangle is two or four points; around any
other shape the upright box is taken, and told.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tellapart.data.box_files import (
    NOWHERE,
    Annotated,
    BoxFiles,
    Pages,
    Sides,
    around,
    class_name,
    number,
    read_json,
    side,
)
from tellapart.data.faults import Drawn, FaultList
from tellapart.data.targets import Box

FORM = "shapes in LabelMe's JSON"


def read_labelme(files: BoxFiles, faults: FaultList) -> Annotated:
    """Every picture with an annotation that can be read; what is wrong goes to `faults`."""
    pages, annotated = Pages(faults), set[str]()
    for path in files.ending(".json"):
        content = _open(path, faults)
        if content is None:
            continue
        near = os.path.dirname(path)
        named = content.get("imagePath")
        stem = os.path.splitext(os.path.basename(path))[0]
        own = files.picture(stem, near)
        picture = own or (files.picture(named, near) if isinstance(named, str) else None)
        if picture is None:
            faults.add("no picture", path, detail=str(named)[:200])
            continue
        annotated.add(picture)
        if own and isinstance(named, str) and os.path.splitext(named.replace("\\", "/").rpartition("/")[2])[0] != stem:
            faults.add("other name", path, detail=named[:200])
        boxes, lost = _boxes(path, content["shapes"], faults)
        drawn = Drawn(width=side(content.get("imageWidth")), height=side(content.get("imageHeight")), lost=lost)
        pages.add(picture, boxes, files.split_of(path), drawn, path)
    for picture in files.pictures:
        if picture not in annotated:
            faults.add("not annotated", picture)
    return Annotated(entries=pages.entries(), form=FORM)


def _open(path: str, faults: FaultList) -> Mapping[str, Any] | None:
    content = read_json(path, faults)
    return content if isinstance(content, dict) and isinstance(content.get("shapes"), list) else None


def _boxes(path: str, shapes: list[Any], faults: FaultList) -> tuple[list[Box], int]:
    """The boxes, and how many are left out."""
    boxes, nameless, others = [], 0, 0
    for shape in shapes:
        name = class_name(shape.get("label")) if isinstance(shape, dict) else ""
        if not name:
            nameless += 1
            continue
        kind = shape.get("shape_type") or "polygon"
        sides = _circle(shape.get("points")) if kind == "circle" else around(shape.get("points"))
        others += kind != "rectangle"
        boxes.append(Box(name, *(sides or NOWHERE), difficult=shape.get("difficult") is True))
    faults.add("no class", path, nameless)
    faults.add("around a shape", path, others)
    return boxes, nameless


def _circle(points: object) -> Sides | None:
    """The box around a circle, which is its middle and a point on it."""
    if not isinstance(points, list) or len(points) != 2 or around(points) is None:
        return None
    (across, down), (x, y) = ([number(value) for value in point] for point in points)
    radius = ((x - across) ** 2 + (y - down) ** 2) ** 0.5
    return across - radius, down - radius, across + radius, down + radius
