"""Boxes in CVAT's XML for images. In: BoxFiles. Out: Annotated. Next: boxes_coco.py.

One annotations.xml for all pictures: <image name width height subset> with <box label xtl ytl xbr ybr>, in pixels. Around a box
that is turned, and around any other shape, the upright box is taken, and told. CVAT's XML for video has tracks, and is not read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import NamedTuple
from xml.etree.ElementTree import Element

from tellapart.data.box_files import (
    NOWHERE,
    Annotated,
    BoxFiles,
    Pages,
    Sides,
    around,
    class_name,
    number,
    read_text_bytes,
    side,
)
from tellapart.data.box_xml import parse_xml
from tellapart.data.columns import split_named
from tellapart.data.faults import Drawn, FaultList
from tellapart.data.targets import Box

FORM = "boxes in CVAT's XML"

_MOST_BYTES = 256 * 1024 * 1024  # a million boxes are 150 MB, and five times that in memory
_POINTS = ("polygon", "polyline", "points")
_SHAPES = frozenset(("box", "ellipse", "mask", "cuboid", "skeleton", *_POINTS))


class _Found(NamedTuple):
    """The boxes of one picture."""

    boxes: list[Box]
    nameless: int
    shapes: int  # that are no upright boxes


def read_cvat(files: BoxFiles, faults: FaultList) -> Annotated:
    """Every picture that an XML lists, with its boxes or none; what is wrong goes to `faults`."""
    pages, listed = Pages(faults), set[str]()
    for path in files.ending(".xml"):
        data = read_text_bytes(path, faults, _MOST_BYTES)
        root = None if data is None else parse_xml(path, data, faults)
        if root is None or root.tag != "annotations":
            continue
        if root.find("track") is not None:
            faults.add("unreadable", path, detail="tracks through a video; export it as CVAT for images")
        for image in root.iter("image"):
            _add(path, image, files, pages, listed, faults)
    for picture in files.pictures:
        if picture not in listed:
            faults.add("not annotated", picture)
    return Annotated(entries=pages.entries(), form=FORM)


def _add(path: str, image: Element, files: BoxFiles, pages: Pages, listed: set[str], faults: FaultList) -> None:
    """One picture of an XML."""
    name = image.get("name", "")
    picture = files.picture(name, os.path.dirname(path))
    if picture is None:
        faults.add("no picture", path, detail=name[:200])
        return
    listed.add(picture)
    found = _boxes(image)
    faults.add("no class", picture, found.nameless)
    faults.add("around a shape", picture, found.shapes)
    drawn = Drawn(width=side(image.get("width")), height=side(image.get("height")), lost=found.nameless)
    split = split_named(image.get("subset", "")) or files.split_of(picture)
    pages.add(picture, found.boxes, split, drawn, path)


def _boxes(image: Element) -> _Found:
    boxes, nameless, shapes = [], 0, 0
    for shape in image:
        if shape.tag not in _SHAPES:
            continue  # a class of the whole picture, <tag>, or what a later CVAT may add
        label = class_name(shape.get("label", ""))
        if not label:
            nameless += 1
            continue
        sides = _sides(shape)
        shapes += shape.tag != "box" or bool(_turn(shape))
        boxes.append(Box(label, *sides, difficult=_marked(shape, "difficult"), truncated=_marked(shape, "truncated")))
    return _Found(boxes, nameless, shapes)


def _sides(shape: Element) -> Sides:
    """The upright box around a shape; NOWHERE where its numbers are none, or it is of a kind that has none here."""
    if shape.tag == "box":
        left, top, right, bottom = (number(shape.get(name)) for name in ("xtl", "ytl", "xbr", "ybr"))
        return _turned((left, top, right, bottom), _turn(shape))
    if shape.tag == "ellipse":
        across, down, wide, high = (number(shape.get(name)) for name in ("cx", "cy", "rx", "ry"))
        return _of_ellipse(across, down, wide, high, _turn(shape))
    if shape.tag == "mask":
        left, top, width, height = (number(shape.get(name)) for name in ("left", "top", "width", "height"))
        return left, top, left + width, top + height
    if shape.tag in _POINTS:
        return around([pair.split(",") for pair in shape.get("points", "").split(";") if pair]) or NOWHERE
    return NOWHERE


def _turn(shape: Element) -> float:
    """How far a shape is turned about its middle, in degrees."""
    found = number(shape.get("rotation", "0"))
    return found % 360 if math.isfinite(found) else 0.0


def _turned(sides: Sides, degrees: float) -> Sides:
    """The upright box around one that is turned about its middle."""
    if not degrees:
        return sides
    left, top, right, bottom = sides
    across, down = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    wide = (abs(right - left) * across + abs(bottom - top) * down) / 2
    high = (abs(right - left) * down + abs(bottom - top) * across) / 2
    middle, level = (left + right) / 2, (top + bottom) / 2
    return middle - wide, level - high, middle + wide, level + high


def _of_ellipse(across: float, down: float, wide: float, high: float, degrees: float) -> Sides:
    """The upright box around an ellipse with half axes `wide` and `high`, turned about its middle."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    half, tall = math.hypot(wide * cosine, high * sine), math.hypot(wide * sine, high * cosine)
    return across - half, down - tall, across + half, down + tall


def _marked(shape: Element, mark: str) -> bool:
    """Whether an attribute of that name is set, as CVAT's exports of Pascal VOC's marks have it."""
    said: Mapping[str, str] = {one.get("name", "").casefold(): one.text or "" for one in shape.iter("attribute")}
    return said.get(mark, "").strip().casefold() in ("1", "true", "yes")
