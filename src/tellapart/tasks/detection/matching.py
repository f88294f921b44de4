"""Which answer found which true box. In: answers and truths a picture. Out: ClassMatches. Next: average_precision.py.

Shapes: N pictures, K classes, A ranges of area, T overlaps, D answers and G true boxes of one class over all pictures; M and R
answers and true boxes of one picture. Done once: whatever is counted later, also of resamples, goes by what was matched here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.targets import Boxes

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]

OVERLAPS: Doubles = np.linspace(0.5, 0.95, 10)  # COCO's
AREAS = ("all", "small", "medium", "large")
_RANGES = ((0.0, 1e10), (0.0, 32.0**2), (32.0**2, 96.0**2), (96.0**2, 1e10))  # square pixels, both ends in
# Of a class in a picture, the surest; where more things of it are there than COCO could count, twice as many as they are.
MOST_ANSWERS = 100


class Answered(Protocol):
    """What was answered for one picture, in any order."""

    @property
    def boxes(self) -> NDArray[np.floating]:
        """[M, 4]: left, top, right, bottom in pixels of the source."""
        ...

    @property
    def scores(self) -> NDArray[np.floating]:
        """[M]"""
        ...

    @property
    def labels(self) -> Numbers:
        """[M] in [0, K)"""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrueBoxes:
    """What is true of one picture."""

    boxes: Doubles  # [R, 4]
    labels: Numbers  # [R] in [0, K)
    ignored: Flags  # [R]: counts neither way, whether found or not
    crowd: Flags  # [R]: ignored, and may be found by many; overlap is measured by the answer's own area


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassMatches:
    """One class over all pictures; answers in the order of pictures, and of falling scores in each."""

    scores: Doubles  # [D]
    picture: Numbers  # [D] in [0, N)
    rank: Numbers  # [D]: place among the picture's answers of the class, from 0
    source: Numbers  # [D]: place among the picture's answers of all classes
    found: Numbers  # [T, D]: place among the picture's true boxes, at any area; -1: none
    matched: Flags  # [A, T, D]
    ignored: Flags  # [A, T, D]: counts neither way
    positives: Numbers  # [A, N]: true boxes that count


def truth_of(target: Boxes, classes: Sequence[str]) -> TrueBoxes:
    """A target's boxes as arrays; those of other classes are left out."""
    number = {name: index for index, name in enumerate(classes)}
    boxes = [box for box in target.boxes if box.label in number]
    return TrueBoxes(
        boxes=np.array([[box.left, box.top, box.right, box.bottom] for box in boxes], dtype=np.float64).reshape(-1, 4),
        labels=np.array([number[box.label] for box in boxes], dtype=np.int64),
        ignored=np.array([box.difficult or box.crowd for box in boxes], dtype=np.bool_),
        crowd=np.array([box.crowd for box in boxes], dtype=np.bool_),
    )


def match(
    answers: Sequence[Answered], truths: Sequence[TrueBoxes], class_count: int, overlaps: Doubles = OVERLAPS
) -> list[ClassMatches]:
    """Match the answers of N pictures, class by class, as COCO does: the surest first, each with what it covers most.

    Source: pycocotools' COCOeval.evaluateImg. Raises: ValueError where there are not as many answers as truths.
    """
    if len(answers) != len(truths):
        raise ValueError(f"answers for {len(answers)} pictures and truths of {len(truths)}; they must agree")
    return [_match_class(answers, truths, number, overlaps) for number in range(class_count)]


def box_overlaps(answers: NDArray[np.floating], truths: Doubles, crowd: Flags) -> Doubles:
    """Intersection over union of answers [M, 4] and true boxes [R, 4], [M, R]; over the answer's own area for a crowd."""
    left_top = np.maximum(answers[:, None, :2], truths[None, :, :2])
    right_bottom = np.minimum(answers[:, None, 2:], truths[None, :, 2:])
    both = np.prod(np.clip(right_bottom - left_top, 0, None), axis=2)
    own, other = areas_of(answers)[:, None], areas_of(truths)[None, :]
    whole = np.where(crowd[None, :], own, own + other - both)
    return np.asarray(np.divide(both, whole, out=np.zeros_like(both), where=whole > 0))


def areas_of(boxes: NDArray[np.floating]) -> Doubles:
    """Square pixels of boxes [M, 4], [M]."""
    sides = boxes.astype(np.float64)
    return np.asarray((sides[:, 2] - sides[:, 0]) * (sides[:, 3] - sides[:, 1]))


def _match_class(
    answers: Sequence[Answered], truths: Sequence[TrueBoxes], number: int, overlaps: Doubles
) -> ClassMatches:
    pages = [
        _match_picture(answer, truth, number, overlaps, picture)
        for picture, (answer, truth) in enumerate(zip(answers, truths, strict=True))
    ]
    return ClassMatches(
        scores=np.concatenate([page.scores for page in pages]),
        picture=np.concatenate([page.picture for page in pages]),
        rank=np.concatenate([page.rank for page in pages]),
        source=np.concatenate([page.source for page in pages]),
        found=np.concatenate([page.found for page in pages], axis=1),
        matched=np.concatenate([page.matched for page in pages], axis=2),
        ignored=np.concatenate([page.ignored for page in pages], axis=2),
        positives=np.concatenate([page.positives for page in pages], axis=1),
    )


def _match_picture(answer: Answered, truth: TrueBoxes, number: int, overlaps: Doubles, picture: int) -> ClassMatches:
    """One class in one picture."""
    own = np.flatnonzero(answer.labels == number)
    there = np.flatnonzero(truth.labels == number)
    most = MOST_ANSWERS if len(there) <= MOST_ANSWERS else 2 * len(there)
    source = own[np.argsort(-answer.scores[own], kind="stable")][:most]
    boxes = answer.boxes[source]
    outside = _outside(areas_of(boxes))  # [A, M]
    ignored_truths = truth.ignored[there] | _outside(areas_of(truth.boxes[there]))  # [A, R]
    shape = (len(_RANGES), len(overlaps), len(source))
    chosen = np.full(shape, -1, dtype=np.int64)
    if len(source) and len(there):
        measured = box_overlaps(boxes, truth.boxes[there], truth.crowd[there])
        _choose(chosen, measured, ignored_truths, truth.crowd[there], overlaps)
    matched = chosen >= 0
    taken = (
        np.take_along_axis(
            np.broadcast_to(ignored_truths[:, None, :], (*shape[:2], len(there))), np.maximum(chosen, 0), axis=2
        )
        if len(there)
        else np.zeros(shape, dtype=np.bool_)
    )
    return ClassMatches(
        scores=answer.scores[source].astype(np.float64),
        picture=np.full(len(source), picture, dtype=np.int64),
        rank=np.arange(len(source)),
        source=source,
        found=np.where(matched[0], there[np.maximum(chosen[0], 0)], -1) if len(there) else chosen[0],
        matched=matched,
        ignored=np.where(matched, taken, outside[:, None, :]),
        positives=(~ignored_truths).sum(axis=1)[:, None],
    )


def _choose(chosen: Numbers, measured: Doubles, ignored: Flags, crowd: Flags, overlaps: Doubles) -> None:
    """Fill `chosen` [A, T, M] with places among the true boxes; `measured` is [M, R], `ignored` [A, R]."""
    free = np.ones((*chosen.shape[:2], measured.shape[1]), dtype=np.bool_)  # [A, T, R]
    least = np.minimum(overlaps, 1 - 1e-10)[None, :, None]
    last = measured.shape[1] - 1
    for place, row in enumerate(measured):
        possible = (free | crowd) & (row >= least)
        if not possible.any():
            continue
        # What counts comes before what is ignored; of equal overlaps the last is taken.
        worth = np.where(possible, row + 2.0 * ~ignored[:, None, :], -1.0)
        best = last - np.argmax(worth[:, :, ::-1], axis=2)
        any_possible = possible.any(axis=2)
        chosen[:, :, place] = np.where(any_possible, best, -1)
        area, overlap = np.nonzero(any_possible)
        free[area, overlap, best[area, overlap]] = False


def _outside(areas: Doubles) -> Flags:
    """[A, M]: which areas lie outside each range."""
    limits = np.array(_RANGES)
    return np.asarray((areas < limits[:, :1]) | (areas > limits[:, 1:]))
