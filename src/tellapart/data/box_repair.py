"""Boxes as they are in the opened pictures. In: Listing, inspections. Out: both, with boxes in pixels. Next: box_counts.py.

What is plain is put right: shares become pixels, corners are put in order, what lies outside is cut off. What is no box is left
out. What may be either way is taken as it stands, and told. Everything is counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tellapart.data.box_turning import exchanges_sides, orientation_of, upright
from tellapart.data.examples import Entry, Inspection, Listing, classes_left
from tellapart.data.faults import MOST_BOXES, Drawn, FaultList, Kind, joined
from tellapart.data.targets import Box, Boxes, Target

_BEYOND = 1.0  # pixels that a side may lie outside of a picture that its box fits: the first pixel is 1 for some
_ROUNDING = 0.5  # pixels outside that are not worth a word
_LEAST = 0.001  # pixels that a side needs, so that rounding alone is no box
_PLACES = 3  # decimals of a pixel to which two boxes are the same


def settle_boxes(
    listing: Listing, inspections: Sequence[Inspection], opening: object = None
) -> tuple[Listing, list[Inspection]]:
    """The listing with boxes in pixels of the upright pictures, left < right and top < bottom, and its faults.

    `inspections` in the order of the entries. A picture with more than `MOST_BOXES` boxes is left out, as is one of
    whose boxes none is left; one that cannot be read keeps its boxes as they were given.
    """
    faults, entries, kept = FaultList(), list[Entry](), list[Inspection]()
    for entry, inspection in zip(listing.entries, inspections, strict=True):
        boxes = entry.target.boxes if isinstance(entry.target, Boxes) else ()
        if len(boxes) > MOST_BOXES:
            faults.add("too many", entry.path, detail=f"{len(boxes):,}")
            continue
        if not inspection.problem:
            page = _Marked(entry, inspection, list(boxes))
            page.settle()
            for kind, count in page.counts.items():
                faults.add(kind, entry.path, count, page.details.get(kind, ""))
            lost = len(boxes) + (0 if entry.drawn is None else entry.drawn.lost)
            if lost and not page.boxes:
                faults.add("none left", entry.path, detail=f"of {lost:,}")
                continue
            corrected = _corrected(entry, inspection)
            entry = replace(entry, target=Boxes(tuple(page.boxes)), train_target=corrected, drawn=None)
        entries.append(entry)
        kept.append(inspection)
    return replace(
        listing,
        entries=tuple(entries),
        classes=classes_left(listing, entries),
        faults=joined(listing.faults, faults.found()),
    ), kept


def _corrected(entry: Entry, inspection: Inspection) -> Target | None:
    """What the picture's boxes are in training where somebody corrected them, put right as others are."""
    if not isinstance(entry.train_target, Boxes):
        return entry.train_target
    page = _Marked(replace(entry, drawn=None), inspection, list(entry.train_target.boxes))
    page.settle()
    return Boxes(tuple(page.boxes))


@dataclass(slots=True)
class _Marked:
    """One picture's boxes on their way."""

    entry: Entry
    inspection: Inspection
    boxes: list[Box]
    counts: dict[Kind, int] = field(default_factory=dict)
    details: dict[Kind, str] = field(default_factory=dict)

    def settle(self) -> None:
        drawn = self.entry.drawn or Drawn()
        width, height = self.inspection.width, self.inspection.height
        if drawn.relative:
            self.boxes = [_scaled(box, width, height) for box in self.boxes]
        self._without("not a number", lambda box: all(map(math.isfinite, _sides(box))))
        exchanged = sum(box.left > box.right or box.top > box.bottom for box in self.boxes)
        self._count("corners exchanged", exchanged)
        self.boxes = [_ordered(box) for box in self.boxes]
        if self.boxes:
            self._fit(drawn)
        self._without("no area", lambda box: min(box.right - box.left, box.bottom - box.top) >= _LEAST)
        self._without("outside", lambda box: _touches(box, width, height))
        self._count("clipped", sum(not _fits(box, width, height, _ROUNDING) for box in self.boxes))
        self.boxes = [_clipped(box, width, height) for box in self.boxes]
        self._drop_repeated()

    def _fit(self, drawn: Drawn) -> None:
        """Turn or scale them where the annotation speaks of another picture than the upright one."""
        width, height = self.inspection.width, self.inspection.height
        told = (drawn.width, drawn.height) if drawn.width and drawn.height and not drawn.relative else None
        if self.inspection.turned and self._turn(told):
            return
        if told is None or told == (width, height):
            return
        words = f"{told[0]:g} x {told[1]:g} said, {width} x {height} found"
        if self._all_fit(width, height):
            self._count("other size", 1, words)
        elif self._all_fit(*told):
            self._count("scaled", 1, words)
            self.boxes = [_scaled(box, width / told[0], height / told[1]) for box in self.boxes]

    def _turn(self, told: tuple[float, float] | None) -> bool:
        """Whether the boxes were turned, since they were drawn on what is stored."""
        width, height = float(self.inspection.width), float(self.inspection.height)
        orientation = orientation_of(self.entry.path)
        quarter = exchanges_sides(orientation) and width != height
        if quarter and told == (width, height):
            return False
        stored = told == (height, width) or (
            told is None and not self._all_fit(width, height) and self._all_fit(height, width)
        )
        if quarter and stored:
            self._count("turned", 1)
            self.boxes = upright(self.boxes, orientation, width=width, height=height)
            return True
        self._count("perhaps turned", 1)
        return False

    def _all_fit(self, width: float, height: float) -> bool:
        return all(_fits(box, width, height, _BEYOND) for box in self.boxes)

    def _without(self, kind: Kind, keep: Callable[[Box], bool]) -> None:
        kept = [box for box in self.boxes if keep(box)]
        self._count(kind, len(self.boxes) - len(kept))
        self.boxes = kept

    def _drop_repeated(self) -> None:
        first: dict[tuple[str, tuple[float, ...]], Box] = {}
        places: dict[tuple[float, ...], int] = {}
        for box in self.boxes:
            place = tuple(round(value, _PLACES) for value in _sides(box))
            if (box.label, place) not in first:
                first[box.label, place] = box
                places[place] = places.get(place, 0) + 1
        self._count("repeated", len(self.boxes) - len(first))
        self._count("two classes", sum(count - 1 for count in places.values()))
        self.boxes = list(first.values())

    def _count(self, kind: Kind, count: int, detail: str = "") -> None:
        if count:
            self.counts[kind] = self.counts.get(kind, 0) + count
            if detail:
                self.details[kind] = detail


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def _scaled(box: Box, across: float, down: float) -> Box:
    return replace(box, left=box.left * across, top=box.top * down, right=box.right * across, bottom=box.bottom * down)


def _ordered(box: Box) -> Box:
    if box.left <= box.right and box.top <= box.bottom:
        return box
    (left, right), (top, bottom) = sorted((box.left, box.right)), sorted((box.top, box.bottom))
    return replace(box, left=left, top=top, right=right, bottom=bottom)


def _fits(box: Box, width: float, height: float, beyond: float) -> bool:
    return box.left >= -beyond and box.top >= -beyond and box.right <= width + beyond and box.bottom <= height + beyond


def _touches(box: Box, width: float, height: float) -> bool:
    """Whether any of it lies in the picture."""
    return min(box.right, box.bottom, width - box.left, height - box.top) >= _LEAST


def _clipped(box: Box, width: float, height: float) -> Box:
    if _fits(box, width, height, 0.0):
        return box
    return replace(
        box,
        left=max(box.left, 0.0),
        top=max(box.top, 0.0),
        right=min(box.right, float(width)),
        bottom=min(box.bottom, float(height)),
    )
