"""Boxes in COCO's JSON. In: BoxFiles. Out: Annotated. Next: boxes_yolo.py.

One JSON with images, annotations and categories for all pictures or for each split: annotations/instances_train2017.json, or
train/_annotations.coco.json. A box is [left, top, width, height] in pixels; where there is only a shape, the box around it.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
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
from tellapart.data.examples import Split
from tellapart.data.faults import Drawn, FaultList
from tellapart.data.layouts import split_of
from tellapart.data.targets import Box
from tellapart.preprocessing import MAX_FILE_BYTES

FORM = "boxes in COCO's JSON"


def read_coco(files: BoxFiles, faults: FaultList) -> Annotated:
    """Every picture that a JSON lists, with its boxes or none; what is wrong goes to `faults`."""
    found = {path: content for path in files.ending(".json") if (content := _open(path, faults)) is not None}
    instances = [path for path in found if "instances" in os.path.basename(path).casefold()]
    chosen = instances or list(found)
    pages, listed = Pages(faults), set[str]()
    unused: Counter[str] = Counter()
    for path in chosen:
        unused += _read(path, found[path], files, pages, listed, faults)
    for picture in files.pictures:
        if picture not in listed:
            faults.add("not annotated", picture)
    named = {box.label for entry in pages.entries() for box in getattr(entry.target, "boxes", ())}
    notes = [
        f"{files.root}: not read beside the instances: {os.path.basename(path)}."
        for path in found
        if path not in chosen
    ]
    without = sorted(set(unused) - named)
    if without:
        notes.append(
            f"{files.root}: categories without a box, which are no classes: {', '.join(map(repr, without[:5]))}."
        )
    outlined = any(_has_outline(one) for path in chosen for one in found[path]["annotations"])
    return Annotated(entries=pages.entries(), form=FORM, notes=tuple(notes), outlined=outlined)


def _has_outline(annotation: object) -> bool:
    return isinstance(annotation, dict) and bool(annotation.get("segmentation"))


def is_coco(content: object) -> bool:
    """Whether it has what COCO's JSON has."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("images"), list)
        and isinstance(content.get("annotations"), list)
        and isinstance(content.get("categories"), list)
    )


def _open(path: str, faults: FaultList) -> Mapping[str, Any] | None:
    content = read_json(path, faults, MAX_FILE_BYTES)
    return content if is_coco(content) else None


def _read(
    path: str,
    content: Mapping[str, Any],
    files: BoxFiles,
    pages: Pages,
    listed: set[str],
    faults: FaultList,
) -> Counter[str]:
    """Add the pictures of one JSON; the categories that it names."""
    near = os.path.dirname(path)
    names = {
        identity(one.get("id")): class_name(one.get("name")) for one in content["categories"] if isinstance(one, dict)
    }
    lost = Counter[str]()
    boxes = _boxes(path, content["annotations"], names, lost, faults)
    split = split_of_json(path, files)
    for image in content["images"]:
        if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
            faults.add("no picture", path, detail="an image without file_name")
            continue
        picture = files.picture(image["file_name"], near)
        if picture is None:
            faults.add("no picture", path, detail=image["file_name"][:200])
            continue
        listed.add(picture)
        key = identity(image.get("id"))
        drawn = Drawn(width=side(image.get("width")), height=side(image.get("height")), lost=lost[key])
        pages.add(picture, boxes.pop(key, []), split or files.split_of(picture), drawn, path)
    faults.add("no picture", path, bool(boxes), "boxes of an image that is not listed")
    return Counter(name for name in names.values() if name)


def _boxes(
    path: str, annotations: list[Any], names: Mapping[str, str], lost: Counter[str], faults: FaultList
) -> defaultdict[str, list[Box]]:
    """By the image's id; how many are left out goes to `lost`, likewise."""
    found: defaultdict[str, list[Box]] = defaultdict(list)
    nameless = shapes = 0
    for one in annotations:
        name = names.get(identity(one.get("category_id")), "") if isinstance(one, dict) else ""
        if not name:
            nameless += 1
            lost[identity(one.get("image_id")) if isinstance(one, dict) else ""] += 1
            continue
        sides = _sides(one)
        shapes += not isinstance(one.get("bbox"), list)
        crowd = bool(one.get("iscrowd"))
        box = Box(name, *sides, difficult=bool(one.get("ignore")) and not crowd, crowd=crowd)
        found[identity(one.get("image_id"))].append(box)
    faults.add("no class", path, nameless)
    faults.add("around a shape", path, shapes)
    return found


def _sides(one: Mapping[str, Any]) -> Sides:
    box = one.get("bbox")
    if isinstance(box, list) and len(box) == 4:
        left, top, width, height = map(number, box)
        return left, top, left + width, top + height
    shape = one.get("segmentation")
    flat = [value for part in shape for value in part] if isinstance(shape, list) and all(map(_is_list, shape)) else []
    pairs = [[flat[place], flat[place + 1]] for place in range(0, len(flat) - 1, 2)]
    return around(pairs) or NOWHERE


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def identity(value: object) -> str:
    """An id as a text: numbers and texts are both in use."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def split_of_json(path: str, files: BoxFiles) -> Split | None:
    """By the JSON's own name, instances_train2017, or the folder that it lies in."""
    said = split_of(Path(path).stem)
    return said.split if said is not None else files.split_of(path)
