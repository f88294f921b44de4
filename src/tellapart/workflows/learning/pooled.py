"""All folds' answers as the test of a run. In: TrainedFolds, Concluded. Out: Concluded. Next: workflows/kfold.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.bundle import Score, TaskRecord
from tellapart.data.folding import FoldPlan
from tellapart.runs.folds import join_predictions
from tellapart.runs.writing import PooledTest
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.folds import FoldAnswers, Pooled
from tellapart.tasks.task import Task
from tellapart.workflows.learning.conclude import Concluded
from tellapart.workflows.learning.session import TrainingSession


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedFold:
    """One fold that is trained."""

    folder: Path
    name: str  # the fold's
    repeat: int  # from 1
    places: Sequence[int]  # of the tested pictures, in the listing, rising
    answers: FoldAnswers
    metrics: dict[str, Any]  # the fold's own metrics.json
    computed: int | None = None  # pictures that went through the frozen network; None: not by this process


def fold_score(metrics: dict[str, Any], headline: str) -> Score:
    """The headline figure of a fold's metrics.json."""
    found = metrics["test"][headline]
    return Score.of(found) if isinstance(found, dict) else Score(value=found)


def averaged(settings: TrainSettings, task: Task, plan: FoldPlan, folds: Sequence[TrainedFold]) -> TaskRecord:
    """How the mean of the folds' networks decides, by what each said of pictures that it had not seen.

    Raises: ValueError for a task whose answers have no mean.
    """
    if task.average is None:
        raise ValueError(f"answers of the task {task.name} have no mean")
    return task.average(
        [one.answers for one in folds],
        [plan.examined.listing.entries[place].target for one in folds for place in one.places],
        classes=plan.examined.audit.classes,
        coverage=settings.coverage,
        precision=settings.precision,
    )


def decided_by_others(
    settings: TrainSettings, task: Task, plan: FoldPlan, trained: Sequence[TrainedFold]
) -> list[TrainedFold]:
    """The folds, each decided by thresholds from the others of its repeat: as their mean decides, yet tuned on other pictures."""
    return [
        replace(
            one,
            answers=replace(
                one.answers,
                record=averaged(
                    settings,
                    task,
                    plan,
                    [other for other in trained if other.repeat == one.repeat and other is not one],
                ),
            ),
        )
        for one in trained
    ]


def _pool(
    session: TrainingSession, task: Task, plan: FoldPlan, trained: Sequence[TrainedFold], concluded: Concluded
) -> Pooled:
    """The figures of all folds together; pictures of one group are drawn together for the intervals, whatever fold tested them."""
    places = [place for one in trained for place in one.places]
    entries, audit = plan.examined.listing.entries, plan.examined.audit
    _, groups = np.unique([audit.groups[place] for place in places], return_inverse=True)
    return task.pool(
        [one.answers for one in trained],
        [entries[place].target for place in places],
        classes=concluded.learned.dataset.classes,
        groups=groups.astype(np.int64),
        record=concluded.tested.record,
        beside=concluded.tested.beside,
        seed=session.run.settings.seed,
    )


def with_folds(
    session: TrainingSession, task: Task, plan: FoldPlan, trained: Sequence[TrainedFold], concluded: Concluded
) -> Concluded:
    """What is written of the run: the network that is kept, and what the folds say in place of a test of it."""
    pooled = _pool(session, task, plan, trained, concluded)
    learned, tested = concluded.learned, concluded.learned.tested
    pictures = len({place for one in trained for place in one.places})
    told = {
        "count": len(plan.names),
        "repeats": len(plan.folds),
        "column": session.run.settings.reading.fold_column,
        # What takes no pictures has no weights beside its file, and is no mean of networks either.
        "kept": "one" if learned.has_weights or learned.tested.feed is not None else "ensemble",
        "pictures": pictures,
        "folds": [_record(one, task.headline) for one in trained],
    }
    tested = replace(
        tested,
        record=pooled.record,
        metrics=pooled.metrics,
        metrics_without_leaked=None,
        beside={**tested.beside, **pooled.beside, "kfold": told},
    )
    parts = [(one.folder, one.places) for one in trained]
    computed = learned.computed + sum(one.computed or 0 for one in trained)
    learned = replace(
        learned,
        tested=tested,
        pooled=PooledTest(pictures=pictures, write=lambda folder: join_predictions(parts, folder)),
        computed=computed,
        reused=max(0, pictures - computed) if learned.reused or learned.computed else 0,
    )
    return replace(concluded, learned=learned)


def _record(one: TrainedFold, headline: str) -> dict[str, Any]:
    score = fold_score(one.metrics, headline)
    return {
        "fold": one.name,
        "repeat": one.repeat,
        "n": len(one.places),
        "name": headline,
        **score.model_dump(),
        "strategy": one.metrics["strategy"],
        "seconds": one.metrics["seconds"]["whole"],
        "run": str(one.folder.relative_to(one.folder.parent.parent)),
    }
