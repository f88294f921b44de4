"""The main job: pictures become a tested model. In: TrainSettings. Out: TrainResult, a run's folder. Next: data/dataset.py.

Only wires rooms together: audit, split, probe, fine-tuning or training from scratch, choice, test, model.onnx. The
validation split chooses and calibrates; the test split is looked at once, at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tellapart.data.audit import check_strict, check_trainable
from tellapart.data.augmentation import resolve
from tellapart.data.carved import tell_carved
from tellapart.data.dataset import Dataset, gather
from tellapart.data.folding import FoldPlan
from tellapart.data.splitting import told_split, told_test
from tellapart.data.survey import Examined
from tellapart.deep_values import Span
from tellapart.errors import BackboneUnavailable, SettingsError, TellapartError
from tellapart.features.afar import Afar
from tellapart.features.backbone import PendingBackbone, ReadyBackbone, prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.caching import open_cache
from tellapart.features.engine import choose_device, choose_engine
from tellapart.memory import memory_errors
from tellapart.reporter import Reporter
from tellapart.runs.open import MODEL
from tellapart.runs.picked_backbone import write_picked
from tellapart.runs.places import check_writable
from tellapart.runs.result import TrainResult, told_first
from tellapart.runs.run import Run, start_run, with_absolute_inputs
from tellapart.runtime import cores
from tellapart.serving.engines import remember_quickest
from tellapart.settings.parts import UNFREEZE_WORDS
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.table import task_of
from tellapart.tasks.task import Task
from tellapart.threads import import_ahead, let_waiting_threads_sleep
from tellapart.workflows.kfold import deal, train_folds
from tellapart.workflows.learning.backbones import choose_backbone
from tellapart.workflows.learning.conclude import learn_and_test, suited, write
from tellapart.workflows.learning.early import Early, begin_early
from tellapart.workflows.learning.examine import examine, report_findings
from tellapart.workflows.learning.keeper import Keeper
from tellapart.workflows.learning.processes import is_helper, world_size
from tellapart.workflows.learning.session import TrainingSession, make_clock
from tellapart.workflows.learning.value_range import find_range


def train(
    settings: TrainSettings,
    *,
    reporter: Reporter,
    run: Run | None = None,
    told: Callable[[TrainResult], None] | None = None,
    afar: Afar | None = None,
) -> TrainResult:
    """Train, test and write a run with its report; `run` is given when a stopped one is resumed.

    `told` is called as soon as the run is whole, before its report is written: who waits for the figures has them then.
    `afar` opens and embeds pictures in place of this machine.
    Raises: DataError, SettingsError, BackboneError, TrainingError, MachineError, StorageError; nothing is written for data that
    cannot be trained on.
    """
    with open_cache(reporter) as cache:
        result = _train(settings, cache, reporter, run, afar)
        with told_first(told, result):
            return (
                replace(result, report=written_report(settings, result.run, cache, reporter))
                if settings.report
                else result
            )


def written_report(settings: TrainSettings, folder: Path, cache: Cache, reporter: Reporter) -> Path | None:
    """The report of a run, or None: the run is whole by now, and nothing that goes wrong with its report takes it back.

    Before it, what saves a server time: which engine is the quickest here.
    """
    from tellapart.reporting.phrases import language_of
    from tellapart.workflows.report import write_report

    try:
        remember_quickest(folder / MODEL)
        return write_report(folder, language=language_of(settings.language), cache=cache, reporter=reporter).path
    except (TellapartError, KeyboardInterrupt) as error:
        reason = str(error) or "it was stopped."
        reporter.warn(f"The model is whole, but has no report yet: {reason} Make it with: tellapart report {folder}")
        return None


def _train(
    settings: TrainSettings, cache: Cache, reporter: Reporter, run: Run | None, afar: Afar | None
) -> TrainResult:
    started, resumed = time.monotonic(), run is not None
    _check(settings)
    let_waiting_threads_sleep()
    device = choose_device(settings.device)
    # Of folds each picture is tested once: what is embedded as it is tested is embedded once for all.
    asked = "onnxruntime" if settings.folded and settings.engine == "auto" else settings.engine
    engine = choose_engine(asked, device, warn=reporter.warn)
    check_writable(Path(settings.out))
    settings = with_absolute_inputs(settings)
    import_ahead(
        "onnx", "safetensors.numpy"
    )  # while the audit reads files: a tenth of a second that a short run would feel
    picked = None
    if settings.compares_backbones:
        with memory_errors():
            settings, picked = choose_backbone(settings, cache, device=device, reporter=reporter)
    _check_unfreeze(settings)
    plain = settings.strategy == "scratch" or settings.base is not None or _is_direct(settings)
    pending = None if plain else _prepare(settings)
    early = (
        None
        if pending is None or afar is not None
        else begin_early(settings, pending, cache, device=device, engine=engine)
    )
    with Keeper(reporter, run, resumed=resumed) as keeper, memory_errors():
        try:
            examined, task = _look(settings, cache, pending, early, afar, reporter)
            course = _course(settings, examined, task, device, reporter)
            settings, backbone = _backbone(course.settings, None if task.direct is not None else pending, reporter)
        finally:
            if pending is not None:
                pending.cancel()
        keeper.run = run or start_run(settings)
        if picked is not None:
            write_picked(keeper.run.folder, picked)
        session = TrainingSession(
            run=keeper.run,
            examined=course.examined,
            device=device,
            engine=engine,
            cache=cache,
            reporter=reporter,
            started=started,
            early=early,
            afar=afar,
            span=course.span,
            clock=make_clock(settings, device, started, pictures=course.pictures, head=task.head),
        )
        session.seconds["audit and export"] = time.monotonic() - started
        if course.plan is not None:
            result = train_folds(session, task, course.plan, backbone)
        else:
            assert course.dataset is not None
            result = write(session, learn_and_test(session, task, course.dataset, backbone))
        session.leave()
        return result if picked is None else replace(result, backbones=picked.as_json())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Course:
    """What is to be trained: one data set, or one for each fold of a plan."""

    settings: TrainSettings
    examined: Examined
    pictures: int
    dataset: Dataset | None = None
    span: Span | None = None  # of that data set's deep pictures
    plan: FoldPlan | None = None


def _is_direct(settings: TrainSettings) -> bool:
    """Whether a task was told whose items need no backbone; otherwise the data say it, a moment later."""
    return settings.task is not None and task_of(settings.task).direct is not None


def _course(settings: TrainSettings, examined: Examined, task: Task, device: str, reporter: Reporter) -> _Course:
    """Split the pictures, or deal them to folds. Raises: DataError when they cannot be learned from, SettingsError."""
    _check_monitor(settings, task)
    if settings.network.rescale is not None:
        reporter.say(
            f"rescale {settings.network.rescale:g} is not needed: the network takes bytes and scales them itself, in training, in "
            "model.onnx and wherever that is exported to; its mean and deviation stand in the manifest."
        )
    if settings.folded:
        plan = deal(settings, examined, task, reporter)
        return _Course(settings=task.prefer(settings), examined=plan.examined, pictures=len(plan.usable), plan=plan)
    terms = settings.split.terms
    dataset = gather(examined, split=told_split(task.split, terms), encode=task.encode, seed=settings.seed)
    if carved := tell_carved(examined.listing, dataset.examples):
        reporter.say(carved)
    if tested := told_test(examined.listing, dataset.examples, terms, settings.seed):
        reporter.say(tested)
    task.check(settings, dataset)
    settings = suited(settings, task, dataset, device)
    span = find_range(settings, examined, dataset, reporter)
    return _Course(settings=settings, examined=examined, pictures=len(dataset.indices), dataset=dataset, span=span)


def _check(settings: TrainSettings) -> None:
    """Refuse now what would only be found after minutes. Raises: SettingsError."""
    if is_helper():
        raise SettingsError(
            "this process is not the first of its launcher's; only the first trains and tests a run. "
            "Under torchrun use the command `tellapart train`."
        )
    resolve(**settings.augment.model_dump())
    if settings.task is not None:  # otherwise the data say which it is
        task_of(settings.task).prefer(settings)
    batch, world = (settings.loop.batch_size or 0) * settings.loop.accumulate, world_size()
    if batch % world:  # what is chosen for the machine suits the processes
        raise SettingsError(
            f"the batch size is {batch}; {world} processes must be able to share it evenly. "
            f"Set it to {max(1, batch // world) * world}, for example."
        )


def _check_monitor(settings: TrainSettings, task: Task) -> None:
    """Raises: SettingsError for a figure that the task's learner does not tell."""
    monitor, known = settings.loop.monitor, ("loss", *task.watched)
    if monitor is not None and monitor not in known:
        raise SettingsError(
            f"loop.monitor is {monitor}; of the validation pictures this task tells: {', '.join(known)}. Choose one of these."
        )


def _check_unfreeze(settings: TrainSettings) -> None:
    """Refuse a layer or a number of stages that the network has not before anything is computed. Raises: SettingsError."""
    asked = settings.finetune.unfreeze
    if (
        asked is None
        or asked in UNFREEZE_WORDS
        or settings.base is not None
        or settings.strategy not in ("auto", "finetune")
    ):
        return
    if settings.task is not None and task_of(settings.task).head is not None:
        return  # of which stages there are, that task's network says
    from tellapart.workflows.learning.finetune import check_unfreeze

    check_unfreeze(settings)


def _look(
    settings: TrainSettings,
    cache: Cache,
    pending: PendingBackbone | None,
    early: Early | None,
    afar: Afar | None,
    reporter: Reporter,
) -> tuple[Examined, Task]:
    """Audit. Raises: DataError when this cannot be trained on."""
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
        afar=afar,
    )
    report_findings(examined, reporter)
    check_trainable(examined.audit)
    if settings.strict:
        check_strict(examined.audit)
    return examined, task_of(examined.listing.task)


def _prepare(settings: TrainSettings) -> PendingBackbone:
    network = settings.network
    weights = Path(settings.weights) if settings.weights else None
    return prepare_backbone(
        settings.backbone,
        cache=cache_folder(),
        weights=weights,
        size=network.size,
        crop=network.crop,
        pooling=network.pooling,
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
