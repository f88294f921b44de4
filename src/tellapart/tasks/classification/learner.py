"""How a network learns one class a picture. In: Lesson, Devices. Out: ClassificationLearner. Next: training/loop.py.

Shapes: B pictures, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tellapart.data.loading import ordered_batches
from tellapart.data.mixing import mix_batch
from tellapart.errors import SettingsError, TrainingError
from tellapart.tasks.lesson import Lesson
from tellapart.training.devices import Devices
from tellapart.training.inference import VALIDATION_BATCH, Inference
from tellapart.training.learner import Batch, Judged, Losses, check_targets
from tellapart.training.loss import LOSSES, PictureLoss, balanced_weights, with_auxiliary

_ONE = "one class a picture"


@dataclass(slots=True, kw_only=True, eq=False)
class ClassificationLearner:
    """Cross-entropy or focal loss; judged by the mean cross-entropy in nats, told as accuracy."""

    parts: ClassVar[tuple[str, ...]] = ("accuracy",)
    loss: PictureLoss
    class_count: int
    devices: Devices
    validation: Callable[[], Iterator[Batch]]  # the validation pictures, with targets int64 [B]
    start: int = 0  # the network's stage that the inputs go into
    mixup: float = 0.0  # alphas of Beta distributions; 0: off
    cutmix: float = 0.0
    _inference: Inference = field(init=False)

    def __post_init__(self) -> None:
        self.loss.to(self.devices.device)
        self._inference = Inference(self.devices, start=self.start)

    def prepare(self, batch: Batch, seed: int) -> Batch:
        """Targets int64 [B], mixed float32 [B, K]. Raises: ValueError for other targets, TrainingError for no class of ours."""
        check_classes(batch.targets, batch.rows, self.class_count)
        moved = batch.to(self.devices.device)
        if not (self.mixup or self.cutmix):
            return moved
        return mix_batch(moved, mixup=self.mixup, cutmix=self.cutmix, class_count=self.class_count, seed=(seed,))

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """Of mixed pictures the class with the greater share is the right answer. Raises: ValueError for other targets."""
        targets: Tensor = batch.targets
        soft = bool(self.mixup or self.cutmix)
        shape = (len(batch), self.class_count) if soft else (len(batch),)
        check_targets(
            targets, torch.float32 if soft else torch.int64, shape, "one class a picture, mixed" if soft else _ONE
        )
        with self.devices.autocast():
            given = network(self.devices.to_device(batch.inputs), start=self.start)
        logits_BK, items = with_auxiliary(given, self.loss, targets)
        classes_B = targets.argmax(1) if soft else targets
        right_B = logits_BK.detach().argmax(1) == classes_B
        return Losses(items=items, parts={"accuracy": right_B})

    def chunks(self, batch: Batch, count: int) -> Sequence[Batch]:
        """Losses of a picture do not depend on the others, so any parts will do."""
        return batch.split(count)

    def judge(self, network: nn.Module) -> Judged:
        """Raises: TrainingError when memory does not suffice for one picture."""
        total, right, count = 0.0, 0, 0
        network.eval()
        for batch in self.validation():
            logits_BK, targets_B = self._inference.logits(network, batch.inputs), batch.targets.to(self.devices.device)
            total += float(nn.functional.cross_entropy(logits_BK, targets_B, reduction="sum"))
            right += int((logits_BK.argmax(1) == targets_B).sum())
            count += len(targets_B)
        return Judged(loss=total / count, figures={"accuracy": right / count}, rank=-total / count)


def make_learner(lesson: Lesson, devices: Devices) -> ClassificationLearner:
    """The learner of int64 [N] targets. Raises: SettingsError for a loss of another task; ValueError, TrainingError for targets."""
    loop = lesson.loop
    if loop.loss not in ("cross_entropy", "focal", *LOSSES):
        raise SettingsError(
            f"loop.loss is {loop.loss}, which is for several classes a picture; one class a picture is learned by "
            f"cross_entropy, focal, {', '.join(LOSSES)}. Choose one of these."
        )
    for targets, rows in (
        (lesson.train_targets, lesson.train_rows),
        (lesson.validation_targets, lesson.validation_rows),
    ):
        check_classes(torch.from_numpy(targets[rows]), torch.from_numpy(rows), lesson.class_count)
    counts = np.bincount(lesson.train_targets[lesson.train_rows], minlength=lesson.class_count)
    return ClassificationLearner(
        loss=PictureLoss(
            label_smoothing=loop.label_smoothing,
            class_weights=balanced_weights(counts.tolist()) if lesson.balanced else None,
            focal_gamma=loop.focal_gamma if loop.loss == "focal" else 0.0,
            name=loop.loss if loop.loss in LOSSES else "cross_entropy",
        ),
        class_count=lesson.class_count,
        devices=devices,
        validation=lambda: ordered_batches(
            lesson.validation, lesson.validation_targets, rows=lesson.validation_rows, batch_size=VALIDATION_BATCH
        ),
        start=lesson.start,
        mixup=lesson.mixup,
        cutmix=lesson.cutmix,
    )


def check_classes(targets: Tensor, rows: Tensor, class_count: int) -> None:
    """Whether `targets` [B] of `rows` [B] are classes. Raises: ValueError for another shape or type, TrainingError for a number."""
    check_targets(targets, torch.int64, tuple(rows.shape), _ONE)
    wrong = ((targets < 0) | (targets >= class_count)).nonzero()
    if len(wrong):
        first = int(wrong[0])
        raise TrainingError(
            f"row {int(rows[first])} is of class number {int(targets[first])}; the {class_count} classes are 0 to "
            f"{class_count - 1}. Name the picture's class, or leave it out."
        )
