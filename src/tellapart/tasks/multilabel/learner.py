"""How a network learns a set of classes a picture. In: Lesson, Devices. Out: MultilabelLearner. Next: training/loop.py.

Shapes: B pictures of a batch, N of the validation split, K classes. Targets are float32, 1: of the class, 0: not of it, NaN:
not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tellapart.data.loading import ordered_batches
from tellapart.data.mixing import mix_batch
from tellapart.errors import TrainingError
from tellapart.tasks.lesson import Lesson
from tellapart.tasks.multilabel.loss import ASYMMETRIC, LabelsLoss
from tellapart.tasks.multilabel.ranking import mean_average_precision
from tellapart.tasks.multilabel.weighing import balanced_positive_weights
from tellapart.training.devices import Devices
from tellapart.training.inference import VALIDATION_BATCH, Inference
from tellapart.training.learner import Batch, Judged, Losses, check_targets
from tellapart.training.loss import with_auxiliary

_SET = "a set of classes a picture"


@dataclass(slots=True, kw_only=True, eq=False)
class MultilabelLearner:
    """Binary cross-entropy a class, or what LabelsLoss can be; judged by plain binary cross-entropy, told as mAP."""

    parts: ClassVar[tuple[str, ...]] = ()
    loss: LabelsLoss
    class_count: int
    devices: Devices
    validation: Callable[[], Iterator[Batch]]  # the validation pictures, with targets float32 [B, K]
    start: int = 0  # the network's stage that the inputs go into
    mixup: float = 0.0  # alphas of Beta distributions; 0: off
    cutmix: float = 0.0
    _inference: Inference = field(init=False)

    def __post_init__(self) -> None:
        self.loss.to(self.devices.device)
        self._inference = Inference(self.devices, start=self.start)

    def prepare(self, batch: Batch, seed: int) -> Batch:
        """Targets float32 [B, K], mixed or not. Raises: ValueError for other targets, TrainingError for values out of range."""
        check_sets(batch.targets, batch.rows, self.class_count)
        moved = batch.to(self.devices.device)
        if not (self.mixup or self.cutmix):
            return moved
        return mix_batch(moved, mixup=self.mixup, cutmix=self.cutmix, class_count=self.class_count, seed=(seed,))

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """Raises: ValueError for other targets."""
        targets_BK: Tensor = batch.targets
        check_targets(targets_BK, torch.float32, (len(batch), self.class_count), _SET)
        with self.devices.autocast():
            given = network(self.devices.to_device(batch.inputs), start=self.start)
        _, items = with_auxiliary(given, self.loss, targets_BK)
        return Losses(items=items, parts={})

    def chunks(self, batch: Batch, count: int) -> Sequence[Batch]:
        """Losses of a picture do not depend on the others, so any parts will do."""
        return batch.split(count)

    def judge(self, network: nn.Module) -> Judged:
        """The loss is the mean over all cells [N, K] that are known, as scoring.py has it and candidates are chosen by.

        Raises: TrainingError when memory does not suffice for one picture.
        """
        network.eval()
        seen = [(self._inference.logits(network, batch.inputs).cpu(), batch.targets) for batch in self.validation()]
        logits_NK, targets_NK = (torch.cat(parts) for parts in zip(*seen, strict=True))
        known = ~targets_NK.isnan()
        cells = nn.functional.binary_cross_entropy_with_logits(logits_NK[known].double(), targets_NK[known].double())
        loss = float(cells)
        precision = mean_average_precision(targets_NK.numpy(), logits_NK.numpy())
        return Judged(loss=loss, figures={} if precision is None else {"mAP": precision}, rank=-loss)


def make_learner(lesson: Lesson, devices: Devices) -> MultilabelLearner:
    """The learner of float32 [N, K] targets. Raises: ValueError, TrainingError for what they cannot be; SettingsError."""
    for targets, rows, split in (
        (lesson.train_targets, lesson.train_rows, "training"),
        (lesson.validation_targets, lesson.validation_rows, "validation"),
    ):
        check_sets(torch.from_numpy(targets[rows]), torch.from_numpy(rows), lesson.class_count)
        if np.isnan(targets[rows]).all():
            raise TrainingError(
                f"of 0 of {len(rows)} {split} pictures it is known whether they are of any class; of 1 at least it must be. "
                "Fill in the table's cells, or give it more pictures."
            )
    loop, used = lesson.loop, lesson.train_targets[lesson.train_rows]
    kinds: Mapping[str, Mapping[str, Any]] = {
        "cross_entropy": {},
        "binary_cross_entropy": {},
        "focal": {"gamma_positive": loop.focal_gamma, "gamma_negative": loop.focal_gamma},
        "asymmetric": ASYMMETRIC,
    }
    return MultilabelLearner(
        loss=LabelsLoss(
            label_smoothing=loop.label_smoothing,
            positive_weights=balanced_positive_weights(used) if lesson.balanced else None,
            **kinds[loop.loss],
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


def check_sets(targets: Tensor, rows: Tensor, class_count: int) -> None:
    """Whether `targets` [B, K] of `rows` [B] are sets of classes, perhaps soft. Raises: ValueError, TrainingError."""
    check_targets(targets, torch.float32, (len(rows), class_count), _SET)
    wrong = ((targets < 0) | (targets > 1)).nonzero()  # NaN is neither
    if len(wrong):
        row, column = wrong[0].tolist()
        raise TrainingError(
            f"row {int(rows[row])} is of class number {column} by {float(targets[row, column]):g}; it must be 1 (of it), 0 (not), "
            "or NaN (not known). Mend the table."
        )
