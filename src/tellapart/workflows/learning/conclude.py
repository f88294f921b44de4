"""One training from its data to its files. In: TrainingSession, Dataset. Out: Learned; a run's folder. Next: strategies.py.

The validation split chooses and calibrates; the test split is looked at once, at the end.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

from tellapart.bundle import Manifest
from tellapart.data.dataset import Dataset
from tellapart.features.backbone import ReadyBackbone
from tellapart.runs.result import TrainResult
from tellapart.runs.writing import Learned, Tested, write_results
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.task import Task
from tellapart.training.planning import choose_batch_size
from tellapart.workflows.learning.fit import choose_fit
from tellapart.workflows.learning.processes import world_size
from tellapart.workflows.learning.session import TrainingSession
from tellapart.workflows.learning.strategies import learn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Concluded:
    """A training that is done, before anything is written of it."""

    learned: Learned
    tested: Tested  # of the network itself
    export: Callable[[Manifest], bytes]  # model.onnx


def suited(settings: TrainSettings, task: Task, dataset: Dataset, device: str) -> TrainSettings:
    """The settings with what suits the task, the data and the machine where nothing was told."""
    settings = task.suit(task.prefer(settings), dataset)
    if settings.loop.batch_size is not None or settings.strategy == "probe":
        return settings
    chosen = choose_batch_size(device, processes=world_size(), train=len(dataset.rows["train"]))
    return settings.model_copy(update={"loop": settings.loop.model_copy(update={"batch_size": chosen})})


def learn_and_test(session: TrainingSession, task: Task, dataset: Dataset, backbone: ReadyBackbone | None) -> Concluded:
    """Train, choose by the validation split, and look at the test split. Raises: as `strategies.learn`."""
    backbone = backbone if task.direct is not None else choose_fit(session, task, dataset, backbone)
    trained = learn(session, task, dataset, backbone)
    if trained.choice.reason:
        session.reporter.say(trained.choice.reason)
    strategy = trained.choice.winner.candidate.strategy
    session.run.log("chosen", strategy=strategy, reason=trained.choice.reason)
    began = time.monotonic()
    tested = task.test(session.run.settings, trained.choice, trained.dataset)
    if tested.warning and not session.run.fold:  # of the network that is kept, once
        session.reporter.warn(tested.warning)
    session.seconds["test"] = time.monotonic() - began
    learned = Learned(
        task=task.name,
        headline=task.headline,
        examined=session.examined,
        dataset=trained.dataset,
        choice=trained.choice,
        tested=tested,
        computed=trained.computed,
        reused=trained.reused,
        engine=trained.engine,
        seconds=session.seconds,
        started=session.started,
        has_weights=tested.feed is None,
    )
    export = functools.partial(task.export, trained.choice, tested)
    return Concluded(learned=learned, tested=tested, export=export)


def write(session: TrainingSession, concluded: Concluded) -> TrainResult:
    """Write the run, model.onnx last. Raises: StorageError, ModelFileError."""
    with session.reporter.step("Writing the model", 1) as advance:
        result = write_results(session.run, concluded.learned, concluded.export)
        advance(1)
    return result
