"""Every picture tested once, by a network that had not seen it. In: Examined, Task. Out: TrainResult. Next: learning/conclude.py.

Each fold is trained as a run in the run's folder: its own validation split chooses and calibrates, its own pictures are its test.
All answers together give the figures that are told. The network that is kept is trained last, on all but a validation split.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tellapart.bundle import read_manifest
from tellapart.data.dataset import Dataset
from tellapart.data.folding import FoldPlan, plan_folds, validated_twice, without_those
from tellapart.data.readers import READERS
from tellapart.data.survey import Examined
from tellapart.errors import ForeignCheckpoint, SettingsError
from tellapart.features.backbone import ReadyBackbone
from tellapart.reporter import Reporter, counted, duration, figure, figure_name
from tellapart.runs.folds import clear_arrays, read_arrays
from tellapart.runs.reading import read_json
from tellapart.runs.result import TrainResult
from tellapart.runs.run import keep_settings, open_fold
from tellapart.runs.writing import data_fingerprint
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.folds import FoldAnswers
from tellapart.tasks.task import Task
from tellapart.training.planning import Clock
from tellapart.workflows.learning.conclude import Concluded, learn_and_test, suited, write
from tellapart.workflows.learning.mean import mean_of_networks
from tellapart.workflows.learning.pooled import TrainedFold, averaged, decided_by_others, fold_score, with_folds
from tellapart.workflows.learning.session import TrainingSession, make_clock
from tellapart.workflows.learning.value_range import find_range


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
    if settings.kfold.keep == "ensemble" and task.average is None:
        raise SettingsError(
            f"--kfold-keep is ensemble, and the task is {task.name}: the answers of several networks have no mean there, since "
            "each finds things of its own. Leave --kfold-keep out."
        )
    for repeat, fold in _each(plan):
        task.check(settings, plan.dataset(repeat, fold, split=task.split, encode=task.encode))
    task.check(settings, validated_twice(plan.kept(split=task.split, encode=task.encode)))
    return plan


def train_folds(session: TrainingSession, task: Task, plan: FoldPlan, backbone: ReadyBackbone | None) -> TrainResult:
    """Train every fold that is not finished yet, then the network that is kept, and write the run.

    Raises: DataError, SettingsError, TrainingError, StorageError; what is finished stays for `--resume`.
    """
    trained: list[TrainedFold] = []
    places = list(_each(plan))
    for place, (repeat, fold) in enumerate(places):
        trained.append(_fold(session, task, plan, backbone, place=place, repeat=repeat, fold=fold))
        _tell(session, task, plan, trained, left=len(places) - place - 1)
    concluded = _mean(session, task, plan, trained) if session.run.settings.kfold.keep == "ensemble" else None
    if concluded is not None:
        trained = decided_by_others(session.run.settings, task, plan, trained)
    else:
        item = READERS[task.name].words.item
        session.reporter.say(f"Training the model that is kept, on all {item}s but a validation split.")
        concluded = _kept(session, task, plan, backbone)
    result = write(session, with_folds(session, task, plan, trained, concluded))
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
) -> TrainedFold:
    """Train one fold, or go on with it, or read what it left when it is finished."""
    run, computed = open_fold(whole.run, place), None
    dataset = plan.dataset(repeat, fold, split=task.split, encode=task.encode)
    if run.finished:
        _check_same(run.folder, dataset)
    else:
        count = len(plan.folds) * len(plan.names)
        whole.reporter.say(f"{_called(plan, repeat, fold)}: {place + 1:,} of {count:,} trainings.")
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
        computed = write(session, concluded).computed
        whole.early, whole.devices = None, session.devices
    arrays = read_arrays(run.folder)
    return TrainedFold(
        folder=run.folder,
        name=plan.names[fold],
        repeat=repeat + 1,
        places=arrays.pop("index").tolist(),
        answers=FoldAnswers(record=read_manifest(run.folder / "model.onnx").record, arrays=arrays),
        metrics=read_json(run.folder / "metrics.json", "test"),
        computed=computed,
    )


def _check_same(folder: Path, dataset: Dataset) -> None:
    """Raises: ForeignCheckpoint where a finished fold has learned from other pictures than are there now."""
    if read_manifest(folder / "model.onnx").data.fingerprint != data_fingerprint(dataset.examples):
        raise ForeignCheckpoint(
            f"the fold in {folder} is finished, and the pictures or labels are not those that it had. Put them back as they were "
            "and resume the run, or train again."
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


def _tell(session: TrainingSession, task: Task, plan: FoldPlan, trained: Sequence[TrainedFold], *, left: int) -> None:
    """The last fold's figure, and how long the others will take."""
    last = trained[-1]
    score = fold_score(last.metrics, task.headline)
    seconds = sum(one.metrics["seconds"]["whole"] for one in trained) / len(trained) * (left + 1)
    again = f" of repeat {last.repeat}" if len(plan.folds) > 1 else ""
    item = READERS[task.name].words.item
    shown = figure(task.headline, score.value, score.low, score.high)
    rest = "trained before" if last.computed is None else f"about {duration(seconds)} left"
    session.reporter.say(
        f"Fold {last.name}{again}: {figure_name(task.headline)} {shown} on {counted(len(last.places), item)}; {rest}."
    )
    if last.computed is None:
        return
    session.run.log("fold", fold=last.name, repeat=last.repeat, n=len(last.places), **{task.headline: score.value})


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


def _mean(session: TrainingSession, task: Task, plan: FoldPlan, trained: Sequence[TrainedFold]) -> Concluded | None:
    """The mean of the folds' networks; None, and a word of why, where they cannot be one file."""
    dataset = plan.kept(split=task.split, encode=task.encode)
    record = averaged(session.run.settings, task, plan, trained)
    return mean_of_networks(session, task, dataset, [one.folder for one in trained], record)
