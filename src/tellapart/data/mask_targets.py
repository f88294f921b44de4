"""A mask as a target: a class a pixel, in a file. In: a path, or a cell's text. Out: MaskFile. Next: examples.py.

Once it has been opened it knows which class each of its values is, and how many pixels have it; its text says that too, so that
the same mask can be read again later from its own file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

# How a mask is given: a file of pixels, one whose smoothed edges are cut in the middle, one file a class, shapes.
MaskForm = Literal["pixels", "smoothed", "parts", "coco", "labelme"]
MASK_FORMS: tuple[MaskForm, ...] = get_args(MaskForm)

IGNORED = 255  # the number of pixels that count nowhere, in a mask as `masks.read_mask` gives it


@dataclass(frozen=True, slots=True, kw_only=True)
class Painting:
    """What a mask's file holds, and how it comes to lie on its picture; known once both have been opened."""

    values: tuple[str, ...]  # of each different value of the mask in order: its class, or "" where it counts nowhere
    pixels: tuple[int, ...]  # how many of the upright picture's pixels have each value
    form: MaskForm = "pixels"
    item: str = ""  # of a file about many pictures: which one
    parts: tuple[tuple[str, Path], ...] = ()  # of one file a class: the classes and their files
    size: tuple[int, int] = (0, 0)  # width and height of the upright picture in pixels; (0, 0): the mask's own
    turned: int = 1  # EXIF's orientation, by which the mask is turned as its picture is
    digest: str = ""  # SHA-256 of what was read, 64 hex digits


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A class a pixel, in a file of its own."""

    path: Path
    classes: tuple[str, ...] = ()  # sorted; those that its pixels name, once it has been read
    painting: Painting | None = None  # None: not opened yet, or its values are numbers of the classes as they are

    @property
    def known(self) -> tuple[str, ...]:
        """The classes; a mask says something of every pixel."""
        return self.classes

    @property
    def areas(self) -> Mapping[str, int]:
        """Pixels of each class; empty where the mask has not been opened."""
        found = Counter[str]()
        if self.painting is not None:
            for name, pixels in zip(self.painting.values, self.painting.pixels, strict=True):
                found[name] += pixels
        return {name: found[name] for name in self.classes if name in found}

    @property
    def text(self) -> str:
        """The path; of a mask that was opened a JSON object with all that says how to read it again."""
        if self.painting is None:
            return str(self.path)
        rest = {name: getattr(self.painting, name) for name in ("form", "item", "size", "turned", "digest")}
        rest["parts"] = [[name, str(path)] for name, path in self.painting.parts]
        known = {
            "mask": str(self.path),
            "values": self.painting.values,
            "pixels": self.painting.pixels,
            **{name: value for name, value in rest.items() if value and value != _USUAL_PAINTING[name]},
        }
        return json.dumps(known, ensure_ascii=False, separators=(",", ":"))

    @property
    def said(self) -> str:
        """The share of each class, for a person."""
        areas = self.areas
        if not sum(areas.values()):
            return ", ".join(self.classes) or str(self.path)
        return ", ".join(f"{name} {100 * pixels / sum(areas.values()):.3g} %" for name, pixels in areas.items())

    @property
    def outlines(self) -> tuple[()]:
        """What can be drawn on its picture as lines: nothing."""
        return ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that say it, beside its picture."""
        return self.path, *(path for _, path in (self.painting.parts if self.painting else ()))

    def elsewhere(self, moved: Mapping[str, str]) -> MaskFile:
        """The same where its files lie elsewhere now, old path -> new path."""
        painting = self.painting and replace(
            self.painting, parts=tuple((name, Path(moved.get(str(path), path))) for name, path in self.painting.parts)
        )
        return replace(self, path=Path(moved.get(str(self.path), self.path)), painting=painting)

    def renamed(self, mapping: Mapping[str, str]) -> MaskFile:
        """The same with other names for some classes; one whose values are numbers as they are stays itself."""
        if self.painting is None:
            return self
        values = tuple(mapping.get(name, name) for name in self.painting.values)
        return painted(self.path, replace(self.painting, values=values))

    @classmethod
    def read(cls, text: str) -> MaskFile:
        """The target whose text this is. Raises: ValueError where it is a JSON object of another kind."""
        return _read_mask_text(text) if text.startswith("{") else cls(Path(text))


def painted(path: Path, painting: Painting) -> MaskFile:
    """The mask with the classes that its pixels name."""
    shown = zip(painting.values, painting.pixels, strict=True)
    return MaskFile(path, tuple(sorted({name for name, pixels in shown if name and pixels})), painting)


_USUAL_PAINTING: Mapping[str, Any] = {
    "form": "pixels",
    "item": "",
    "size": (0, 0),
    "turned": 1,
    "digest": "",
    "parts": [],
}
_MASK_KEYS = {"mask", "values", "pixels", *_USUAL_PAINTING}


def _read_mask_text(text: str) -> MaskFile:
    found = json.loads(text)
    if not isinstance(found, dict) or not {"mask", "values", "pixels"} <= set(found) <= _MASK_KEYS:
        raise ValueError("a mask is a path, or a JSON object with mask, values and pixels")
    values, pixels, parts, size = found["values"], found["pixels"], found.get("parts", []), found.get("size", [0, 0])
    fits = (
        all(isinstance(found.get(name, ""), str) for name in ("mask", "form", "item", "digest"))
        and found.get("form", "pixels") in MASK_FORMS
        and isinstance(values, list)
        and all(isinstance(one, str) for one in values)
        and _are_numbers(pixels, len(values))
        and _are_numbers(size, 2)
        and found.get("turned", 1) in range(1, 9)
        and isinstance(parts, list)
        and all(isinstance(one, list) and len(one) == 2 and all(isinstance(name, str) for name in one) for one in parts)
    )
    if not fits:
        raise ValueError("what the JSON object says of a mask is of the wrong kind")
    rest = {name: found[name] for name in ("form", "item", "turned", "digest") if name in found}
    painting = Painting(
        values=tuple(values),
        pixels=tuple(pixels),
        parts=tuple((name, Path(path)) for name, path in parts),
        size=(size[0], size[1]),
        **rest,
    )
    return painted(Path(found["mask"]), painting)


def _are_numbers(found: object, count: int) -> bool:
    """Whether it is a list of so many whole numbers, none below 0."""
    if not isinstance(found, list) or len(found) != count:
        return False
    return all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in found)
