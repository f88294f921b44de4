"""Boxes in YOLO's text files. In: BoxFiles. Out: Annotated. Next: yolo_settings.py.

A line is `class x y width height`: the number of a class, and shares of the picture's sides, x and y of the box's middle. The text
lies beside the picture, or in labels/ where the picture lies in images/. A picture without one shows nothing, as the format has it.
"""

from __future__ import annotations

import os
import re
from collections import Counter

from tellapart.data.box_files import NOWHERE, Annotated, BoxFiles, Pages, Sides, around, number, read_text_bytes
from tellapart.data.faults import Drawn, FaultList
from tellapart.data.targets import Box
from tellapart.data.yolo_settings import read_settings
from tellapart.reporter import counted

FORM = "boxes in YOLO's text files"

_LABELS = "labels"
_IMAGES = re.compile(r"(?:images?|imgs?|jpegimages|pictures|photos)", re.IGNORECASE)


def read_yolo(files: BoxFiles, faults: FaultList) -> Annotated:
    """Every picture of the data set, with its boxes or none; what is wrong goes to `faults`."""
    settings = read_settings(files, faults)
    pages, used = Pages(faults), set[str]()
    unknown: Counter[int] = Counter()
    for picture in files.pictures:
        text = _text_of(picture, files)
        if text is not None:
            used.add(text)
        splits = settings.splits_of(picture)
        if settings.splits and not splits:
            faults.add("in no list", picture)
            continue
        if len(splits) > 1:
            faults.add("in two splits", picture, detail=" and ".join(sorted(splits)))
            splits = {"train"}
        found = ([], 0) if text is None else _boxes(text, settings.names, unknown, faults)
        if found is not None:
            split = next(iter(splits)) if splits else files.split_of(picture)
            pages.add(picture, found[0], split, Drawn(relative=True, lost=found[1]), text or picture)
    for text in files.ending(".txt"):
        if text not in used and text not in settings.texts and _is_label_file(text):
            faults.add("no picture", text)
    notes = list(settings.notes)
    empty = sum(_text_of(str(entry.path), files) is None for entry in pages.entries())
    if empty:
        notes.append(
            f"{files.root}: {counted(empty, 'picture')} without a text file, which says in this format that nothing is there."
        )
    if unknown and settings.names:
        numbers = ", ".join(map(str, sorted(unknown)[:5]))
        notes.append(f"{files.root}: class numbers without a name, which are left out: {numbers}.")
    return Annotated(entries=pages.entries(), form=FORM, notes=tuple(notes))


def _text_of(picture: str, files: BoxFiles) -> str | None:
    """The text file of a picture: beside it, or with images replaced by labels on the way to it."""
    stem = os.path.splitext(picture)[0]
    parts = os.path.relpath(stem, files.root).split(os.sep)
    ways = [stem + ".txt"]
    for place in reversed(range(len(parts) - 1)):
        if _IMAGES.fullmatch(parts[place]):
            ways.append(os.path.join(files.root, *parts[:place], _LABELS, *parts[place + 1 :]) + ".txt")
    return next((way for way in ways if files.has(way)), None)


def _is_label_file(path: str) -> bool:
    return os.sep + _LABELS + os.sep in path


def _boxes(path: str, names: list[str], unknown: Counter[int], faults: FaultList) -> tuple[list[Box], int] | None:
    """Sides as shares of the picture's, and how many boxes are left out; None, and a fault, where the file cannot be read."""
    data = read_text_bytes(path, faults)
    if data is None:
        return None
    boxes, nameless, shapes = [], 0, 0
    for place, line in enumerate(data.decode("utf-8-sig", errors="replace").splitlines(), start=1):
        cells = line.split()
        if not cells:
            continue
        label = number(cells[0])
        if len(cells) < 5 or not label.is_integer():
            faults.add("unreadable", path, detail=f"line {place} is no 'class x y width height'")
            return None
        name = _name(int(label), names)
        if not name:
            unknown[int(label)] += 1
            nameless += 1
            continue
        shapes += len(cells) > 6
        boxes.append(Box(name, *_sides([number(cell) for cell in cells[1:]])))
    faults.add("no class", path, nameless)
    faults.add("around a shape", path, shapes)
    return boxes, nameless


def _name(label: int, names: list[str]) -> str:
    """Without names, the number itself."""
    if not names:
        return str(label) if label >= 0 else ""
    return names[label] if 0 <= label < len(names) else ""


def _sides(values: list[float]) -> Sides:
    """Of a box, perhaps with a confidence behind it; of more numbers, the box around the points that they are."""
    if len(values) <= 5:
        x, y, width, height = values[:4]
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    pairs = [[values[place], values[place + 1]] for place in range(0, len(values) - 1, 2)]
    return around(pairs) or NOWHERE
