"""A job becomes a training. In: Job, Devices. Out: a trained network, Fitted. Next: training/loop.py.

Every process of a training calls `run_job` with the same Job; process 0 made it and sends it to the others.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tellapart.data.loading import TrainingBatches, ordered_batches
from tellapart.data.mixing import mix
from tellapart.errors import TrainingError
from tellapart.features.frozen import CachedViews
from tellapart.models.freezing import layer_groups
from tellapart.reporter import Reporter
from tellapart.runtime import cores
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.curves import open_curves
from tellapart.training.devices import Devices, default_workers, thread_advice
from tellapart.training.loop import fit
from tellapart.training.loss import PictureLoss, balanced_weights
from tellapart.training.memory import keep_freed_memory
from tellapart.training.optimizer import build_optimizer
from tellapart.training.progress import Epoch, Fitted, Progress
from tellapart.training.schedule import Schedule
from tellapart.training.update import within_memory
from tellapart.workflows.learning.job import Job

_VALIDATION_BATCH = 64


def run_job(job: Job, devices: Devices, reporter: Reporter, log: Callable[..., None] | None = None) -> Fitted:
    """Train `job.network` in place; it ends with the best weights, on the CPU, in evaluation mode.

    `log(event, **facts)` is told of every epoch. Raises: TrainingError, StorageError, SettingsError. Of several
    processes every one raises a TrainingError, after the same update, and no message between them is left open: process
    0 may catch it and go on alone while the others wait for their next Job. Other errors end their own process only;
    the launcher then ends the rest.
    """
    keep_freed_memory()
    advice = thread_advice(devices, available=cores())
    if advice and devices.main:
        reporter.warn(advice)
    classes = job.network.classifier.out_features
    loop = job.loop
    batches = TrainingBatches(
        job.train,
        job.train_labels,
        rows=job.train_rows,
        batch_size=loop.pictures_at_once * loop.accumulate,
        seed=job.seed,
        sampling=loop.sampling,
        workers=_workers(job, devices),
        rank=devices.rank,
        world=devices.world,
    )
    optimizer = build_optimizer(
        layer_groups(job.network),
        name=loop.optimizer,
        learning_rate=job.learning_rate,
        head_learning_rate=loop.head_learning_rate,
        layer_decay=loop.layer_decay,
        weight_decay=loop.weight_decay,
        momentum=loop.momentum,
    )
    schedule = Schedule(
        optimizer,
        name=loop.schedule,
        epochs=job.epochs,
        steps=batches.steps,
        warmup_epochs=min(loop.warmup_epochs, job.epochs / 2),
        decay_epochs=loop.decay_epochs,
        decay_rate=loop.decay_rate,
    )
    mixing = None
    if job.mixup or job.cutmix:
        mixing = functools.partial(_mix, mixup=job.mixup, cutmix=job.cutmix, classes=classes)
    with contextlib.closing(batches), _screen(job, batches.steps, reporter, log, devices) as screen:
        fitted = fit(
            job.network,
            batches=batches,
            validate=_Validation(job, devices),
            optimizer=optimizer,
            schedule=schedule,
            loss=_loss(job, classes),
            epochs=job.epochs,
            seed=job.seed,
            forward=functools.partial(job.network, start=job.start),
            chunk=loop.pictures_at_once // devices.world if loop.accumulate > 1 else None,
            clip=loop.clip or None,
            mix=mixing,
            l1=loop.l1,
            l2=loop.l2,
            average_decay=loop.average or None,
            patience=loop.patience,
            devices=devices,
            checkpoints=Checkpoints(job.folder / "checkpoints", fingerprint=job.fingerprint),
            deadline=job.deadline,
            on_start=screen.on_start,
            on_epoch=screen.on_epoch,
            on_step=screen.on_step,
            on_message=reporter.warn,
        )
    job.network.to("cpu").eval()
    return fitted


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
            f"epoch {epoch.number} of {self._job.epochs}: "
            f"train loss {epoch.train_loss:.4f}, accuracy {100 * epoch.train_accuracy:.1f} %; "
            f"validation loss {epoch.validation_loss:.4f}, accuracy {100 * epoch.validation_accuracy:.1f} %; "
            f"{epoch.pictures_per_second:.0f} pictures/s{left}"
        )
        if self._log is not None:
            self._log("epoch", **dataclasses.asdict(epoch))
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


class _Validation:
    """Mean cross-entropy in nats and accuracy of the validation pictures, in parts as large as memory allows."""

    def __init__(self, job: Job, devices: Devices) -> None:
        self._job, self._devices, self._chunk = job, devices, _VALIDATION_BATCH

    def __call__(self, network: nn.Module) -> tuple[float, float]:
        job, total, right, count = self._job, 0.0, 0, 0
        network.eval()
        for batch in ordered_batches(
            job.validation, job.validation_labels, rows=job.validation_rows, batch_size=_VALIDATION_BATCH
        ):
            logits, targets = self._logits(network, batch.images), batch.targets.to(self._devices.device)
            total += float(nn.functional.cross_entropy(logits, targets, reduction="sum"))
            right += int((logits.argmax(1) == targets).sum())
            count += len(targets)
        return total / count, right / count

    def _logits(self, network: nn.Module, images: Tensor) -> Tensor:
        """Float32 [B, K]. Raises: TrainingError when memory does not suffice for one picture."""
        while True:
            logits = within_memory(functools.partial(self._run, network, images), self._devices.device)
            if logits is not None:
                return logits
            if self._chunk == 1:
                raise TrainingError(
                    "memory does not suffice to validate 1 picture at a time; there must be room for 1. "
                    "Choose smaller pictures or a smaller network."
                )
            self._chunk = min(self._chunk, len(images)) // 2 or 1

    def _run(self, network: nn.Module, images: Tensor) -> Tensor:
        with torch.inference_mode(), self._devices.autocast():
            parts = torch.split(images, self._chunk)
            return torch.cat([network(self._devices.to_device(part), start=self._job.start).float() for part in parts])


def _loss(job: Job, classes: int) -> PictureLoss:
    counts = np.bincount(job.train_labels[job.train_rows], minlength=classes)
    return PictureLoss(
        label_smoothing=job.loop.label_smoothing,
        class_weights=balanced_weights(counts.tolist()) if job.balanced else None,
        focal_gamma=job.loop.focal_gamma if job.loop.loss == "focal" else 0.0,
    )


def _mix(
    images: Tensor, targets: Tensor, seed: int, *, mixup: float, cutmix: float, classes: int
) -> tuple[Tensor, Tensor]:
    pictures = not images.is_floating_point()
    if pictures:
        images = images.permute(0, 3, 1, 2).float()
    images, soft = mix(images.float(), targets, mixup=mixup, cutmix=cutmix, class_count=classes, seed=(seed,))
    return images.permute(0, 2, 3, 1) if pictures else images, soft


def _workers(job: Job, devices: Devices) -> int:
    if job.loop.workers is not None:
        return job.loop.workers
    if isinstance(job.train, CachedViews) and job.train.store is not None:
        return 0  # rows that are memory-mapped are read sooner than they would be sent
    return default_workers(devices)


def _in_words(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
