"""One trial: settings become a figure on the validation split. In: Bench, TrainSettings. Out: Tried. Next: study.py."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tellapart.evaluation.choosing import Validated
from tellapart.reporter import Silent
from tellapart.runs.recipe import recipe_text
from tellapart.runs.run import Run
from tellapart.settings.tree import TrainSettings
from tellapart.storage import storage_errors, write_bytes
from tellapart.training.planning import Clock
from tellapart.workflows.learning.fit import choose_fit
from tellapart.workflows.learning.session import TrainingSession
from tellapart.workflows.searching.bench import Bench
from tellapart.workflows.searching.watching import TooLong, Watching

Told = Callable[[int, float], bool]  # an epoch, from 1, and its rank -> whether to stop here
# What a training chooses for itself, which its repetition must be told.
LENGTHS = ("loop.epochs", "finetune.views", "finetune.first_epochs", "finetune.first_views")  # how long it learns
_PLANNED = (*LENGTHS, "finetune.unfreeze", "network.size", "network.fit")


class StoppedEarly(Exception):
    """The trial is not worth its end. No error: only who tries sees it."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.epoch = epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a trial that came to its end has given."""

    figure_name: str
    figure: float
    loss: float | None
    epochs: int | None = None  # that were trained
    planned: dict[str, Any]  # whole keys


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRun(Run):
    """A training in a folder that nobody keeps, which tells its epochs to who searches."""

    told: Told
    end: float | None = None  # of time.monotonic, before which it must end

    @property
    def has_end(self) -> bool:
        """Whether there is a time before which it must end."""
        return self.end is not None

    def log(self, event: str, **facts: Any) -> None:
        """Hand an epoch on. Raises: StoppedEarly; TooLong as soon as a training knows that it is."""
        if event == "epoch" and self.told(int(facts["number"]), float(facts["rank"])):
            raise StoppedEarly(int(facts["number"]))
        if self.end is not None and event in ("planned", "too short"):
            seconds = float(facts["seconds"])
            if event == "too short" or time.monotonic() + seconds > self.end:
                raise TooLong(seconds)


def try_settings(
    bench: Bench,
    settings: TrainSettings,
    folder: Path,
    *,
    told: Told,
    end: float | None = None,
    planned_end: float | None = None,
) -> Tried:
    """Train by the settings, and score what it gives on validation; what it writes goes to `folder`, which is removed.

    `end` is a time of time.monotonic by which it must end, `planned_end` one by which it plans to, where it was not told how long
    it learns.
    Raises: StoppedEarly where `told` says so, TooLong where it would end later; SettingsError,
    BackboneError, DataError, TrainingError, MachineError, StorageError.
    """
    settings = bench.suited(settings)
    if settings.strategy == "probe" and bench.task.quick is not None:
        with bench.watched(end):
            dataset, candidate = bench.classifier(settings)
        return _scored(bench.task.validate(candidate, dataset), {})
    if settings.strategy == "probe" and bench.task.direct is not None:
        with bench.watched(end):
            found = bench.direct(settings, bench.task.direct).winner
        return _scored(found, {})
    shutil.rmtree(folder, ignore_errors=True)  # what a trial that was killed has left
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / "recipe.toml", recipe_text(settings).encode())
    try:
        return _trained(bench, settings, folder, told, end, planned_end)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _trained(
    bench: Bench,
    settings: TrainSettings,
    folder: Path,
    told: Told,
    end: float | None,
    planned_end: float | None,
) -> Tried:
    from tellapart.workflows.learning.strategies import learn

    started = time.monotonic()
    session = TrainingSession(
        run=TrialRun(folder=folder, settings=settings, lock=None, told=told, end=end),
        examined=bench.examined,
        device=bench.device,
        engine=bench.engine,
        cache=bench.cache,
        reporter=Silent() if end is None else Watching(Silent(), end),
        started=started,
        span=bench.span,
        clock=Clock(None if planned_end is None else planned_end - started, started=started, fills=False),
    )
    backbone = choose_fit(session, bench.task, bench.dataset, bench.backbone(settings))
    winner = learn(session, bench.task, bench.dataset, backbone).choice.winner
    if settings.strategy == "finetune" and winner.candidate.strategy != settings.strategy:  # the time was up before
        raise TooLong(0.0)
    found = session.run.settings.model_dump(mode="json")
    planned = {key: found[key.split(".")[0]][key.split(".")[1]] for key in _PLANNED}
    if winner.candidate.strategy == "probe":  # of a search that leaves the strategy open, too
        planned = {key: value for key, value in planned.items() if key.startswith("network.")}
    history = winner.candidate.details.get("history")
    scored = _scored(winner, {key: value for key, value in planned.items() if value is not None})
    return replace(scored, epochs=len(history) if history else None)


def _scored(found: Validated[Any], planned: dict[str, Any]) -> Tried:
    return Tried(
        figure_name=found.figure_name,
        figure=float(found.figure),
        loss=float(found.losses.mean()) if len(found.losses) else None,
        planned=planned,
    )
