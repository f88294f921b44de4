"""The main job: pictures become a tested model. In: TrainSettings. Out: TrainResult, a run's folder. Next: data/dataset.py.

Only wires rooms together: audit, split, probe, fine-tuning or training from scratch, choice, test, model.onnx. The
validation split chooses and calibrates; the test split is looked at once, at the end.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tellapart.data.audit import check_strict, check_trainable
from tellapart.data.augmentation import resolve
from tellapart.data.carved import tell_carved
from tellapart.data.dataset import Dataset, gather
from tellapart.data.survey import Examined
from tellapart.errors import BackboneUnavailable, SettingsError, TellapartError
from tellapart.features.backbone import PendingBackbone, ReadyBackbone, prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.caching import open_cache
from tellapart.features.engine import choose_device, choose_engine
from tellapart.memory import memory_errors
from tellapart.reporter import Reporter
from tellapart.runs.picked_backbone import write_picked
from tellapart.runs.result import TrainResult, told_first
from tellapart.runs.run import Run, check_writable, start_run, with_absolute_inputs
from tellapart.runs.writing import Learned, write_results
from tellapart.runtime import cores
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.table import task_of
from tellapart.tasks.task import Task
from tellapart.threads import let_waiting_threads_sleep
from tellapart.training.planning import choose_batch_size
from tellapart.workflows.learning.backbones import choose_backbone
from tellapart.workflows.learning.early import Early, begin_early
from tellapart.workflows.learning.examine import examine, report_findings
from tellapart.workflows.learning.fit import choose_fit
from tellapart.workflows.learning.keeper import Keeper
from tellapart.workflows.learning.processes import is_helper, world_size
from tellapart.workflows.learning.session import TrainingSession, make_clock
from tellapart.workflows.learning.strategies import learn
from tellapart.workflows.learning.value_range import find_range


def train(
    settings: TrainSettings,
    *,
    reporter: Reporter,
    run: Run | None = None,
    told: Callable[[TrainResult], None] | None = None,
) -> TrainResult:
    """Train, test and write a run with its report; `run` is given when a stopped one is resumed.

    `told` is called as soon as the run is whole, before its report is written: who waits for the figures has them then.
    Raises: DataError, SettingsError, BackboneError, TrainingError, MachineError, StorageError; nothing is written for data that
    cannot be trained on.
    """
    with open_cache(reporter) as cache:
        result = _train(settings, cache, reporter, run)
        with told_first(told, result):
            return replace(result, report=_report(settings, result.run, cache, reporter)) if settings.report else result


def _report(settings: TrainSettings, folder: Path, cache: Cache, reporter: Reporter) -> Path | None:
    """The run is whole by now: nothing that goes wrong with its report takes it back."""
    from tellapart.reporting.phrases import language_of
    from tellapart.workflows.report import write_report

    try:
        return write_report(folder, language=language_of(settings.language), cache=cache, reporter=reporter).path
    except (TellapartError, KeyboardInterrupt) as error:
        reason = str(error) or "it was stopped."
        reporter.warn(f"The model is whole, but has no report yet: {reason} Make it with: tellapart report {folder}")
        return None


def _train(settings: TrainSettings, cache: Cache, reporter: Reporter, run: Run | None) -> TrainResult:
    started, resumed = time.monotonic(), run is not None
    _check(settings)
    let_waiting_threads_sleep()
    device = choose_device(settings.device)
    engine = choose_engine(settings.engine, device, warn=reporter.warn)
    check_writable(Path(settings.out))
    settings = with_absolute_inputs(settings)
    threading.Thread(target=_import_ahead, name="import ahead", daemon=True).start()
    picked = None
    if settings.compares_backbones:
        with memory_errors():
            settings, picked = choose_backbone(settings, cache, device=device, reporter=reporter)
    pending = None if settings.strategy == "scratch" else _prepare(settings)
    early = None if pending is None else begin_early(settings, pending, cache, device=device, engine=engine)
    with Keeper(reporter, run, resumed=resumed) as keeper, memory_errors():
        try:
            examined, task, dataset = _look(settings, cache, pending, early, reporter)
            settings = _with_batch_size(task.suit(task.prefer(settings), dataset), dataset, device)
            span = find_range(settings, examined, dataset, reporter)
            settings, backbone = _backbone(settings, pending, reporter)
        finally:
            if pending is not None:
                pending.cancel()
        keeper.run = run or start_run(settings)
        if picked is not None:
            write_picked(keeper.run.folder, picked)
        session = TrainingSession(
            run=keeper.run,
            examined=examined,
            device=device,
            engine=engine,
            cache=cache,
            reporter=reporter,
            started=started,
            early=early,
            span=span,
            clock=make_clock(settings, device, started, pictures=len(dataset.indices), head=task.head),
        )
        session.seconds["audit and export"] = time.monotonic() - started
        result = _learn(session, task, dataset, backbone)
        session.leave()
        return result if picked is None else replace(result, backbones=picked.as_json())


def _check(settings: TrainSettings) -> None:
    """Refuse now what would only be found after minutes. Raises: SettingsError."""
    if is_helper():
        raise SettingsError(
            "this process is not the first of its launcher's; only the first trains and tests a run. "
            "Under torchrun use the command `tellapart train`."
        )
    resolve(**settings.augment.model_dump())
    batch, world = (settings.loop.batch_size or 0) * settings.loop.accumulate, world_size()
    if batch % world:  # what is chosen for the machine suits the processes
        raise SettingsError(
            f"the batch size is {batch}; {world} processes must be able to share it evenly. "
            f"Set it to {max(1, batch // world) * world}, for example."
        )


def _look(
    settings: TrainSettings, cache: Cache, pending: PendingBackbone | None, early: Early | None, reporter: Reporter
) -> tuple[Examined, Task, Dataset]:
    """Audit and split. Raises: DataError when this cannot be trained on."""
    # An export at work gets a core to itself: everything after the audit waits for it.
    workers = max(1, cores() - 1) if pending is not None and pending.exporting else cores()
    corrections = None if settings.labels is None else Path(settings.labels)
    examined = examine(
        Path(settings.data),
        corrections=corrections,
        cache=cache,
        reporter=reporter,
        workers=workers,
        options=settings.read_options,
        look="always",
        shown=None if early is None else early.squares.keep,
        meanwhile=None if early is None else early.ahead.during,
    )
    report_findings(examined, reporter)
    check_trainable(examined.audit)
    if settings.strict:
        check_strict(examined.audit)
    task = task_of(examined.listing.task)
    dataset = gather(examined, split=task.split, encode=task.encode, seed=settings.seed)
    if carved := tell_carved(examined.listing, dataset.examples):
        reporter.say(carved)
    task.check(settings, dataset)
    return examined, task, dataset


def _with_batch_size(settings: TrainSettings, dataset: Dataset, device: str) -> TrainSettings:
    if settings.loop.batch_size is not None or settings.strategy == "probe":
        return settings
    chosen = choose_batch_size(device, processes=world_size(), train=len(dataset.rows["train"]))
    return settings.model_copy(update={"loop": settings.loop.model_copy(update={"batch_size": chosen})})


def _import_ahead() -> None:
    """Import what the later steps need while the audit reads files: a tenth of a second that a short run would feel."""
    for name in ("onnx", "safetensors.numpy"):
        with contextlib.suppress(Exception):  # who needs it meets the same, and says it
            importlib.import_module(name)


def _prepare(settings: TrainSettings) -> PendingBackbone:
    network = settings.network
    weights = Path(settings.weights) if settings.weights else None
    return prepare_backbone(
        settings.backbone, cache=cache_folder(), weights=weights, size=network.size, crop=network.crop
    )


def _backbone(
    settings: TrainSettings, pending: PendingBackbone | None, reporter: Reporter
) -> tuple[TrainSettings, ReadyBackbone | None]:
    """The exported backbone, or the recipe's second choice where no hub can be reached. Raises: BackboneError."""
    if pending is None:
        return settings, None
    try:
        return settings, _wait(pending, reporter)
    except BackboneUnavailable as error:
        second = settings.fallback_backbone
        if second is None or second == settings.backbone:
            raise
        reporter.warn(f"{error} Going on with {second}, the recipe's fallback_backbone.")
        settings = settings.model_copy(update={"backbone": second, "weights": None})
        again = _prepare(settings)
        try:
            return settings, _wait(again, reporter)
        finally:
            again.cancel()


def _wait(pending: PendingBackbone, reporter: Reporter) -> ReadyBackbone:
    if pending.running:
        with reporter.step("Exporting the network (once)", 1) as advance:
            ready = pending.wait()
            advance(1)
    else:
        ready = pending.wait()
    if pending.remark:
        reporter.warn(pending.remark)
    return ready


def _learn(session: TrainingSession, task: Task, dataset: Dataset, backbone: ReadyBackbone | None) -> TrainResult:
    backbone = choose_fit(session, task, dataset, backbone)
    trained = learn(session, task, dataset, backbone)
    if trained.choice.reason:
        session.reporter.say(trained.choice.reason)
    strategy = trained.choice.winner.candidate.strategy
    session.run.log("chosen", strategy=strategy, reason=trained.choice.reason)
    began = time.monotonic()
    tested = task.test(session.run.settings, trained.choice, trained.dataset)
    if tested.warning:
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
    )
    with session.reporter.step("Writing the model", 1) as advance:
        result = write_results(session.run, learned, functools.partial(task.export, trained.choice, tested))
        advance(1)
    return result
