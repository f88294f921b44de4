"""Every picture tested once, by a network that had not seen it. In: Examined, Task. Out: TrainResult. Next: learning/conclude.py.

Each fold is trained as a run in the run's folder: its own validation split chooses and calibrates, its own pictures are its test.
All answers together give the figures that are told. The network that is kept is trained last, on all but a validation split.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.bundle import Score, read_manifest
from tellapart.data.folding import FoldPlan, plan_folds, validated_twice, without_those
from tellapart.data.survey import Examined
from tellapart.features.backbone import ReadyBackbone
from tellapart.reporter import Reporter, counted, duration, figure, figure_name
from tellapart.runs.folds import clear_arrays, join_predictions, read_arrays
from tellapart.runs.reading import read_json
from tellapart.runs.result import TrainResult
from tellapart.runs.run import keep_settings, open_fold
from tellapart.runs.writing import PooledTest
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.folds import FoldAnswers, Pooled
from tellapart.tasks.task import Task
from tellapart.training.planning import Clock
from tellapart.workflows.learning.conclude import Concluded, learn_and_test, suited, write
from tellapart.workflows.learning.session import TrainingSession, make_clock
from tellapart.workflows.learning.value_range import find_range


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fold:
    """One fold that is trained."""

    folder: Path
    name: str  # the fold's
    repeat: int  # from 1
    places: Sequence[int]  # of the tested pictures, in the listing, rising
    answers: FoldAnswers
    metrics: dict[str, Any]  # the fold's own metrics.json
    computed: int | None = None  # pictures that went through the frozen network; None: not by this process


def deal(settings: TrainSettings, examined: Examined, task: Task, reporter: Reporter) -> FoldPlan:
    """The folds, each of which can be learned from. Raises: DataError, SettingsError, before anything is trained."""
    plan = plan_folds(
        examined,
        assign=task.folds,
        count=settings.kfold.folds,
        repeats=settings.kfold.repeats,
        column=settings.reading.fold_column,
        seed=settings.seed,
    )
    for note in plan.notes:
        reporter.say(note)
    for repeat, fold in _each(plan):
        task.check(settings, plan.dataset(repeat, fold, split=task.split, encode=task.encode))
    task.check(settings, plan.kept(split=task.split, encode=task.encode))
    return plan


def train_folds(session: TrainingSession, task: Task, plan: FoldPlan, backbone: ReadyBackbone | None) -> TrainResult:
    """Train every fold that is not finished yet, then the network that is kept, and write the run.

    Raises: DataError, SettingsError, TrainingError, StorageError; what is finished stays for `--resume`.
    """
    trained: list[_Fold] = []
    places = list(_each(plan))
    for place, (repeat, fold) in enumerate(places):
        trained.append(_fold(session, task, plan, backbone, place=place, repeat=repeat, fold=fold))
        _tell(session, task, plan, trained, left=len(places) - place - 1)
    session.reporter.say("Training the model that is kept, on all pictures but a validation split.")
    concluded = _kept(session, task, plan, backbone)
    pooled = _pool(session, task, plan, trained, concluded)
    result = write(session, task, _with(pooled, concluded, task, plan, trained, session.run.settings))
    clear_arrays(session.run.folder)
    return result


def _each(plan: FoldPlan) -> Iterator[tuple[int, int]]:
    """The repeat and the fold of every training, both from 0."""
    return ((repeat, fold) for repeat in range(len(plan.folds)) for fold in range(len(plan.names)))


def _fold(
    whole: TrainingSession,
    task: Task,
    plan: FoldPlan,
    backbone: ReadyBackbone | None,
    *,
    place: int,
    repeat: int,
    fold: int,
) -> _Fold:
    """Train one fold, or go on with it, or read what it left when it is finished."""
    run, computed = open_fold(whole.run, place), None
    if not run.finished:
        count = len(plan.folds) * len(plan.names)
        whole.reporter.say(f"{_called(plan, repeat, fold)}: {place + 1:,} of {count:,} trainings.")
        dataset = plan.dataset(repeat, fold, split=task.split, encode=task.encode)
        settings = suited(run.settings, task, dataset, whole.device)
        started = time.monotonic()
        session = replace(
            whole,
            run=keep_settings(run, settings),
            started=started,
            span=find_range(settings, plan.examined, dataset, whole.reporter),
            clock=_clock(whole, task, len(dataset.indices), left=count - place + 1),
            seconds={},
        )
        concluded = learn_and_test(session, task, dataset, backbone)
        computed = write(session, task, concluded).computed
        whole.early, whole.devices = None, session.devices
    arrays = read_arrays(run.folder)
    return _Fold(
        folder=run.folder,
        name=plan.names[fold],
        repeat=repeat + 1,
        places=arrays.pop("index").tolist(),
        answers=FoldAnswers(record=read_manifest(run.folder / "model.onnx").record, arrays=arrays),
        metrics=read_json(run.folder / "metrics.json", "test"),
        computed=computed,
    )


def _clock(whole: TrainingSession, task: Task, pictures: int, *, left: int) -> Clock:
    """An even share of what is left of a budget that was given, for one of `left` trainings; else the time of one training."""
    started, given = time.monotonic(), whole.run.settings.budget_seconds
    if given is None or whole.clock.left is None:
        silent = whole.run.settings.model_copy(update={"report": False})
        return make_clock(silent, whole.device, started, pictures=pictures, head=task.head)
    return Clock(whole.clock.left / left, started=started)


def _called(plan: FoldPlan, repeat: int, fold: int) -> str:
    again = f" of repeat {repeat + 1}" if len(plan.folds) > 1 else ""
    return f"Fold {plan.names[fold]}{again}"


def _tell(session: TrainingSession, task: Task, plan: FoldPlan, trained: Sequence[_Fold], *, left: int) -> None:
    """The last fold's figure, and how long the others will take."""
    last = trained[-1]
    score = _score(last.metrics, task.headline)
    seconds = sum(one.metrics["seconds"]["whole"] for one in trained) / len(trained) * (left + 1)
    again = f" of repeat {last.repeat}" if len(plan.folds) > 1 else ""
    shown = figure(task.headline, score.value, score.low, score.high)
    rest = "trained before" if last.computed is None else f"about {duration(seconds)} left"
    session.reporter.say(
        f"Fold {last.name}{again}: {figure_name(task.headline)} {shown} on {counted(len(last.places), 'picture')}; {rest}."
    )
    if last.computed is None:
        return
    session.run.log("fold", fold=last.name, repeat=last.repeat, n=len(last.places), **{task.headline: score.value})


def _score(metrics: dict[str, Any], headline: str) -> Score:
    found = metrics["test"][headline]
    return Score.of(found) if isinstance(found, dict) else Score(value=found)


def _kept(session: TrainingSession, task: Task, plan: FoldPlan, backbone: ReadyBackbone | None) -> Concluded:
    """The network that is kept, which nothing is left to test; its validation pictures stand in, and no figure is told of that."""
    dataset = plan.kept(split=task.split, encode=task.encode)
    session.run = keep_settings(session.run, suited(session.run.settings, task, dataset, session.device))
    session.span = find_range(session.run.settings, plan.examined, dataset, session.reporter)
    session.clock = _clock(session, task, len(dataset.indices), left=1)
    concluded = learn_and_test(session, task, validated_twice(dataset), backbone)
    doubled, tested = concluded.learned.dataset, concluded.tested
    once = without_those(doubled)
    rows = np.searchsorted(once.indices, doubled.indices[tested.rows])
    learned = replace(concluded.learned, dataset=once, tested=replace(tested, rows=rows, table=None, lines=None))
    return replace(concluded, learned=learned)


def _pool(
    session: TrainingSession, task: Task, plan: FoldPlan, trained: Sequence[_Fold], concluded: Concluded
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


def _with(
    pooled: Pooled, concluded: Concluded, task: Task, plan: FoldPlan, trained: Sequence[_Fold], settings: TrainSettings
) -> Concluded:
    """What is written of the run: the kept network, and what the folds say in place of a test of it."""
    learned, tested = concluded.learned, concluded.learned.tested
    pictures = len({place for one in trained for place in one.places})
    told = {
        "count": len(plan.names),
        "repeats": len(plan.folds),
        "column": settings.reading.fold_column,
        "kept": settings.kfold.keep,
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


def _record(one: _Fold, headline: str) -> dict[str, Any]:
    score = _score(one.metrics, headline)
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
