"""Copies of one picture whose boxes differ. In: entries, clusters of copies. Out: LabelConflicts. Next: reader.py.

A copy may be smaller, and a box drawn a second time never falls on the same pixels; so boxes are compared as shares of the
picture, and two that cover each other by half or more are the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.boxes import overlaps
from tellapart.data.conflicts import LabelConflict, clusters
from tellapart.data.examples import Entry, Inspection
from tellapart.data.targets import Box, Boxes

_SAME = 0.5  # overlap from which on two boxes are of one thing
_MOST_COMPARED = 1_000  # boxes in a picture; of more only the numbers are compared


@dataclass(frozen=True, slots=True)
class Annotation:
    """One picture's boxes and its size in pixels."""

    boxes: Boxes
    width: int
    height: int


def box_conflicts(
    entries: Sequence[Entry], inspections: Sequence[Inspection], cluster_of: Sequence[int]
) -> tuple[LabelConflict, ...]:
    """Of N entries with boxes, by the number of the cluster of copies of each, [N]; one that cannot be read is left out."""
    usable = [index for index, inspection in enumerate(inspections) if not inspection.problem]

    def disagree(members: Sequence[int]) -> bool:
        pages = [(entries[index].target, inspections[index]) for index in members]
        return boxes_disagree(
            Annotation(target, one.width, one.height) for target, one in pages if isinstance(target, Boxes)
        )

    conflicts = []
    for members in clusters(cluster_of, usable):
        if len(members) > 1 and disagree(members):
            same: defaultdict[str, list[int]] = defaultdict(list)
            for index in members:
                same[inspections[index].content_hash].append(index)
            targets = [entries[index].target for index in members]
            conflicts.append(
                LabelConflict(
                    paths=tuple(entries[index].path for index in members),
                    labels=tuple(in_words(target) for target in targets if isinstance(target, Boxes)),
                    exact=any(len(equal) > 1 and disagree(equal) for equal in same.values()),
                )
            )
    return tuple(conflicts)


def boxes_disagree(annotations: Iterable[Annotation]) -> bool:
    """Whether the first of some copies shows other things than another, or at other places."""
    first, *others = annotations
    return any(not _agree(first, other) for other in others)


def in_words(boxes: Boxes) -> str:
    """How many of each class: 2 dog, 1 cat; none."""
    counts = Counter(box.label for box in boxes.boxes)
    return ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items())) or "none"


def _agree(one: Annotation, other: Annotation) -> bool:
    if in_words(one.boxes) != in_words(other.boxes):
        return False
    if one == other or len(one.boxes.boxes) > _MOST_COMPARED:
        return True
    return all(
        _all_found(_shares(one, name), _shares(other, name)) and _all_found(_shares(other, name), _shares(one, name))
        for name in one.boxes.classes
    )


def _all_found(wanted: NDArray[np.float64], there: NDArray[np.float64]) -> bool:
    return bool((overlaps(wanted, there).max(axis=1) >= _SAME).all())


def _shares(page: Annotation, name: str) -> NDArray[np.float64]:
    chosen: Sequence[Box] = [box for box in page.boxes.boxes if box.label == name]
    sides = np.array([[box.left, box.top, box.right, box.bottom] for box in chosen], dtype=np.float64)
    return sides / (page.width, page.height, page.width, page.height)
