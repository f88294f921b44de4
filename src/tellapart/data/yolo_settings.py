"""What a YOLO data set says of itself: its classes and splits. In: BoxFiles. Out: YoloSettings. Next: boxes_labelme.py.

data.yaml has `names`, and `train`, `val` and `test`: folders, or text files that list pictures. Without it, names are the lines of
classes.txt or obj.names, and lists are train.txt and the like. Of the paths only their ends count: they were written elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from tellapart.data.box_files import BoxFiles, class_name, read_text_bytes
from tellapart.data.encodings import known_text
from tellapart.data.examples import SPLITS, Split
from tellapart.data.faults import FaultList

_MOST_YAML_BYTES = 1024 * 1024
_MOST_CLASSES = 100_000
_NAMES = ("classes.txt", "obj.names", "predefined_classes.txt", "labels.txt", "_darknet.labels")
_WORDS: Mapping[str, Split] = {"train": "train", "val": "validation", "valid": "validation", "test": "test"}


@dataclass(slots=True)
class YoloSettings:
    """Classes by number, and the pictures of each split."""

    names: list[str] = field(default_factory=list)  # "" where a number has none; empty: nothing says names
    splits: dict[Split, set[str]] = field(default_factory=dict)  # -> pictures; empty: nothing says splits
    texts: set[str] = field(default_factory=set)  # files that are no boxes
    notes: list[str] = field(default_factory=list)

    def splits_of(self, picture: str) -> set[Split]:
        """The splits that a picture is said to be in."""
        return {split for split, pictures in self.splits.items() if picture in pictures}


def read_settings(files: BoxFiles, faults: FaultList) -> YoloSettings:
    """Read them; a file that cannot be read goes to `faults`. Raises: DataError for names in an encoding that is not known."""
    settings = YoloSettings()
    for path in sorted(files.ending(".yaml", ".yml"), key=lambda path: (path.count(os.sep), path)):
        content = _load(path, faults)
        if content is not None and "names" in content:
            settings.names = _names(content["names"])
            settings.splits = _splits(path, content, files, settings.texts)
            for split in ("validation", "test"):
                if settings.splits.get(split) and settings.splits[split] == settings.splits.get("train"):
                    del settings.splits[split]
                    settings.notes.append(f"{path}: {split} names the very pictures of train, so it is no split.")
            settings.notes.append(f"{path}: says the classes{' and the splits' * bool(settings.splits)}.")
            break
    for path in files.ending(".txt", ".names", ".labels"):
        if os.path.basename(path).casefold() in _NAMES:
            settings.texts.add(path)
            if not settings.names and (data := read_text_bytes(path, faults, _MOST_YAML_BYTES)) is not None:
                settings.names = [class_name(line) for line in known_text(path, data).splitlines()]
                settings.notes.append(f"{path}: says the classes.")
    if not settings.splits:
        settings.splits = _lists(files, settings)
    if not settings.names:
        settings.notes.append(
            f"{files.root}: nothing says the classes' names, so they are called by their numbers. Add a data.yaml with names, or a "
            "classes.txt."
        )
    return settings


def _load(path: str, faults: FaultList) -> Mapping[str, Any] | None:
    data = read_text_bytes(path, faults, _MOST_YAML_BYTES)
    if data is None:
        return None
    try:
        content = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        faults.add("unreadable", path, detail=f"no YAML: {str(error).splitlines()[0] if str(error) else 'too deep'}")
        return None
    return content if isinstance(content, dict) else None


def _names(value: object) -> list[str]:
    if isinstance(value, list):
        return [class_name(one) for one in value[:_MOST_CLASSES]]
    if not isinstance(value, dict):
        return []
    numbered = {int(key): class_name(one) for key, one in value.items() if str(key).isdecimal()}
    numbered = {key: name for key, name in numbered.items() if key < _MOST_CLASSES}
    return [numbered.get(place, "") for place in range(max(numbered, default=-1) + 1)]


def _splits(path: str, content: Mapping[str, Any], files: BoxFiles, texts: set[str]) -> dict[Split, set[str]]:
    found: dict[Split, set[str]] = {}
    for word, split in _WORDS.items():
        value = content.get(word)
        for place in value if isinstance(value, list) else [value]:
            if isinstance(place, str) and place.strip():
                base = content.get("path")
                pictures = _pictures(place, path, base if isinstance(base, str) else "", files, texts)
                found.setdefault(split, set()).update(pictures)
    return {split: pictures for split, pictures in found.items() if pictures}


def _pictures(place: str, yaml_path: str, base: str, files: BoxFiles, texts: set[str]) -> set[str]:
    """The pictures in a folder, or named by a text file; of its path, the longest end that is here."""
    for way in _ways(place, base, os.path.dirname(yaml_path), files.root):
        if files.has(way) and way.endswith(".txt"):
            texts.add(way)
            return _listed(way, files)
        inside = {picture for picture in files.pictures if picture.startswith(way.rstrip(os.sep) + os.sep)}
        if inside:
            return inside
    return set()


def _ways(place: str, base: str, *folders: str) -> Iterator[str]:
    """Where it may be, the likeliest first; none lies outside the folders."""
    whole = os.path.join(base, place).replace("\\", "/")
    for text in dict.fromkeys((place.replace("\\", "/"), whole)):
        parts = [part for part in text.split("/") if part not in ("", ".", "..")]
        for start in range(len(parts)):
            for folder in dict.fromkeys(folders):
                yield os.path.join(folder, *parts[start:])
    if place.strip("./\\") == "":
        yield from folders


def _listed(path: str, files: BoxFiles) -> set[str]:
    data = read_text_bytes(path, FaultList())
    lines: Sequence[str] = [] if data is None else data.decode("utf-8-sig", errors="replace").splitlines()
    near = os.path.dirname(path)
    return {found for line in lines if line.strip() and (found := files.picture(line, near)) is not None}


def _lists(files: BoxFiles, settings: YoloSettings) -> dict[Split, set[str]]:
    """train.txt and the like whose lines are pictures, as darknet and CVAT write them."""
    found: dict[Split, set[str]] = {}
    for path in files.ending(".txt"):
        split = _WORDS.get(os.path.splitext(os.path.basename(path))[0].casefold())
        if split is not None and path not in settings.texts and (pictures := _listed(path, files)):
            settings.texts.add(path)
            found.setdefault(split, set()).update(pictures)
    # One list alone names the pictures of the data set, as CVAT writes it; it splits nothing.
    told = {split: found[split] for split in SPLITS if split in found}
    return told if len(told) > 1 else {}
