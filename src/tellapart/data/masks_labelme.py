"""Masks out of LabelMe's JSON, one a picture. In: BoxFiles, bytes. Out: masks, pixels. Next: masks_table.py.

Polygons, rectangles, circles and masks are drawn in their order; lines and points have no area. __ignore__ counts nowhere.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from tellapart.data.box_files import MOST_TEXT_BYTES, BoxFiles, class_name, number, read_json, side
from tellapart.data.examples import Split
from tellapart.data.faults import FaultList
from tellapart.data.mask_drawing import Canvas
from tellapart.data.mask_fit import Size
from tellapart.data.mask_legend import BACKGROUND
from tellapart.data.mask_pixels import Values, read_values
from tellapart.data.mask_shapes import check_points, fill_polygon
from tellapart.data.mask_targets import MaskFile, Painting
from tellapart.errors import PictureError

_AREAS = ("polygon", "rectangle", "circle", "mask")
_LINES = ("line", "linestrip", "point", "points")
_ROUND = 128  # corners of a circle
_OWN_NAMES = {"_background_": BACKGROUND}


def list_labelme(files: BoxFiles, faults: FaultList) -> dict[str, tuple[MaskFile, Split | None]]:
    """Every picture with an annotation that can be read, with its mask, not yet drawn, and the split of its folder."""
    found: dict[str, tuple[MaskFile, Split | None]] = {}
    for path in files.ending(".json"):
        content = read_json(path, faults)
        if not _is_labelme(content):
            continue
        near, named = os.path.dirname(path), content.get("imagePath")
        own = files.picture(os.path.splitext(os.path.basename(path))[0], near)
        picture = own or (files.picture(named, near) if isinstance(named, str) else None)
        if picture is None:
            faults.add("no picture", path, detail=str(named)[:200])
            continue
        if picture in found:
            faults.add("annotated twice", picture, detail=f"again in {os.path.basename(path)}")
            continue
        drawn, nameless, lines = _counts(content["shapes"])
        faults.add("shape without class", path, nameless)
        faults.add("no shape", path, lines)
        if nameless + lines and not drawn:
            faults.add("none left", picture, detail=f"of {nameless + lines:,}")
            continue
        painting = Painting(values=(), pixels=(), form="labelme")
        found[picture] = MaskFile(Path(path), painting=painting), files.split_of(path)
    return found


def draw_labelme(data: bytes, picture: Size) -> Values:
    """The mask of one annotation at the size that it says, or else the picture's. Raises: PictureError."""
    try:
        content = json.loads(data) if len(data) <= MOST_TEXT_BYTES else None
    except (ValueError, RecursionError) as error:
        raise PictureError(f"no JSON: {error}") from None
    if not _is_labelme(content):
        raise PictureError("no shapes as LabelMe has them")
    width, height = (side(content.get(name)) for name in ("imageWidth", "imageHeight"))
    size = (int(width), int(height)) if 1 <= width < 1e6 and 1 <= height < 1e6 else picture
    canvas = Canvas(size)
    for shape in content["shapes"]:
        name = _name(shape)
        if name and _kind(shape) in _AREAS:
            canvas.draw(name, *_filled(shape, size))
    return canvas.values()


def _is_labelme(content: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)


def _counts(shapes: list[Any]) -> tuple[int, int, int]:
    """How many shapes can be drawn, have no class, have no area."""
    named = [shape for shape in shapes if _name(shape)]
    drawn = sum(_kind(shape) in _AREAS for shape in named)
    return drawn, len(shapes) - len(named), len(named) - drawn


def _name(shape: object) -> str:
    name = class_name(shape.get("label")) if isinstance(shape, dict) else ""
    return _OWN_NAMES.get(name, name)


def _kind(shape: Mapping[str, Any]) -> str:
    return str(shape.get("shape_type") or "polygon")


def _filled(shape: Mapping[str, Any], size: Size) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """A shape's pixels and where they lie. Raises: PictureError for points that are none."""
    points, kind = _points(shape.get("points")), _kind(shape)
    if kind == "mask":
        return _pasted(shape.get("mask"), points, size)
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points
        points = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    if kind == "circle":
        if len(points) != 2:
            raise PictureError("a circle that is not its middle and a point on it")
        angles = np.arange(_ROUND) * 2 * np.pi / _ROUND
        radius = float(np.hypot(*(points[1] - points[0])))
        points = points[0] + radius * np.stack((np.cos(angles), np.sin(angles)), axis=1)
    return fill_polygon(points, size)


def _points(found: object) -> NDArray[np.float64]:
    if not isinstance(found, list) or not all(isinstance(one, list) and len(one) == 2 for one in found):
        raise PictureError("a shape whose points are no pairs of numbers")
    points = np.array([[number(one[0]), number(one[1])] for one in found], dtype=np.float64).reshape(-1, 2)
    check_points(points)
    return points


def _pasted(text: object, points: NDArray[np.float64], size: Size) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """A mask in the JSON, a PNG in base64 for the rectangle between two points."""
    try:
        data = base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except (ValueError, binascii.Error):
        data = b""
    if len(points) != 2 or not data:
        raise PictureError("a mask in the JSON that is no PNG in base64 with two corners")
    found = read_values(data)
    inside = np.array([value != 0 for value in found.values])[found.indices]
    left, top = (int(edge) for edge in points.min(axis=0))
    inside = inside[max(0, -top) : max(0, size[1] - top), max(0, -left) : max(0, size[0] - left)]
    return inside, (max(0, left), max(0, top))
