"""Which of two is better where an answer is more than right or wrong? In: Sides, pictures. Out: FigureComparison. Next: compare.py.

The task's first figure of both over the same resamples of the same pictures decides. Beside it stands how well each answers each
picture alone, as the task measures that. N pictures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.items import PathItem
from tellapart.bundle import Manifest, Score, TaskName
from tellapart.errors import DataError
from tellapart.evaluation.differences import paired_change, share_of_groups
from tellapart.evaluation.intervals import group_numbers
from tellapart.evaluation.paired import mcnemar
from tellapart.reporter import Reporter, counted
from tellapart.tasks.task import Task
from tellapart.workflows.compare_sides import Question, Side

_ALIKE = 1e-9  # figures of one picture that differ by no more are the same


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FigureSide:
    """What one side's answers to the N pictures are worth."""

    side: Side
    score: Score  # the task's first figure
    values: NDArray[np.float64]  # N, of each picture alone, in [0, 1]
    milliseconds: float | None
    megabytes: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FigureComparison:
    """Two sides on the same pictures."""

    task: TaskName
    figure: str  # the task's first
    of_picture: str  # what is measured of each picture
    items: Sequence[Question]  # N
    first: FigureSide
    second: FigureSide
    difference: Score  # of the first figure, the second less the first, with its paired 95 % interval
    by_picture: Score  # the same of the mean over pictures
    seen: Mapping[str, int]  # side -> pictures left out since it has learned from them
    unanswered: int  # pictures left out since a side cannot read them
    unknown: Sequence[str]  # sides of which nobody knows what they have learned from

    @property
    def verdict(self) -> int:
        """1 where the second is better, -1 where it is worse, 0 where that is not decided."""
        low, high = self.difference.low, self.difference.high
        return 0 if low is None or high is None else (low > 0) - (high < 0)

    @property
    def needed(self) -> int | None:
        """How many more such pictures would decide, as an interval narrows with their root; None where decided, or equal."""
        low, high, value, n = self.difference.low, self.difference.high, self.difference.value, len(self.items)
        if self.verdict or low is None or high is None or abs(value) < _ALIKE:
            return None
        return max(1, math.ceil(n * ((high - low) / 2 / value) ** 2) - n)

    @property
    def won(self) -> list[int]:
        """Rows that the second answers better, the most so first."""
        return self._moved(self.second.values - self.first.values)

    @property
    def lost(self) -> list[int]:
        """Rows that the first answers better."""
        return self._moved(self.first.values - self.second.values)

    @property
    def p_value(self) -> float:
        """How often chance alone would split the pictures that differ so unevenly, or more: the mid-p of a sign test."""
        return mcnemar(len(self.won), len(self.lost))

    def _moved(self, gains: NDArray[np.float64]) -> list[int]:
        rows = np.flatnonzero(gains > _ALIKE).tolist()
        return sorted(rows, key=lambda row: -gains[row])

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "task": self.task,
            "figure": self.figure,
            "a": self._side(self.first),
            "b": self._side(self.second),
            "difference": _ends(self.difference),
            "p_value": round(self.p_value, 6),
            "won": len(self.won),
            "lost": len(self.lost),
            "common": len(self.items),
            "more_pictures": self.needed,
            "verdict": {1: "b is better", 0: "undecided", -1: "b is worse"}[self.verdict],
            "by_picture": {"figure": self.of_picture, "difference": _ends(self.by_picture)},
            "left_out": {"learned": dict(self.seen), "unanswered": self.unanswered},
            "unknown_training": list(self.unknown),
            "won_pictures": [self._row(row) for row in self.won],
            "lost_pictures": [self._row(row) for row in self.lost],
        }

    def _side(self, one: FigureSide) -> dict[str, Any]:
        return {
            "name": one.side.name,
            "score": _ends(one.score),
            "by_picture": round(float(one.values.mean()), 6),
            "milliseconds": None if one.milliseconds is None else round(one.milliseconds, 2),
            "megabytes": round(one.megabytes, 2),
        }

    def _row(self, row: int) -> dict[str, Any]:
        values = {"a": self.first.values[row], "b": self.second.values[row]}
        return {"path": str(self.items[row].path), **{name: round(float(one), 6) for name, one in values.items()}}


def compare_figures(
    sides: Sequence[Side],
    items: Sequence[Question],
    task: Task,
    *,
    times: Sequence[float | None],
    seen: Mapping[str, int],
    seed: int,
    reporter: Reporter,
) -> FigureComparison:
    """Compare two models of a task on the `items`; `times` are what a picture takes each, in milliseconds.

    Raises: DataError where no picture can be read, or one shows a class that a model does not know; StorageError.
    """
    assert task.picture is not None
    _check_known(sides, items)
    asked = [_ask(side, items, task, reporter) for side in sides]
    rows = [row for row in range(len(items)) if all(answers[row] is not None for answers in asked)]
    if not rows:
        raise DataError(f"of {counted(len(items), 'picture')} none can be read by both. `tellapart check` says why.")
    kept = [items[row] for row in rows]
    numbers = group_numbers([item.group for item in kept], len(kept))
    answers = [[own[row] for row in rows] for own in asked]
    told = [
        _told(side, own, kept, task, numbers, took, seed) for side, own, took in zip(sides, answers, times, strict=True)
    ]
    targets, count = [item.target for item in kept], int(numbers.max()) + 1
    figures = [task.resampled(_manifest(side), own, targets, numbers) for side, own in zip(sides, answers, strict=True)]
    means = [share_of_groups(one.values, numbers) for one in told]
    return FigureComparison(
        task=task.name,
        figure=task.headline,
        of_picture=task.picture[0],
        items=kept,
        first=told[0],
        second=told[1],
        difference=paired_change(*figures, group_count=count, seed=seed),
        by_picture=paired_change(*means, group_count=count, seed=seed),
        seen=seen,
        unanswered=len(items) - len(rows),
        unknown=[side.name for side in sides if side.learned is None],
    )


def _manifest(side: Side) -> Manifest:
    assert side.predictor is not None
    return side.predictor.manifest


def _check_known(sides: Sequence[Side], items: Sequence[Question]) -> None:
    """Raises: DataError where a picture shows what a model has no name for."""
    shown = {name for item in items for name in item.target.classes}
    for side in sides:
        if unknown := sorted(shown - set(_manifest(side).classes)):
            raise DataError(
                f"the pictures show {unknown[0]!r}, which is none of the classes of {side.name} "
                f"({', '.join(_manifest(side).classes[:5])} ...). Two models can be compared where both know all classes."
            )


def _ask(side: Side, items: Sequence[Question], task: Task, reporter: Reporter) -> list[Any]:
    """What is kept of the answer to each item; None where it cannot be read."""
    assert side.predictor is not None
    found: list[Any] = []
    paths = (PathItem(path=str(item.path), named=True) for item in items)
    with reporter.step(f"Asking {side.name}", len(items)) as advance:
        for answer, item in zip(side.predictor.stream(paths), items, strict=True):
            found.append(None if answer.error else task.judge(_manifest(side), answer, item.target))
            advance(1)
    return found


def _told(
    side: Side,
    answers: Sequence[Any],
    items: Sequence[Question],
    task: Task,
    numbers: NDArray[np.int64],
    took: float | None,
    seed: int,
) -> FigureSide:
    assert task.picture is not None
    assert side.run is not None
    manifest, targets = _manifest(side), [item.target for item in items]
    metrics = task.score(manifest, answers, targets, groups=numbers, seed=seed)
    of_picture = task.picture[1]
    values = [of_picture(manifest, answer, target) for answer, target in zip(answers, targets, strict=True)]
    return FigureSide(
        side=side,
        score=Score.of(metrics[task.headline]),
        values=np.array(values, dtype=np.float64),
        milliseconds=took,
        megabytes=side.run.file.stat().st_size / 1e6,
    )


def _ends(score: Score) -> dict[str, float | None]:
    told = {"value": score.value, "low": score.low, "high": score.high}
    return {name: None if value is None else round(value, 6) for name, value in told.items()}
