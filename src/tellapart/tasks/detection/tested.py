"""A run's test split, matched again. In: OpenRun. Out: MatchedTest. Next: results.py.

Shapes: N test pictures, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tellapart.bundle import DetectionRecord
from tellapart.runs.answered_boxes import BoxTable
from tellapart.runs.open import OpenRun
from tellapart.tasks.detection.counting import CountedBoxes, count
from tellapart.tasks.detection.error_kinds import kind_of_error
from tellapart.tasks.detection.matching import ClassMatches, Doubles, Flags, TrueBoxes, box_overlaps, match, truth_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseBox:
    """A box that is told and wrong."""

    picture: int  # in [0, N)
    answer: int  # place among the picture's answers
    kind: str  # of error_kinds.KINDS, but for missed
    box: int  # the true box that it stands for, among the picture's; -1: none
    overlap: float  # with that box
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedBox:
    """A true box that no told box found."""

    picture: int
    box: int  # place among the picture's true boxes
    share: float  # of the picture's area
    best: (
        float | None
    )  # score of the surest answer of its class that fits, though under the threshold; None: there is none


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchedTest:
    """What was true of the test pictures, what was answered, and which found which."""

    table: BoxTable
    truths: list[TrueBoxes]  # [N]
    matches: list[ClassMatches]  # [K]
    thresholds: Doubles  # [K]

    @property
    def counted(self) -> CountedBoxes:
        """Boxes at the thresholds."""
        return count(self.matches, self.thresholds)

    def told(self, picture: int) -> Flags:
        """Which of a picture's answers are told."""
        answer = self.table.answers[picture]
        return np.asarray(answer.scores >= self.thresholds[answer.labels])

    def found(self, picture: int) -> Flags:
        """Which of a picture's true boxes a told box found."""
        found = np.zeros(len(self.truths[picture].labels), dtype=np.bool_)
        for one, threshold in zip(self.matches, self.thresholds, strict=True):
            places = one.found[0][(one.picture == picture) & (one.scores >= threshold)]
            found[places[places >= 0]] = True
        return found

    def false(self) -> list[FalseBox]:
        """All of them, the surest first."""
        wrong = [
            self._false(int(one.picture[place]), int(one.source[place]), number)
            for number, (one, threshold) in enumerate(zip(self.matches, self.thresholds, strict=True))
            for place in np.flatnonzero((one.scores >= threshold) & (one.found[0] < 0) & ~one.ignored[0, 0]).tolist()
        ]
        return sorted(wrong, key=lambda one: (-one.score, one.picture, one.answer))

    def missed(self) -> list[MissedBox]:
        """All of them, the largest part of a picture first."""
        missed = [one for picture in range(len(self.truths)) for one in self._missed(picture)]
        return sorted(missed, key=lambda one: (-one.share, one.picture, one.box))

    def _false(self, picture: int, place: int, number: int) -> FalseBox:
        answer, truth = self.table.answers[picture], self.truths[picture]
        row = box_overlaps(answer.boxes[place][None], truth.boxes, truth.crowd)[0]
        kind, box = kind_of_error(np.where(truth.ignored, 0.0, row), truth.labels == number)
        overlap = float(row[box]) if box >= 0 else 0.0
        score = float(answer.scores[place])
        return FalseBox(picture=picture, answer=place, kind=kind, box=box, overlap=overlap, score=score)

    def _missed(self, picture: int) -> Iterator[MissedBox]:
        answer, truth, (width, height) = self.table.answers[picture], self.truths[picture], self.table.sizes[picture]
        for box in np.flatnonzero(~self.found(picture) & ~truth.ignored).tolist():
            left, top, right, bottom = truth.boxes[box].tolist()
            overlaps = box_overlaps(answer.boxes, truth.boxes[box][None], np.zeros(1, dtype=np.bool_))[:, 0]
            near = answer.scores[(overlaps >= 0.5) & (answer.labels == truth.labels[box]) & ~self.told(picture)]
            best = float(near.max()) if len(near) else None
            yield MissedBox(
                picture=picture, box=box, share=(right - left) * (bottom - top) / (width * height), best=best
            )


def match_test(run: OpenRun) -> MatchedTest:
    """Read and match them. Raises: DataError, StorageError."""
    table = run.box_predictions
    truths = [truth_of(target, run.classes) for target in table.truths]
    return MatchedTest(
        table=table,
        truths=truths,
        matches=match(table.answers, truths, len(run.classes)),
        thresholds=np.array(run.manifest.record_of(DetectionRecord).thresholds, dtype=np.float64),
    )
