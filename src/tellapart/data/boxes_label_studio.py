"""Boxes in Label Studio's own exports. In: BoxFiles. Out: Annotated. Next: boxes_table.py.

Its JSON has a task a picture with everybody's annotations, its JSON-MIN and CSV a row a picture. Sides are percentages of the
picture's; a box may be turned around its upper left corner. Pictures are called as they were uploaded, with eight digits before.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

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
    read_text_bytes,
    side,
)
from tellapart.data.faults import Drawn, FaultList
from tellapart.data.targets import Box

FORM = "regions in Label Studio's exports"
MARK = b"labels"  # in the name under which a region has its classes: rectanglelabels

_NAMES = ("rectanglelabels", "labels", "polygonlabels", "ellipselabels")
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")
_LOCAL = "?d="  # of pictures that it reads from a folder: /data/local-files/?d=street/1.jpg


class _Task(NamedTuple):
    """One picture, as it is called in several ways, and what somebody marked on it."""

    names: list[str]
    regions: list[Any]
    annotations: int  # by how many people


def read_label_studio(files: BoxFiles, faults: FaultList) -> Annotated:
    """Every picture that an export lists and somebody finished; what is wrong goes to `faults`."""
    pages, listed = Pages(faults), set[str]()
    for path in files.ending(".json", ".csv"):
        for task in _tasks(path, faults):
            picture = _picture(task.names, files, os.path.dirname(path))
            if picture is None:
                faults.add("no picture", path, detail=next(iter(task.names), "")[:200])
                continue
            if not task.annotations:
                continue
            if task.annotations > 1:
                faults.add(
                    "annotated twice", picture, detail=f"by {task.annotations} people in {os.path.basename(path)}"
                )
            listed.add(picture)
            boxes, drawn = _boxes(picture, task.regions, faults)
            pages.add(picture, boxes, files.split_of(picture), drawn, path)
    for picture in files.pictures:
        if picture not in listed:
            faults.add("not annotated", picture)
    return Annotated(entries=pages.entries(), form=FORM)


def _tasks(path: str, faults: FaultList) -> Iterator[_Task]:
    rows = _csv_rows(path, faults) if path.lower().endswith(".csv") else read_json(path, faults)
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict):
            continue
        if isinstance(row.get("data"), dict):
            yield _whole(row)
        elif any(isinstance(value, str) for value in row.values()):
            yield _short(row)


def _whole(task: Mapping[str, Any]) -> _Task:
    """A task of the JSON: the annotation that is called the truth, or else the first that was not given up, is taken."""
    given = task.get("annotations", task.get("completions"))
    several = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    finished = [one for one in several if not one.get("was_cancelled")]
    finished.sort(key=lambda one: one.get("ground_truth") is not True)
    result = finished[0].get("result") if finished else None
    regions = [
        {**one, **one["value"]}
        for one in (result if isinstance(result, list) else ())
        if isinstance(one, dict) and isinstance(one.get("value"), dict)
    ]
    names = [value for value in (*task["data"].values(), task.get("file_upload")) if isinstance(value, str)]
    return _Task(names, regions, len(finished))


def _short(row: Mapping[str, Any]) -> _Task:
    """A row of the JSON-MIN or CSV: it has no regions where nothing was found, or where nobody looked."""
    lists = [value for value in row.values() if isinstance(value, list)]
    regions = [one for value in lists for one in value if isinstance(one, dict)]
    looked = bool(regions) or row.get("annotation_id") not in (None, "")
    return _Task([value for value in row.values() if isinstance(value, str)], regions, int(looked))


def _csv_rows(path: str, faults: FaultList) -> list[dict[str, Any]] | None:
    data = read_text_bytes(path, faults)
    if data is None or MARK not in data:
        return None
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig")), restkey=""))
    except (UnicodeDecodeError, csv.Error) as error:
        faults.add("unreadable", path, detail=f"no CSV: {error}")
        return None
    return [{name: _cell(value) for name, value in row.items()} for row in rows]


def _cell(value: object) -> Any:
    """A cell with a list of regions as such; others as they are."""
    if isinstance(value, str) and value.startswith("[{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _picture(names: Sequence[str], files: BoxFiles, near: str) -> str | None:
    """The picture that one of the names calls: as it is, as a path on the server, or as it was before it was uploaded."""
    for name in names:
        plain = unquote(name.partition(_LOCAL)[2] or name)
        last = plain.replace("\\", "/").rpartition("/")[2]
        for called in (plain, _UPLOADED.sub("", last, count=1)):
            found = files.picture(called, near)
            if found is not None:
                return found
    return None


def _boxes(picture: str, regions: Sequence[Mapping[str, Any]], faults: FaultList) -> tuple[list[Box], Drawn]:
    """Sides as shares of the picture's."""
    boxes, nameless, others, width, height = [], 0, 0, 0.0, 0.0
    for region in regions:
        named = next((region[name] for name in _NAMES if isinstance(region.get(name), list)), None)
        if named is None and not {"x", "points"} & set(region):
            continue  # what is said of the whole picture: a choice, a text
        width, height = side(region.get("original_width")) or width, side(region.get("original_height")) or height
        name = class_name(named[0]) if named else ""
        if not name:
            nameless += 1
            continue
        found = _sides(region, width or 1.0, height or 1.0)
        others += bool({"points", "radiusX"} & set(region) or number(region.get("rotation") or 0))
        boxes.append(Box(name, *found))
    faults.add("no class", picture, nameless)
    faults.add("around a shape", picture, others)
    return boxes, Drawn(width=width, height=height, relative=True, lost=nameless)


def _sides(region: Mapping[str, Any], width: float, height: float) -> Sides:
    """The upright box around a region, as shares of the picture's sides; NOWHERE where its numbers are none."""
    if "points" in region:
        found = around(region["points"])
        return NOWHERE if found is None else _shares(*found)
    left, top = number(region.get("x")), number(region.get("y"))
    if "radiusX" in region:
        across, down = number(region.get("radiusX")), number(region.get("radiusY"))
        return _shares(left - across, top - down, left + across, top + down)
    across, down = number(region.get("width")), number(region.get("height"))
    turned = number(region.get("rotation") or 0)
    if not all(map(math.isfinite, (left, top, across, down, turned))):
        return NOWHERE
    if not turned:
        return _shares(left, top, left + across, top + down)
    # In pixels, since a percentage across is another length than one down.
    sine, cosine = math.sin(math.radians(turned)), math.cos(math.radians(turned))
    corners = [(x * width, y * height) for x, y in ((0.0, 0.0), (across, 0.0), (0.0, down), (across, down))]
    xs = [left + (x * cosine - y * sine) / width for x, y in corners]
    ys = [top + (x * sine + y * cosine) / height for x, y in corners]
    return _shares(min(xs), min(ys), max(xs), max(ys))


def _shares(left: float, top: float, right: float, bottom: float) -> Sides:
    return left / 100, top / 100, right / 100, bottom / 100
