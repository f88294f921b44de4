"""How a network learns one class a text. In: Lesson, Devices. Out: TextLearner. Next: training/loop.py.

Shapes: B texts, L words of the longest, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from tellapart.data.loading import ordered_batches
from tellapart.errors import SettingsError
from tellapart.tasks.lesson import Lesson
from tellapart.tasks.text.word_rows import WordRows
from tellapart.training.devices import Devices
from tellapart.training.inference import Inference
from tellapart.training.learner import Batch, Judged, Losses, check_targets
from tellapart.training.loss import PictureLoss, balanced_weights

_AT_ONCE = 256  # validation texts
_LOSSES = ("cross_entropy", "focal")


@dataclass(slots=True, kw_only=True, eq=False)
class TextLearner:
    """Cross-entropy or focal loss; judged by accuracy, of equal ones by the mean cross-entropy in nats."""

    parts: ClassVar[tuple[str, ...]] = ("accuracy",)
    loss: PictureLoss
    class_count: int
    devices: Devices
    validation: Callable[[], Iterator[Batch]]
    _inference: Inference = field(init=False)

    def __post_init__(self) -> None:
        self.loss.to(self.devices.device)
        self._inference = Inference(self.devices, chunk=_AT_ONCE)

    def prepare(self, batch: Batch, seed: int) -> Batch:
        """Targets int64 [B]. Raises: ValueError for others."""
        check_targets(batch.targets, torch.int64, tuple(batch.rows.shape), "one class a text")
        return batch.to(self.devices.device)

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """The classifier's rows are as long as they may be before anything is asked: so it is after each update."""
        _constrain(network)
        with self.devices.autocast():
            logits_BK = network(self.devices.to_device(batch.inputs))
        right_B = logits_BK.detach().argmax(1) == batch.targets
        return Losses(items=self.loss(logits_BK.float(), batch.targets), parts={"accuracy": right_B})

    def chunks(self, batch: Batch, count: int) -> Sequence[Batch]:
        """A text's loss does not depend on the others, so any parts will do."""
        return batch.split(count)

    def judge(self, network: nn.Module) -> Judged:
        """Raises: TrainingError when memory does not suffice for one text."""
        _constrain(network)
        network.eval()
        total, right, count = 0.0, 0, 0
        for batch in self.validation():
            logits_BK, targets_B = self._inference.logits(network, batch.inputs), batch.targets.to(self.devices.device)
            total += float(nn.functional.cross_entropy(logits_BK, targets_B, reduction="sum"))
            right += int((logits_BK.argmax(1) == targets_B).sum())
            count += len(targets_B)
        accuracy, loss = right / count, total / count
        return Judged(loss=loss, figures={"accuracy": accuracy}, rank=accuracy - 1e-6 * min(loss, 1e3))


def _constrain(network: nn.Module) -> None:
    constrain = getattr(network, "constrain", None)
    if constrain is not None:
        constrain()


def make_learner(lesson: Lesson, devices: Devices) -> TextLearner:
    """Raises: SettingsError for a loss of another task."""
    loop, source = lesson.loop, lesson.validation
    if loop.loss not in _LOSSES:
        raise SettingsError(
            f"loop.loss is {loop.loss}, and a text has one class, which is learned by {' or '.join(_LOSSES)}. Choose one of these."
        )
    rows = lesson.validation_rows
    if isinstance(source, WordRows):
        rows = rows[np.argsort(source.lengths[rows], kind="stable")]  # of like length together
    counts = np.bincount(lesson.train_targets[lesson.train_rows], minlength=lesson.class_count)
    return TextLearner(
        loss=PictureLoss(
            label_smoothing=loop.label_smoothing,
            class_weights=balanced_weights(counts.tolist()) if lesson.balanced else None,
            focal_gamma=loop.focal_gamma if loop.loss == "focal" else 0.0,
        ),
        class_count=lesson.class_count,
        devices=devices,
        validation=lambda: ordered_batches(source, lesson.validation_targets, rows=rows, batch_size=_AT_ONCE),
    )
