"""The main job: pictures become a tested model. In: TrainSettings. Out: TrainResult, a run's folder. Next: data/dataset.py.

Only wires rooms together: audit, split, probe, fine-tuning or training from scratch, choice, test, model.onnx. The
validation split chooses and calibrates; the test split is looked at once, at the end.
"""

from __future__ import annotations

import importlib
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.audit import check_strict, check_trainable, findings
from tellapart.data.augment import resolve
from tellapart.data.dataset import Dataset, gather
from tellapart.data.examples import SPLITS, ReadOptions
from tellapart.data.survey import Examined
from tellapart.errors import (
    BackboneError,
    BackboneUnavailable,
    ForeignCheckpoint,
    SettingsError,
    StorageError,
    TellapartError,
    TrainingError,
)
from tellapart.evaluation.calibration import apply_temperature
from tellapart.evaluation.choosing import Choice
from tellapart.evaluation.metrics import evaluate
from tellapart.features.backbone import PendingBackbone, ReadyBackbone, prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.caching import open_cache
from tellapart.features.engine import choose_device
from tellapart.reporter import Reporter
from tellapart.runs.run import Run, check_writable, start_run, with_absolute_inputs
from tellapart.runs.writing import Learned, TrainResult, write_results
from tellapart.runtime import cores
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.classification.abstaining import learn_to_abstain
from tellapart.training.planning import choose_batch_size
from tellapart.workflows.learning.examine import examine
from tellapart.workflows.learning.processes import is_helper, world_size
from tellapart.workflows.learning.strategies import TrainingSession, learn, make_clock


def train(settings: TrainSettings, *, reporter: Reporter, run: Run | None = None) -> TrainResult:
    """Train, test and write a run with its report; `run` is given when a stopped one is resumed.

    Raises: DataError, SettingsError, BackboneError, TrainingError, StorageError; nothing is written for data that
    cannot be trained on.
    """
    with open_cache() as cache:
        result = _train(settings, cache, reporter, run)
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
    # Threads that spin while they wait take the cores from those that work; set before torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    device = choose_device(settings.device)
    check_writable(Path(settings.out))
    settings = with_absolute_inputs(settings)
    threading.Thread(target=_import_ahead, name="import ahead", daemon=True).start()
    pending = None if settings.strategy == "scratch" else _prepare(settings)
    try:
        examined, dataset = _look(settings, cache, pending, reporter)
        settings = _with_batch_size(settings, dataset, device)
        settings, backbone = _backbone(settings, pending, reporter)
        run = run or start_run(settings)
        session = TrainingSession(
            run=run,
            examined=examined,
            device=device,
            cache=cache,
            reporter=reporter,
            started=started,
            clock=make_clock(settings, device, started, pictures=len(dataset.indices)),
        )
        session.seconds["audit and export"] = time.monotonic() - started
        result = _learn(session, dataset, backbone)
        session.leave()
        return result
    except (SettingsError, BackboneError):
        if run is not None and not resumed and not (run.folder / "checkpoints").exists():
            run.discard()  # it holds nothing that could be gone on with
        raise
    except ForeignCheckpoint:
        raise  # with its pictures back as they were, the run can go on
    except TrainingError:
        if run is not None:
            reporter.warn(
                f"Stopped; resumed as it is, it would fail at the same step. The weights so far are in "
                f"{run.folder / 'checkpoints'}. Train again with other settings."
            )
        raise
    except (KeyboardInterrupt, StorageError):
        if run is not None:
            reporter.warn(f"Stopped. Nothing is lost; go on with: tellapart train --resume {run.folder}")
        raise
    finally:
        if pending is not None:
            pending.cancel()
        if run is not None:
            run.release()


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
    settings: TrainSettings, cache: Cache, pending: PendingBackbone | None, reporter: Reporter
) -> tuple[Examined, Dataset]:
    """Audit and split. Raises: DataError when this cannot be trained on."""
    # An export at work gets a core to itself: everything after the audit waits for it.
    workers = max(1, cores() - 1) if pending is not None and pending.running else cores()
    corrections = None if settings.labels is None else Path(settings.labels)
    examined = examine(
        Path(settings.data),
        corrections=corrections,
        cache=cache,
        reporter=reporter,
        workers=workers,
        options=ReadOptions(task=settings.task, separator=settings.label_separator),
    )
    _report_findings(examined, reporter)
    check_trainable(examined.audit)
    if settings.strict:
        check_strict(examined.audit)
    return examined, gather(examined, seed=settings.seed)


def _with_batch_size(settings: TrainSettings, dataset: Dataset, device: str) -> TrainSettings:
    if settings.loop.batch_size is not None or settings.strategy == "probe":
        return settings
    chosen = choose_batch_size(device, processes=world_size(), train=len(dataset.rows("train")))
    return settings.model_copy(update={"loop": settings.loop.model_copy(update={"batch_size": chosen})})


def _import_ahead() -> None:
    """Import what the later steps need while the audit reads files: a second that a short run would feel."""
    for name in ("scipy.optimize", "sklearn.metrics", "onnx", "safetensors.numpy"):
        importlib.import_module(name)


def _report_findings(examined: Examined, reporter: Reporter) -> None:
    for finding in findings(examined.audit):
        if finding.severity == "note":
            reporter.say(finding.message)
        elif finding.severity == "warning":  # errors are raised a moment later
            reporter.warn(finding.message)


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
    if not pending.running:
        return pending.wait()
    with reporter.step("Exporting the network (once)", 1) as advance:
        ready = pending.wait()
        advance(1)
    return ready


def _learn(session: TrainingSession, dataset: Dataset, backbone: ReadyBackbone | None) -> TrainResult:
    learned = learn(session, dataset, backbone)
    if learned.choice.reason:
        session.reporter.say(learned.choice.reason)
    session.run.log("chosen", strategy=learned.choice.winner.candidate.strategy, reason=learned.choice.reason)
    began = time.monotonic()
    tested = _test(session.run.settings, learned.dataset, learned.choice)
    if tested.abstention.warning:
        session.reporter.warn(tested.abstention.warning)
    session.seconds["test"] = time.monotonic() - began
    with session.reporter.step("Writing the model", 1) as advance:
        result = write_results(
            session.run,
            examined=session.examined,
            learned=tested,
            computed=learned.computed,
            reused=learned.reused,
            seconds=session.seconds,
            started=session.started,
        )
        advance(1)
    return result


def _test(settings: TrainSettings, dataset: Dataset, choice: Choice) -> Learned:
    """Score the winner on the test split: the only time that anything looks at it."""
    winner = choice.winner
    rows = np.flatnonzero(dataset.splits == "test")  # in the order of the listing, as predictions.csv is read
    logits_NK = winner.candidate.logits(rows)
    probabilities = apply_temperature(logits_NK, winner.temperature)
    uncalibrated = apply_temperature(logits_NK, 1.0)
    labels, groups, leaked = dataset.targets[rows], dataset.groups[rows], dataset.leaked[rows]

    def score(chosen: NDArray[np.bool_]) -> dict[str, object]:
        return evaluate(
            probabilities[chosen],
            uncalibrated[chosen],
            labels[chosen],
            classes=dataset.classes,
            groups=groups[chosen],
            seed=settings.seed,
        )

    return Learned(
        dataset=dataset,
        choice=choice,
        counts={split: int((dataset.splits == split).sum()) for split in SPLITS},
        test_rows=[int(index) for index in dataset.indices[rows]],
        test_probabilities=probabilities,
        metrics=score(np.ones(len(rows), dtype=np.bool_)),
        metrics_without_leaked=score(~leaked) if leaked.any() and not leaked.all() else None,
        leaked=int(leaked.sum()),
        abstention=learn_to_abstain(winner, dataset, coverage=settings.coverage, seed=settings.seed),
    )
