"""The files of a data set of boxes: pictures, and what may say where boxes are. In: a tree. Out: BoxFiles. Next: box_xml.py.

Annotations name pictures in many ways: by a path from somewhere else, without an extension, in other case. Only what was listed
is ever found, so that no name leads out of the folder.
"""

from __future__ import annotations

import json
import math
import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.data.columns import split_named
from tellapart.data.examples import Entry, Split
from tellapart.data.faults import Drawn, FaultList
from tellapart.data.targets import Box, Boxes
from tellapart.data.tree import has_picture_name
from tellapart.errors import PictureError
from tellapart.sources.reading import read_bytes

Sides = tuple[float, float, float, float]  # left, top, right, bottom
NOWHERE: Sides = (math.nan, math.nan, math.nan, math.nan)  # of a box whose sides are no numbers
MOST_TEXT_BYTES = 64 * 1024 * 1024  # of one picture's annotation: 100,000 boxes are 25 MB of XML


class BoxFiles:
    """Where everything is."""

    def __init__(self, root: str, paths: Sequence[str]) -> None:
        """`paths` of all files below `root`, in any order."""
        self.root = root
        self.pictures = sorted(path for path in paths if has_picture_name(path))
        self._known = frozenset(paths)
        self._of_ending: defaultdict[str, list[str]] = defaultdict(list)
        for path in sorted(self._known.difference(self.pictures)):
            self._of_ending[os.path.splitext(path)[1].lower()].append(path)
        self._named: defaultdict[str, list[str]] = defaultdict(list)
        self._beside: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for path in self.pictures:
            folder, name = os.path.split(path)
            for key in {_key(name), _key(os.path.splitext(name)[0])}:
                self._named[key].append(path)
                self._beside[folder, key].append(path)

    def ending(self, *endings: str) -> list[str]:
        """The files that end so, which are no pictures, sorted by path."""
        return sorted(path for ending in endings for path in self._of_ending[ending])

    def has(self, path: str) -> bool:
        """Whether a file was listed."""
        return path in self._known

    def picture(self, name: str, near: str) -> str | None:
        """The picture that an annotation in the folder `near` calls `name`; None where none is called so.

        The path itself first; then the file's name, then its name without an extension: of several pictures the nearest.
        """
        plain = name.strip().replace("\\", "/")
        if not plain:
            return None
        for folder in (near, self.root):
            path = os.path.normpath(os.path.join(folder, plain))
            if path in self._known and has_picture_name(path):
                return path
        last = plain.rpartition("/")[2]
        stem = os.path.splitext(last)[0]
        keys = [_key(last), *([_key(stem)] if has_picture_name(last) else [])]
        # In its own folder first: a data set may have a folder for each picture, and call them all alike.
        found = next((self._beside[near, key] for key in keys if (near, key) in self._beside), None)
        found = found or next((self._named[key] for key in keys if key in self._named), None)
        return min(found, key=lambda path: (_distance(path, near, plain), path)) if found else None

    def split_of(self, path: str) -> Split | None:
        """The split that a folder around a file says by its name, the innermost first."""
        folders = os.path.relpath(os.path.dirname(path), self.root).split(os.sep)
        return next((split for folder in reversed(folders) if (split := split_named(folder))), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """What a reader found."""

    entries: list[Entry]
    form: str  # in words: boxes in Pascal VOC's XML
    notes: tuple[str, ...] = ()
    outlined: bool = False  # whether shapes are there, too, that a class a pixel could be learned from


class Pages:
    """Gathers one entry a picture."""

    def __init__(self, faults: FaultList) -> None:
        self._faults = faults
        self._entries: dict[str, Entry] = {}

    def add(self, path: str, boxes: Sequence[Box], split: Split | None, drawn: Drawn, source: str) -> None:
        """One picture; a second annotation of it is told, and not read."""
        if path in self._entries:
            self._faults.add("annotated twice", path, detail=f"again in {os.path.basename(source)}")
            return
        self._entries[path] = Entry(path=Path(path), target=Boxes(tuple(boxes)), split=split, drawn=drawn)

    def has(self, path: str) -> bool:
        """Whether a picture is there."""
        return path in self._entries

    def entries(self) -> list[Entry]:
        """All, sorted by path."""
        return sorted(self._entries.values(), key=lambda entry: entry.path)


def read_text_bytes(path: str, faults: FaultList, limit: int = MOST_TEXT_BYTES) -> bytes | None:
    """The bytes of an annotation; None, and a fault, where they cannot be had or are too many."""
    try:
        data = read_bytes(path)
    except (OSError, PictureError) as error:
        faults.add("unreadable", path, detail=str(error))
        return None
    if len(data) > limit:
        faults.add("unreadable", path, detail=f"{len(data):,} bytes; the limit is {limit:,}")
        return None
    return data


def read_json(path: str, faults: FaultList, limit: int = MOST_TEXT_BYTES) -> Any:
    """What an annotation in JSON holds; None, and a fault, where it cannot be had or is none."""
    data = read_text_bytes(path, faults, limit)
    if data is None:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        faults.add("unreadable", path, detail=f"no JSON: {error}")
        return None


def class_name(value: object) -> str:
    """A class's name as it is compared: Unicode normal form C, without blanks at its ends; "" for what is no name."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return unicodedata.normalize("NFC", str(value)).strip()


def number(value: object) -> float:
    """A number, or NaN for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def side(value: object) -> float:
    """A picture's width or height as an annotation says it; 0 for what is none."""
    found = number(value)
    return found if 0 < found < 1e9 else 0.0


def around(points: object) -> Sides | None:
    """The box (left, top, right, bottom) around points [[x, y], ...]; None for what is no such list."""
    if not isinstance(points, list) or not points or not all(isinstance(one, list) and len(one) == 2 for one in points):
        return None
    across, down = [number(one[0]) for one in points], [number(one[1]) for one in points]
    if any(map(math.isnan, (*across, *down))):
        return NOWHERE
    return min(across), min(down), max(across), max(down)


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _distance(path: str, near: str, wanted: str) -> tuple[int, int, int]:
    """How unlike a picture's path is to what was wanted: its own case, then what its folder shares with the annotation's.

    What they share is counted from both ends: train/images and train/labels, JPEGImages/2007 and Annotations/2007. Of what
    shares as much, the picture in fewer folders: Annotations/a.xml is about a.png, not about other/a.png.
    """
    other_case = not path.replace(os.sep, "/").endswith(wanted.rpartition("/")[2])
    folders, others = os.path.dirname(path).split(os.sep), near.split(os.sep)
    return int(other_case), -_shared(folders, others) - _shared(folders[::-1], others[::-1]), len(folders)


def _shared(ones: Sequence[str], others: Sequence[str]) -> int:
    """How many are the same from the beginning."""
    return next(
        (place for place, (one, other) in enumerate(zip(ones, others, strict=False)) if one != other),
        min(len(ones), len(others)),
    )
