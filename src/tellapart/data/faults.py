"""What is wrong with boxes and masks as they were given. In: a fault at a time. Out: them by kind, in words. Next: box_files.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

Kind = Literal[
    "unreadable",
    "no picture",
    "not annotated",
    "in no list",
    "in two splits",
    "annotated twice",
    "other name",
    "no class",
    "around a shape",
    "not a number",
    "corners exchanged",
    "scaled",
    "other size",
    "turned",
    "perhaps turned",
    "outside",
    "clipped",
    "no area",
    "repeated",
    "two classes",
    "too many",
    "none left",
    "no mask",
    "mask without picture",
    "two masks",
    "unreadable mask",
    "other shape",
    "mask scaled",
    "mask turned",
    "mask perhaps turned",
    "smoothed",
    "nothing counts",
    "shape without class",
    "no shape",
]

# Kind -> whether to look at it, what is counted, and what was done, in words.
_TOLD: Mapping[Kind, tuple[bool, str, str]] = {
    "unreadable": (True, "annotation", "{their} pictures are left out. Repair {them}"),
    "no picture": (
        True,
        "annotation",
        "the picture is not there; left out. Add the pictures, or remove the annotations",
    ),
    "not annotated": (
        True,
        "picture",
        "what {they} show{s} is not known, so {they} {are} left out. An annotation without boxes says that there is nothing",
    ),
    "in no list": (True, "picture", "none of the splits' lists names {them}; left out. Add {them} to one"),
    "in two splits": (
        True,
        "picture",
        "several splits' lists name {them}; trained on, and not tested. Keep {them} in one",
    ),
    "annotated twice": (True, "picture", "the first annotation is read, the others are not. Keep one"),
    "other name": (
        False,
        "annotation",
        "another picture is named inside; the one that is called as the annotation is taken",
    ),
    "no class": (True, "box", "{they} {have} no class, or one without a name; left out. Name {their} class"),
    "around a shape": (False, "box", "the upright box around a polygon or another shape"),
    "not a number": (True, "box", "a corner is no number; left out. Draw {them} again"),
    "corners exchanged": (False, "box", "put in order"),
    "scaled": (
        True,
        "picture",
        "{their} boxes fit the size that is said, and not the picture's; scaled to the picture",
    ),
    "other size": (
        True,
        "picture",
        "another size is said, but the boxes fit the picture as they are; kept so. Look at {them} drawn",
    ),
    "turned": (False, "picture", "EXIF turns {them}, and the boxes were drawn on what is stored; turned along"),
    "perhaps turned": (
        True,
        "picture",
        "EXIF turns {them}, and nothing says which way the boxes were drawn; read as drawn upright. Look at {them} drawn",
    ),
    "outside": (True, "box", "wholly outside the picture; left out. Draw {them} again"),
    "clipped": (True, "box", "partly outside the picture; cut at its edge"),
    "no area": (True, "box", "left out. Draw {them} again"),
    "repeated": (True, "box", "exactly like another of the picture; left out, the other stays"),
    "two classes": (True, "box", "at the very place of one of another class; both stay. Keep the right one"),
    "none left": (
        True,
        "picture",
        "none of {their} boxes can be used, and yet something is there, so {they} {are} left out. Draw the boxes again",
    ),
    "too many": (True, "picture", "more than {most} boxes in one; left out. Cut {them} into parts"),
    "no mask": (
        True,
        "picture",
        "what {they} show{s} is not known, so {they} {are} left out. Add {their} masks, called as {they} {are}",
    ),
    "mask without picture": (
        True,
        "mask",
        "no picture is called as {they} {are}; not read. Add the pictures, or remove the masks",
    ),
    "two masks": (
        True,
        "picture",
        "several masks are called as {they} {are}; one is read, the others are not. Keep one",
    ),
    "unreadable mask": (True, "picture", "left out. Repair {their} masks"),
    "other shape": (
        True,
        "picture",
        "the mask has neither the size nor the shape of the picture; left out. Save the mask at the picture's size",
    ),
    "mask scaled": (True, "picture", "the mask has another size of the same shape; scaled to the picture"),
    "mask turned": (False, "picture", "EXIF turns {them}, and the masks were drawn on what is stored; turned along"),
    "mask perhaps turned": (
        True,
        "picture",
        "EXIF turns {them}, and nothing says which way the masks were drawn; read as drawn upright. Look at {them} drawn",
    ),
    "smoothed": (
        True,
        "picture",
        "the mask is black and white with greys along its edges, as smoothing leaves; cut in the middle, at 128",
    ),
    "nothing counts": (True, "picture", "no pixel of the mask counts; left out"),
    "shape without class": (
        True,
        "shape",
        "{they} {have} no class, or one without a name; left out. Name {their} class",
    ),
    "no shape": (
        True,
        "shape",
        "a box, a line or a point alone, and no area; left out. Draw {them} as a polygon",
    ),
}
MOST_BOXES = 10_000  # in a picture; more is no annotation by hand
_PLURAL = {"box": "boxes"}
_MOST = {"most": f"{MOST_BOXES:,}"}
_ONE = {"their": "its", "them": "it", "they": "it", "s": "s", "are": "is", "have": "has", **_MOST}
_MORE = {"their": "their", "them": "them", "they": "they", "s": "", "are": "are", "have": "have", **_MOST}


class Fault(NamedTuple):
    """One picture or annotation with a fault."""

    path: str
    times: int = 1  # boxes, or 1
    detail: str = ""  # what was found, in words


Faults = Mapping[Kind, tuple[Fault, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What an annotation says of the picture that its boxes were drawn on."""

    width: float = 0.0  # pixels; 0: it does not say
    height: float = 0.0
    relative: bool = False  # the boxes' sides are shares of the picture's width and height
    lost: int = 0  # boxes that are left out already, so that a picture without others is not one that shows nothing


class FaultList:
    """Gathers faults."""

    def __init__(self) -> None:
        self._found: dict[Kind, list[Fault]] = {}

    def add(self, kind: Kind, path: str | Path, count: int = 1, detail: str = "") -> None:
        """One more; nothing where `count` is 0."""
        if count:
            self._found.setdefault(kind, []).append(Fault(str(path), count, detail))

    def found(self) -> dict[Kind, tuple[Fault, ...]]:
        """By kind, in the order in which they are told."""
        return {kind: tuple(self._found[kind]) for kind in _TOLD if kind in self._found}


def joined(*several: Faults) -> dict[Kind, tuple[Fault, ...]]:
    """The faults of several, by kind."""
    return {
        kind: tuple(fault for faults in several for fault in faults.get(kind, ()))
        for kind in _TOLD
        if any(kind in faults for faults in several)
    }


def fault_sentences(faults: Faults, short: Callable[[Path], str], *, warned: bool) -> Iterator[str]:
    """What was found, a sentence or two a kind: what should be looked at (`warned`), or what is good to know."""
    for kind, found in faults.items():
        looked_at, noun, what = _TOLD[kind]
        if looked_at != warned:
            continue
        number = sum(fault.times for fault in found)
        words = what.format_map(_ONE if number == 1 else _MORE)
        detail = f" ({found[0].detail})" if found[0].detail else ""
        where = "picture" if noun == "box" else "file"
        pictures = f" in {len(found):,} {where}{'' if len(found) == 1 else 's'}" if noun in ("box", "shape") else ""
        counted = f"{number:,} {noun if number == 1 else _PLURAL.get(noun, noun + 's')}{pictures}"
        yield f"{kind}: {counted}, such as {short(Path(found[0].path))}{detail}; {words}."


def faults_json(faults: Faults) -> dict[str, list[dict[str, Any]]]:
    """One JSON-ready object: every fault, by kind."""
    return {
        kind: [{"path": fault.path, "count": fault.times, "detail": fault.detail} for fault in found]
        for kind, found in faults.items()
    }
