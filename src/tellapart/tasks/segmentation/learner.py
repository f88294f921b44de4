"""How a class a pixel is learned. In: batches of crops and masks. Out: SegmentationLearner. Next: training/loop.py.

Shapes: B crops of a batch, S side of a crop in pixels, K classes. Masks are uint8 [B, S, S]: numbers of classes, or IGNORED.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tellapart.data.loading import ordered_batches
from tellapart.data.targets import IGNORED
from tellapart.errors import SettingsError, TrainingError
from tellapart.tasks.lesson import Lesson
from tellapart.tasks.segmentation.agreement import FIGURE, count_pixels, figures_of
from tellapart.tasks.segmentation.loss import LOSSES, PixelLoss
from tellapart.tasks.segmentation.network import PixelNetwork
from tellapart.training.devices import Devices
from tellapart.training.learner import Batch, Judged, Losses, check_targets
from tellapart.training.update import within_memory

VALIDATION_BATCH = 8  # crops at a time, at most
_HEAVIEST = 20.0  # that a pixel of a rare class counts beside one of the mean
_MASKS = "the masks of crops, numbers of classes or 255"


@dataclass(slots=True, kw_only=True, eq=False)
class SegmentationLearner:
    """Any PixelNetwork; judged by the mean IoU of the validation pictures' pixels, all together."""

    loss: PixelLoss
    class_count: int
    devices: Devices
    validation: Callable[
        [], Iterator[Batch]
    ]  # the validation pictures as crops that cover them, as `prepare` takes them
    _chunk: int = field(init=False, default=VALIDATION_BATCH)

    @property
    def parts(self) -> tuple[str, ...]:
        """The loss's."""
        return self.loss.parts

    def prepare(self, batch: Batch, seed: int) -> Batch:
        """Masks that came with the inputs, moved as the pictures were, become the targets.

        Pictures without, as a machine is timed with, are all of the first class.
        Raises: ValueError for other targets, TrainingError for classes that there are not.
        """
        if isinstance(batch.inputs, tuple):
            inputs, masks = batch.inputs
        else:
            inputs = batch.inputs
            masks = torch.zeros(inputs.shape[:3], dtype=torch.uint8)
        check_targets(masks, torch.uint8, tuple(inputs.shape[:3]), _MASKS)
        largest = int(masks.where(masks != IGNORED, 0).max())
        if largest >= self.class_count:
            raise TrainingError(
                f"a mask has a pixel of class number {largest}; it must be from 0 to {self.class_count - 1}, or {IGNORED}. "
                "Mend the masks."
            )
        return replace(batch, inputs=inputs, targets=masks).to(self.devices.device)

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """Of a prepared batch."""
        parts = self._measure(network, batch)[0]
        return Losses(items=_sum(parts), parts=parts)

    def chunks(self, batch: Batch, count: int) -> Sequence[Batch]:
        """A crop's loss does not depend on the others, so any parts will do."""
        return batch.split(count)

    def judge(self, network: nn.Module) -> Judged:
        """Rank: the mean IoU; where it is equal, the lower loss wins.

        Raises: TrainingError when memory does not suffice for one crop.
        """
        network.eval()
        counts = np.zeros((self.class_count, self.class_count), dtype=np.int64)
        total, items = 0.0, 0
        for batch in self.validation():
            whole = self.prepare(batch, 0)
            for part in whole.split(-(-len(whole) // self._chunk)):
                losses, found = self._seen(network, part)
                total, items, counts = total + float(losses.double().sum()), items + len(part), counts + found
        figures = figures_of(counts)
        loss = total / max(1, items)
        return Judged(loss=loss, figures=figures, rank=figures[FIGURE] - 1e-6 * min(loss, 1e3))

    def _seen(self, network: nn.Module, batch: Batch) -> tuple[Tensor, NDArray[np.int64]]:
        """Losses [B] and counts [K, K]."""
        while True:
            work = functools.partial(self._look, network, batch.split(-(-len(batch) // min(self._chunk, len(batch)))))
            seen = within_memory(work, self.devices.device)
            if seen is not None:
                return seen
            if self._chunk == 1:
                raise TrainingError(
                    "memory does not suffice to validate 1 crop at a time; there must be room for 1. "
                    "Choose smaller crops (network.size) or a smaller network."
                )
            self._chunk = min(self._chunk, len(batch)) // 2 or 1

    def _look(self, network: nn.Module, parts: Sequence[Batch]) -> tuple[Tensor, NDArray[np.int64]]:
        losses, counts = [], np.zeros((self.class_count, self.class_count), dtype=np.int64)
        for part in parts:
            with torch.inference_mode():
                measured, logits = self._measure(network, part)
                losses.append(_sum(measured).cpu())
                answer = logits.argmax(1).to(torch.uint8).cpu().numpy()
                counts += count_pixels(part.targets.cpu().numpy(), answer, self.class_count)
        return torch.cat(losses), counts

    def _measure(self, network: nn.Module, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        with self.devices.autocast():
            logits: Tensor = network(self.devices.to_device(batch.inputs))
        return dict(self.loss(logits, batch.targets.long())), logits


def teach(lesson: Lesson, devices: Devices) -> SegmentationLearner:
    """The learner of the lesson's network, a PixelNetwork; targets are shares of the classes, float32 [N, K].

    Raises: TypeError for another network, SettingsError for a loss that there is not, or what mixes pictures.
    """
    if not isinstance(lesson.network, PixelNetwork):
        raise TypeError(f"a network {type(lesson.network).__name__}; this learner is for a class a pixel")
    check_settings(lesson.loop.loss, mixup=lesson.mixup, cutmix=lesson.cutmix)
    return SegmentationLearner(
        loss=PixelLoss(
            name=lesson.loop.loss,  # type: ignore[arg-type]
            focal_gamma=lesson.loop.focal_gamma,
            label_smoothing=lesson.loop.label_smoothing,
            class_weights=class_weights(lesson.train_targets[lesson.train_rows]) if lesson.balanced else None,
        ),
        class_count=lesson.class_count,
        devices=devices,
        validation=lambda: ordered_batches(
            lesson.validation, lesson.validation_targets, rows=lesson.validation_rows, batch_size=VALIDATION_BATCH
        ),
    )


def check_settings(loss: str, *, mixup: float, cutmix: float) -> None:
    """Raises: SettingsError for a loss of other tasks, or what mixes pictures."""
    if loss not in LOSSES:
        raise SettingsError(
            f"loop.loss is {loss}, which is not for a class a pixel. Choose one of: {', '.join(LOSSES)}."
        )
    for name, value in (("mixup", mixup), ("cutmix", cutmix)):
        if value:
            raise SettingsError(
                f"augment.{name} is {value:g}, which mixes pictures with one class each; masks have many. Set it to 0."
            )


def class_weights(shares: NDArray[np.floating]) -> Tensor:
    """How much a pixel of each class counts, float32 [K], of the shares [N, K] that the classes have of the pictures.

    By how rare a class is, so that all classes together count alike; the mean over all pixels is 1 where none is cut at 20.
    """
    whole = np.asarray(shares, dtype=np.float64).sum(0)
    whole = whole / max(whole.sum(), 1e-12)
    weights = np.where(whole > 0, 1 / (np.count_nonzero(whole) * np.maximum(whole, 1e-12)), 1.0)
    return torch.tensor(np.minimum(weights, _HEAVIEST), dtype=torch.float32)


def _sum(parts: dict[str, Tensor]) -> Tensor:
    """[B]"""
    return torch.stack(list(parts.values())).sum(0)
