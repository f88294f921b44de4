"""Which of two is better, and is that sure? In: two runs, models or tables. Out: Comparison. Next: compare_page.py.

Both are asked the same pictures, none of which either has learned from; only what one gets and the other does not decides.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.predictor import Predictor
from tellapart.bundle import Score
from tellapart.data.additions import TABLE
from tellapart.data.examples import ReadOptions
from tellapart.data.readers import READERS
from tellapart.errors import DataError, SettingsError
from tellapart.evaluation.intervals import wilson
from tellapart.evaluation.paired import Paired, compare_pairs
from tellapart.reporter import Reporter, counted
from tellapart.tasks.table import task_of
from tellapart.workflows.compare_figures import FigureComparison, compare_figures
from tellapart.workflows.compare_questions import questions
from tellapart.workflows.compare_sides import Question, Side, answers_of, open_side, task_for

_FOUND = ReadOptions()
_TIMED = 15  # pictures, one at a time, both in turn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SideAnswers:
    """What one side says of the N pictures."""

    side: Side
    said: Sequence[str]  # N, class names
    sure: Sequence[float | None]  # N, the probability of that; None of a table
    figures: Mapping[str, Any] | None  # of evaluation/metrics.evaluate; None where the side cannot give them
    milliseconds: float | None  # one picture at a time, the least of a few; None of a table
    megabytes: float | None

    def right(self, items: Sequence[Question]) -> NDArray[np.bool_]:
        """Where it is right, bool [N]."""
        return np.array([said == item.label for said, item in zip(self.said, items, strict=True)])

    def score(self, items: Sequence[Question]) -> Score:
        """The share that is right, with Wilson's interval."""
        right = self.right(items)
        low, high = wilson(int(right.sum()), len(right))
        return Score(value=float(right.mean()), low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Two sides on the same pictures."""

    items: Sequence[Question]  # N
    first: SideAnswers
    second: SideAnswers
    paired: Paired
    per_class: Mapping[str, Paired]
    seen: Mapping[str, int]  # side -> pictures left out since it has learned from them
    unanswered: int  # pictures left out since a side says nothing of them
    unknown: Sequence[str]  # sides of which nobody knows what they have learned from
    corrections: tuple[int, int, int] | None  # how many there are, and how many each side gets
    item: str = "picture"  # what they are, in a word
    folds: bool = False  # what is compared are the answers of K folds' networks, each to what it had not seen

    @property
    def won(self) -> list[int]:
        """Rows that only the second gets, the surest first."""
        return self._only(self.second, self.first)

    @property
    def lost(self) -> list[int]:
        """Rows that only the first gets."""
        return self._only(self.first, self.second)

    def _only(self, one: SideAnswers, other: SideAnswers) -> list[int]:
        rows = np.flatnonzero(one.right(self.items) & ~other.right(self.items)).tolist()
        return sorted(rows, key=lambda row: -(other.sure[row] or 0.0))

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "item": self.item,
            "a": self._side(self.first),
            "b": self._side(self.second),
            **self.paired.as_json(),
            "verdict": {1: "b is better", 0: "undecided", -1: "b is worse"}[self.paired.verdict],
            "per_class": {name: paired.as_json() for name, paired in self.per_class.items()},
            "left_out": {"learned": dict(self.seen), "unanswered": self.unanswered},
            "unknown_training": list(self.unknown),
            "out_of_fold": self.folds,
            "corrections": None
            if self.corrections is None
            else dict(zip(("n", "a", "b"), self.corrections, strict=True)),
            "won_pictures": [self._row(row) for row in self.won],
            "lost_pictures": [self._row(row) for row in self.lost],
        }

    def _side(self, one: SideAnswers) -> dict[str, Any]:
        accuracy = one.score(self.items).model_dump()
        return {
            "name": one.side.name,
            "accuracy": {name: round(value, 6) for name, value in accuracy.items()},
            "milliseconds": None if one.milliseconds is None else round(one.milliseconds, 2),
            "megabytes": None if one.megabytes is None else round(one.megabytes, 2),
            **told_figures(one.figures),
        }

    def _row(self, row: int) -> dict[str, Any]:
        item = self.items[row]
        told = {"path": str(item.path), "label": item.label, "a": self.first.said[row], "b": self.second.said[row]}
        return told if item.text is None else {**told, "text": item.text}


def told_figures(figures: Mapping[str, Any] | None) -> dict[str, Any]:
    """Of a model's figures those that are compared; None where it has none."""
    found = figures or {}
    sets = found.get("abstention") or {}
    return {
        "log_loss": (found.get("log_loss") or {}).get("value"),
        "brier": (found.get("brier") or {}).get("value"),
        "calibration_error": (found.get("calibration_error") or {}).get("after"),
        "set_size": sets.get("mean_set_size"),
        "coverage": (sets.get("coverage") or {}).get("value"),
    }


def compare(
    first: Path,
    second: Path,
    pictures: Path | None = None,
    *,
    corrections: Path | None = None,
    options: ReadOptions = _FOUND,
    seed: int = 0,
    reporter: Reporter,
) -> Comparison | FigureComparison:
    """Compare two runs, model files or tables of answers, on `pictures`, else on the test pictures of the runs.

    `corrections` is a folder that `tellapart serve --corrections` filled: what people put right, which both are asked, too.
    Raises: DataError where no picture is left that neither has learned from; SettingsError, ModelFileError, StorageError.
    """
    sides = open_side(first), open_side(second)
    task = task_of(task_for(sides))
    options = replace(options, task=task.name)
    found = questions(sides, pictures, options, reporter, folds=task.picture is None)
    items, seen = found.items, found.seen
    if task.picture is not None:
        if corrections is not None:
            raise SettingsError(
                f"--corrections {corrections} counts answers that are right or wrong, and those of {task.name} are more than that. "
                "Leave it out."
            )
        times = _time(sides, items)
        return compare_figures(sides, items, task, times=times, seen=seen, seed=seed, reporter=reporter)
    said = [_ask(side, items, reporter) for side in found.sides]
    kept = [row for row in range(len(items)) if all(answers[row] is not None for answers in said)]
    item = READERS[task.name].words.item
    if not kept:
        raise DataError(
            f"of {counted(len(items), item)} there is none of which both sides say something. A table's paths must be those "
            f"of the {item}s, or their files' names."
        )
    asked = [items[row] for row in kept]
    times = _time(found.sides, asked)
    answered = [
        _answered(side, [answers[row] for row in kept], asked, took, seed)
        for side, answers, took in zip(found.sides, said, times, strict=True)
    ]
    right = [one.right(asked) for one in answered]
    groups = [item.group for item in asked]
    return Comparison(
        items=asked,
        first=answered[0],
        second=answered[1],
        paired=compare_pairs(right[0], right[1], groups, seed=seed),
        per_class=_per_class(asked, right, groups, seed),
        seen=seen,
        unanswered=len(items) - len(kept),
        unknown=[side.name for side in found.sides if side.learned is None],
        corrections=None if corrections is None else _corrected(sides, corrections, reporter),
        item=item,
        folds=found.folds,
    )


def _ask(side: Side, items: Sequence[Question], reporter: Reporter) -> list[Any]:
    """An answer for each item; None where there is none."""
    if side.predictor is None:
        return list(answers_of(side.table, items))
    found: list[Any] = []
    with reporter.step(f"Asking {side.name}", len(items)) as advance:
        for answer in side.predictor.stream(item.source for item in items):
            found.append(None if answer.error else answer)
            advance(1)
    return found


def _answered(
    side: Side, answers: Sequence[Any], items: Sequence[Question], took: float | None, seed: int
) -> SideAnswers:
    if side.predictor is None:
        sure: list[float | None] = [None] * len(items)
        return SideAnswers(side=side, said=list(answers), sure=sure, figures=None, milliseconds=None, megabytes=None)
    classes = side.predictor.classes
    best = [int(answer.ranking[0]) for answer in answers]
    return SideAnswers(
        side=side,
        said=[classes[number] for number in best],
        sure=[float(answer.probabilities[number]) for answer, number in zip(answers, best, strict=True)],
        figures=_figures(side.predictor, answers, items, seed),
        milliseconds=took,
        megabytes=None if side.run is None else side.run.file.stat().st_size / 1e6,
    )


def _figures(
    predictor: Predictor, answers: Sequence[Any], items: Sequence[Question], seed: int
) -> dict[str, Any] | None:
    """What the model's probabilities are worth; None where a picture is of a class that it does not know."""
    if not {item.label for item in items} <= set(predictor.classes):
        return None
    groups = np.unique([item.group for item in items], return_inverse=True)[1]
    targets = [item.target for item in items]
    return task_of(predictor.manifest.task).score(predictor.manifest, answers, targets, groups=groups, seed=seed)


def _time(sides: Sequence[Side], items: Sequence[Question]) -> list[float | None]:
    """Milliseconds of one picture at a time, the least of a few, the sides in turn: other work can only add to it."""
    taken: list[list[float]] = [[] for _ in sides]
    for item in items[:_TIMED]:
        for own, side in zip(taken, sides, strict=True):
            if side.predictor is not None:
                started = time.perf_counter()
                list(side.predictor.stream([item.source]))
                own.append(1000 * (time.perf_counter() - started))
    return [min(own, default=None) for own in taken]


def _per_class(
    items: Sequence[Question], right: Sequence[NDArray[np.bool_]], groups: Sequence[str], seed: int
) -> dict[str, Paired]:
    labels = np.array([item.label for item in items])
    found = {}
    for name in sorted(set(labels.tolist())):
        rows = np.flatnonzero(labels == name)
        own = [groups[row] for row in rows.tolist()]
        found[name] = compare_pairs(right[0][rows], right[1][rows], own, seed=seed)
    return found


def _corrected(sides: Sequence[Side], folder: Path, reporter: Reporter) -> tuple[int, int, int]:
    """How many pictures people put right, and how many of them each side gets. Raises: DataError."""
    table = folder / TABLE if folder.is_dir() else folder
    cells = READERS[task_for(sides)].corrections
    if cells is None or not table.is_file():
        raise DataError(
            f"{folder} holds no {TABLE} with corrections. Give the folder of a model that `tellapart serve --corrections` filled."
        )
    entries = cells.added(table, None).entries
    items = [
        Question(path=entry.path, target=entry.target, group="", content_hash="", text=entry.text) for entry in entries
    ]
    gets = []
    for side in sides:
        answers = _ask(side, items, reporter)
        said = [_name(side, answer) for answer in answers]
        gets.append(sum(name == item.label for name, item in zip(said, items, strict=True)))
    return len(items), gets[0], gets[1]


def _name(side: Side, answer: Any) -> str | None:
    if answer is None or side.predictor is None:
        return None if answer is None else str(answer)
    return side.predictor.classes[int(answer.ranking[0])]
