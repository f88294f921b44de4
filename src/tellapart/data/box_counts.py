"""What boxes add to an audit: how many, how large, how marked. In: entries, inspections. Out: BoxCounts, words. Next: audit.py."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tellapart.data.examples import SPLITS, Entry, Inspection
from tellapart.data.faults import Faults, fault_sentences, faults_json
from tellapart.data.targets import MARKS, Box, Boxes
from tellapart.reporter import counted

NETWORK_SIZE = 320  # pixels of the longer side, as the usual detector sees a picture
TINY = 8.0  # pixels there, under which a thing can hardly be told: its finest stage has one place for so many
_LARGER = (480, 640, 960, 1280)
_MANY_TINY = 0.1  # share of a class from which on it is told
_MARKED = {
    "difficult": "hard to see; they count neither way",
    "truncated": "going on outside the picture or behind something",
    "crowd": "around many things at once; they count neither way",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSizes:
    """The boxes of a class: the square root of their area in pixels of the pictures, and how they look to a network."""

    least: float
    median: float
    most: float
    tiny: float  # share under `TINY` pixels where the picture's longer side has `NETWORK_SIZE`
    tiny_in_tiles: float  # share under `TINY` pixels in the pictures' own pixels
    enough: int  # the smallest of the usual sizes at which few are; 0 where none is


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxCounts:
    """How the usable pictures' boxes are made up."""

    pictures: Mapping[str, int]  # split ("" for not given) -> usable pictures
    boxes: Mapping[str, Mapping[str, int]]  # split -> class -> boxes
    empty: int  # usable pictures without a box
    marks: Mapping[str, int]  # difficult, truncated, crowd -> boxes
    sizes: Mapping[str, BoxSizes]  # class -> of those that are not crowds; a class of crowds alone is left out
    median: float  # boxes a picture
    most: int  # boxes in the picture that has most
    fullest: Path | None  # that picture
    faults: Faults = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "pictures": dict(self.pictures),
            "boxes": {split: dict(by_class) for split, by_class in self.boxes.items()},
            "without_boxes": self.empty,
            "marked": dict(self.marks),
            "box_sizes": {name: _rounded(asdict(sizes)) for name, sizes in self.sizes.items()},
            "boxes_a_picture": {"median": self.median, "most": self.most},
            "faults": faults_json(self.faults),
        }


def count_boxes(
    entries: Sequence[Entry], inspections: Sequence[Inspection], classes: Sequence[str], faults: Faults
) -> BoxCounts:
    """Count the boxes, in pixels, of the pictures that can be read; `inspections` in the order of `entries`."""
    usable = [
        (entry, inspection, entry.target.boxes)
        for entry, inspection in zip(entries, inspections, strict=True)
        if not inspection.problem and isinstance(entry.target, Boxes)
    ]
    found: Counter[tuple[str, str]] = Counter(
        (entry.split or "", box.label) for entry, _, boxes in usable for box in boxes
    )
    pictures: Counter[str] = Counter(entry.split or "" for entry, _, _ in usable)
    splits = [split for split in ("", *SPLITS) if split in pictures]
    sides: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for _, inspection, boxes in usable:
        scale = NETWORK_SIZE / max(inspection.width, inspection.height)
        for box in boxes:
            if not box.crowd:
                side = math.sqrt((box.right - box.left) * (box.bottom - box.top))
                sides[box.label].append((side, side * scale))
    numbers = [len(boxes) for _, _, boxes in usable]
    fullest = max(usable, key=lambda one: len(one[2]), default=None)
    return BoxCounts(
        pictures={split: pictures[split] for split in splits},
        boxes={split: {name: found[split, name] for name in classes} for split in splits},
        empty=numbers.count(0),
        marks=_marks([box for _, _, boxes in usable for box in boxes]),
        sizes={name: _sizes(sides[name]) for name in classes if sides[name]},
        median=statistics.median(numbers) if numbers else 0.0,
        most=max(numbers, default=0),
        fullest=None if fullest is None else fullest[0].path,
        faults=faults,
    )


def box_warnings(counts: BoxCounts, short: Callable[[Path], str]) -> Iterator[str]:
    """What should be looked at, in sentences; `short` is a path as a person sees it."""
    yield from fault_sentences(counts.faults, short, warned=True)
    for name, sizes in counts.sizes.items():
        if sizes.tiny > _MANY_TINY:
            yield (
                f"small: {100 * sizes.tiny:.0f} % of the boxes of {name!r} are under {TINY:g} pixels where a picture's longer side "
                f"has {NETWORK_SIZE}, and are easily overlooked; {_remedy(sizes)}."
            )


def _remedy(sizes: BoxSizes) -> str:
    """What makes small things large enough for a network."""
    larger = f"train at {sizes.enough} pixels (--set network.size={sizes.enough})" if sizes.enough else ""
    if sizes.tiny_in_tiles <= _MANY_TINY:
        return f"{larger}, or cut the pictures with --tiles" if larger else "cut the pictures with --tiles"
    if larger:
        return larger
    return "they are as small in the pictures' own pixels: --tiles with --set network.scale=2 or more enlarges them"


def box_notes(counts: BoxCounts, short: Callable[[Path], str]) -> Iterator[str]:
    """What is good to know, in sentences."""
    yield from fault_sentences(counts.faults, short, warned=False)
    whole = sum(counts.pictures.values())
    if counts.fullest is not None and counts.most:
        boxes = sum(number for by_class in counts.boxes.values() for number in by_class.values())
        yield (
            f"boxes a picture: median {counts.median:g}, most {counts.most:,} in {short(counts.fullest)}; {boxes:,} in "
            f"{counted(whole, 'picture')}."
        )
    if counts.empty:
        yield (f"pictures without boxes: {counts.empty:,} of {whole:,}; they stay, and teach what is no thing.")
    for mark, number in counts.marks.items():
        if number:
            yield f"{mark}: {number:,} box{'' if number == 1 else 'es'}, {_MARKED[mark]}."


def box_lines(counts: BoxCounts) -> Iterator[str]:
    """Boxes of each class by split, and their median size in pixels, as the lines of a table."""
    record = counts.as_json()
    splits = list(record["boxes"])
    yield f"{'boxes':<30}" + "".join(f"{split or 'in all':>12}" for split in splits) + f"{'median size':>14}"
    for label in sorted({label for by_label in record["boxes"].values() for label in by_label}):
        numbers = "".join(f"{record['boxes'][split][label]:>12,}" for split in splits)
        size = record["box_sizes"].get(label)
        yield f"{label[:29]:<30}{numbers}" + (f"{size['median']:>11.0f} px" if size else "")


def _marks(boxes: Sequence[Box]) -> dict[str, int]:
    return {mark: sum(bool(getattr(box, mark)) for box in boxes) for mark in MARKS}


def _sizes(sides: Sequence[tuple[float, float]]) -> BoxSizes:
    """Of sides in the pictures' pixels and in those of the network."""
    own, seen = [side for side, _ in sides], [side for _, side in sides]

    def tiny_at(size: int) -> float:
        return sum(side * size / NETWORK_SIZE < TINY for side in seen) / len(seen)

    return BoxSizes(
        least=min(own),
        median=statistics.median(own),
        most=max(own),
        tiny=tiny_at(NETWORK_SIZE),
        tiny_in_tiles=sum(side < TINY for side in own) / len(own),
        enough=next((size for size in (NETWORK_SIZE, *_LARGER) if tiny_at(size) <= _MANY_TINY), 0),
    )


def _rounded(sizes: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in sizes.items()}
