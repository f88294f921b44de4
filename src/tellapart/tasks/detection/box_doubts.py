"""Boxes to look at again: missing, off, of another class, of nothing. In: answers, truth. Out: BoxDoubt. Next: matching.py.

The answers must come from models that did not see the pictures, nor copies of them. Kinds of fault as in cleanlab's ObjectLab, by
rules of our own: a doubt's score is how sure the model is that the truth is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tellapart.tasks.detection.matching import Answered, Doubles, Flags, TrueBoxes, box_overlaps

BoxFault = Literal["missing", "class", "place", "nothing"]

SURE = 0.5  # score from which an answer can speak against the truth
_SAME = 0.5  # overlap from which an answer and a true box are of one thing
_TOUCHING = 0.1  # overlap under which they have nothing to do with one another
_WELL_PLACED = 0.65  # overlap from which a place is not doubted
DOUBTED = 0.5  # score from which a doubt is counted and shown
DOUBTED_NOTHING = 0.85  # the same where the model only overlooks a box: of a class that it nearly always finds


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxDoubt:
    """One box of the truth that may be wrong, or that may be missing there."""

    kind: BoxFault
    picture: int  # in [0, N)
    box: int  # place among the picture's true boxes; -1 where it is missing
    answer: int  # place among its answers that speaks against the truth; -1 where none does
    score: float  # in [0, 1], the higher the more suspicious


def doubt_boxes(answers: Sequence[Answered], truths: Sequence[TrueBoxes], class_count: int) -> list[BoxDoubt]:
    """Doubts about N pictures, the most suspicious first. What is difficult or a crowd is not doubted itself.

    Source of the kinds: Tkachenko et al. 2023, ObjectLab, arXiv 2309.00832. Raises: ValueError where N differs.
    """
    pages = [_Seen(picture, answer, truth) for picture, (answer, truth) in enumerate(zip(answers, truths, strict=True))]
    found, placed = _usually_found(pages, class_count), _usually_placed(pages, class_count)
    doubts = [doubt for page in pages for doubt in (*page.missing(), *page.wrong(found, placed))]
    return sorted(doubts, key=lambda doubt: (-doubt.score, doubt.picture, doubt.box, doubt.answer))


def worth_a_look(doubts: Iterable[BoxDoubt]) -> list[BoxDoubt]:
    """Those that a person should be bothered with, in the same order."""
    return [one for one in doubts if one.score >= (DOUBTED_NOTHING if one.kind == "nothing" else DOUBTED)]


class _Seen:
    """One picture's M answers and R true boxes."""

    def __init__(self, picture: int, answer: Answered, truth: TrueBoxes) -> None:
        self.picture, self.truth = picture, truth
        self.scores: Doubles = answer.scores.astype(np.float64)
        self.overlaps = box_overlaps(answer.boxes, truth.boxes, truth.crowd)  # [M, R]
        self.each_other = box_overlaps(
            answer.boxes, answer.boxes.astype(np.float64), np.zeros(len(self.scores), dtype=np.bool_)
        )
        self.same: Flags = answer.labels[:, None] == truth.labels[None, :]  # [M, R]

    def missing(self) -> Iterator[BoxDoubt]:
        """Sure answers where there is no box at all; of several at one place the surest."""
        told: list[int] = []
        for answer in np.argsort(-self.scores, kind="stable").tolist():
            if self.scores[answer] < SURE:
                return
            covered = self.overlaps[answer].max(initial=0.0) >= _TOUCHING
            if not covered and (not told or self.each_other[answer, told].max() < _SAME):
                told.append(answer)
                yield self._doubt("missing", -1, answer, float(self.scores[answer]))

    def wrong(self, usual: Doubles, placed: Sequence[Doubles]) -> Iterator[BoxDoubt]:
        """At most one doubt for each true box, by what is usual of its class.

        `usual` [K] is how often its boxes are found, `placed` [K] how far answers cover those that they touch, in order.
        """
        for box in np.flatnonzero(~self.truth.ignored).tolist():
            overlaps, same = self.overlaps[:, box], self.same[:, box]
            own, _ = self._surest((overlaps >= _SAME) & same)
            other, rival = self._surest((overlaps >= _SAME) & ~same)
            if other >= SURE and other > own:
                yield self._doubt("class", box, rival, other * (1 - own))
                continue
            well, _ = self._surest((overlaps >= _WELL_PLACED) & same)
            near, better = self.nearest(box, below=_WELL_PLACED)
            if near >= SURE and near > well:
                unusual = _unusual(float(overlaps[better]), placed[self.truth.labels[box]])
                yield self._doubt("place", box, better, (near - well) * unusual)
                continue
            any_score, _ = self._surest(overlaps >= _TOUCHING)
            if any_score < SURE:
                yield self._doubt("nothing", box, -1, float(usual[self.truth.labels[box]]) * (1 - any_score))

    def nearest(self, box: int, *, below: float) -> tuple[float, int]:
        """The score and place of the surest answer of a box's class that touches it, and covers it by less than `below`."""
        overlaps, same = self.overlaps[:, box], self.same[:, box]
        # An answer that belongs to a box beside it says nothing of this one.
        elsewhere = np.where(self.same, self.overlaps, 0.0).argmax(axis=1) != box if len(overlaps) else same
        return self._surest((overlaps >= _TOUCHING) & (overlaps < below) & same & ~elsewhere)

    def _surest(self, chosen: Flags) -> tuple[float, int]:
        """The highest score among the chosen answers, and its place; 0 and -1 where none is."""
        places = np.flatnonzero(chosen)
        if not len(places):
            return 0.0, -1
        best = int(places[self.scores[places].argmax()])
        return float(self.scores[best]), best

    def _doubt(self, kind: BoxFault, box: int, answer: int, score: float) -> BoxDoubt:
        return BoxDoubt(kind=kind, picture=self.picture, box=box, answer=answer, score=score)


def _usually_found(pages: Sequence[_Seen], class_count: int) -> Doubles:
    """The share of each class's true boxes that a sure answer of any class touches, [K]: who often misses proves little."""
    whole, found = np.zeros(class_count), np.zeros(class_count)
    for page in pages:
        counts = ~page.truth.ignored
        touched = ((page.overlaps >= _TOUCHING) & (page.scores[:, None] >= SURE)).any(axis=0)
        np.add.at(whole, page.truth.labels[counts], 1)
        np.add.at(found, page.truth.labels[counts & touched], 1)
    return np.asarray(np.divide(found, whole, out=np.zeros(class_count), where=whole > 0))


def _usually_placed(pages: Sequence[_Seen], class_count: int) -> list[Doubles]:
    """How far sure answers cover the true boxes of their class that they touch, in order: who places badly proves little."""
    found: list[list[float]] = [[] for _ in range(class_count)]
    for page in pages:
        for box in np.flatnonzero(~page.truth.ignored).tolist():
            score, answer = page.nearest(box, below=np.inf)
            if score >= SURE:
                found[page.truth.labels[box]].append(float(page.overlaps[answer, box]))
    return [np.sort(np.array(one)) for one in found]


def _unusual(overlap: float, usual: Doubles) -> float:
    """The share of a class's overlaps, in order and this one among them, that are higher; one more counts as 1 - overlap."""
    higher = len(usual) - int(np.searchsorted(usual, overlap, side="right"))
    return (higher + 1 - overlap) / max(len(usual), 1)
