"""A job becomes a training. In: Job, Devices. Out: a trained network, Fitted. Next: training/loop.py.

Every process of a training calls `run_job` with the same Job; process 0 made it and sends it to the others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tellapart.data.loading import TrainingBatches
from tellapart.data.readers import READERS
from tellapart.features.frozen import CachedViews
from tellapart.models.overheard import Overheard
from tellapart.reporter import Reporter
from tellapart.runtime import cores
from tellapart.tasks.table import task_of
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.curves import open_curves
from tellapart.training.devices import Devices, default_workers, thread_advice
from tellapart.training.distilling import DistillingLearner
from tellapart.training.learner import Learner
from tellapart.training.loop import fit
from tellapart.training.memory import keep_freed_memory
from tellapart.training.optimizer import build_optimizer
from tellapart.training.progress import Epoch, Fitted, Progress
from tellapart.training.schedule import Schedule
from tellapart.training.terms import Listeners, Saving, Trainee, TrainingLimits
from tellapart.workflows.learning.job import Job


def run_job(job: Job, devices: Devices, reporter: Reporter, log: Callable[..., None] | None = None) -> Fitted:
    """Train the job's network in place; it ends with the best weights, on the CPU, in evaluation mode.

    `log(event, **facts)` is told of every epoch. Raises: TrainingError, StorageError, SettingsError. Of several
    processes every one raises a TrainingError, after the same update, and no message between them is left open: process
    0 may catch it and go on alone while the others wait for their next Job. Other errors end their own process only;
    the launcher then ends the rest.
    """
    keep_freed_memory()
    advice = thread_advice(devices, available=cores())
    if advice and devices.main:
        reporter.warn(advice)
    learner = _learner(job, devices)
    with (
        contextlib.closing(_batches(job, devices)) as batches,
        _screen(job, batches.steps, reporter, log, devices) as screen,
    ):
        fitted = fit(
            _trainee(job, learner, batches, devices),
            _limits(job),
            devices=devices,
            listeners=Listeners(
                on_start=screen.on_start,
                on_epoch=screen.on_epoch,
                on_step=screen.on_step,
                on_message=reporter.warn,
            ),
            saving=Saving(checkpoints=Checkpoints(job.folder / "checkpoints", fingerprint=job.fingerprint)),
        )
    job.lesson.network.to("cpu").eval()
    return fitted


def _limits(job: Job) -> TrainingLimits:
    loop = job.lesson.loop
    return TrainingLimits(
        epochs=job.epochs,
        patience=loop.patience,
        min_delta=loop.min_delta,
        monitor=loop.monitor,
        deadline=job.deadline,
    )


def _learner(job: Job, devices: Devices) -> Learner:
    """The task's; with a teacher behind it where there is one, whose rows without labels the task's never counts."""
    lesson, teaching = job.lesson, job.teaching
    if teaching is None:
        return task_of(job.task).learner(lesson, devices)
    if isinstance(lesson.network, Overheard):  # a task asks what kind of network it is for
        lesson = replace(lesson, network=lesson.network.network)
    labelled = teaching.lore.labelled
    if labelled is not None:
        lesson = replace(lesson, train_rows=lesson.train_rows[lesson.train_rows < labelled])
    inner = task_of(job.task).learner(lesson, devices)
    return DistillingLearner(
        inner=inner,
        teacher=teaching.teacher,
        lore=teaching.lore,
        spread=teaching.spread,
        distance=teaching.distance,
    )


def _batches(job: Job, devices: Devices) -> TrainingBatches:
    loop = job.lesson.loop
    return TrainingBatches(
        job.lesson.train,
        job.lesson.train_targets,
        rows=job.lesson.train_rows,
        batch_size=loop.pictures_at_once * loop.accumulate,
        seed=job.seed,
        sampling=loop.sampling,
        strata=job.train_strata,
        workers=_workers(job, devices),
        steps=loop.steps_per_epoch,
        rank=devices.rank,
        world=devices.world,
        lengths=getattr(job.lesson.train, "lengths", None),  # of items that differ in them
    )


def _trainee(job: Job, learner: Learner, batches: TrainingBatches, devices: Devices) -> Trainee:
    loop = job.lesson.loop
    optimizer = build_optimizer(
        job.lesson.network.layer_groups(),
        name=loop.optimizer,
        learning_rate=job.learning_rate,
        head_learning_rate=loop.head_learning_rate,
        layer_decay=loop.layer_decay,
        weight_decay=loop.decay,
        momentum=loop.momentum,
        nesterov=loop.nesterov,
    )
    schedule = Schedule(
        optimizer,
        name=loop.schedule,
        epochs=job.epochs,
        steps=batches.steps,
        warmup_epochs=min(loop.warmup_epochs, job.epochs / 2),
        decay_epochs=loop.decay_epochs,
        decay_rate=loop.decay_rate,
        decay_at=loop.decay_at,
    )
    return Trainee(
        network=job.lesson.network,
        learner=learner,
        batches=batches,
        optimizer=optimizer,
        schedule=schedule,
        seed=job.seed,
        chunk=loop.pictures_at_once // devices.world if loop.accumulate > 1 else None,
        clip=loop.clip or None,
        l1=loop.l1,
        l2=loop.l2,
        average_decay=loop.average or None,
    )


class _Screen:
    """Tells the person who waits, log.jsonl and TensorBoard how the training goes."""

    def __init__(
        self,
        job: Job,
        steps: int,
        reporter: Reporter,
        log: Callable[..., None] | None,
        advance: Callable[[int], None],
        curves: Callable[[int], Any],
    ) -> None:
        self._job, self._steps, self._reporter, self._log = job, steps, reporter, log
        self._advance, self._curves, self._done = advance, curves, 0

    def on_start(self, done: int) -> None:
        """Set the bar where earlier processes left it, before the pace of this one is measured."""
        self._advance(done)
        self._done = done

    def on_step(self, progress: Progress) -> None:
        """Move the bar."""
        done = (progress.epoch - 1) * self._steps + progress.step
        self._advance(done - self._done)
        self._done = done

    def on_epoch(self, epoch: Epoch, seconds_left: float) -> None:
        """One line, one record, one point on each curve."""
        left = f", about {_in_words(seconds_left)} left" if seconds_left else ""
        self._reporter.say(
            f"epoch {epoch.number} of {self._job.epochs}: {epoch.summary}; "
            f"{epoch.pictures_per_second:.0f} {READERS[self._job.task].words.item}s/s{left}"
        )
        if self._log is not None:
            self._log("epoch", **epoch.record())
        self._curves(epoch.number).epoch(epoch)


@contextlib.contextmanager
def _screen(
    job: Job, steps: int, reporter: Reporter, log: Callable[..., None] | None, devices: Devices
) -> Iterator[_Screen]:
    with contextlib.ExitStack() as stack:
        opened: list[Any] = []

        def curves(number: int) -> Any:
            # Opened with the first epoch, when it is known whether the training was resumed.
            if not opened:
                folder = job.folder / "tensorboard"
                opened.append(stack.enter_context(open_curves(folder, resumed_after=number - 1)))
                if number == 1:
                    opened[0].pictures("training_pictures", job.samples)
            return opened[0]

        title = job.title if devices.main else "Helping"
        advance = stack.enter_context(reporter.step(title, job.epochs * steps))
        yield _Screen(job, steps, reporter, log, advance, curves)


def _workers(job: Job, devices: Devices) -> int:
    if job.lesson.loop.workers is not None:
        return job.lesson.loop.workers
    if isinstance(job.lesson.train, CachedViews) and job.lesson.train.store is not None:
        return 0  # rows that are memory-mapped are read sooner than they would be sent
    return default_workers(devices)


def _in_words(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
