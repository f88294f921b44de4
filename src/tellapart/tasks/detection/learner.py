"""How a detector learns. In: batches of pictures and boxes. Out: DetectionLearner. Next: training/loop.py.

Shapes: B pictures of a batch, S side of the picture, M boxes of the picture that has most. True boxes are float32 [B, M, 6]:
class, left, top, right, bottom in pixels of the network's input, and 1 for a difficult one, else 0; rows of NaN are none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tellapart.answers.boxes import FoundBoxes, find_boxes
from tellapart.errors import TrainingError
from tellapart.tasks.detection.judging import judge_boxes
from tellapart.tasks.detection.loss import BoxLoss, Measured
from tellapart.tasks.detection.network import places
from tellapart.training.devices import Devices
from tellapart.training.learner import Batch, Judged, Losses, check_targets
from tellapart.training.update import within_memory

VALIDATION_BATCH = 16  # pictures at a time, at most
_COLUMNS = 6  # class, four sides, difficult
_BOXES = "the boxes of a picture, class, left, top, right, bottom and difficult"

# What a network finds in N pictures, their true boxes [N, M, 6], K -> a figure by name, the first the most important.
Score = Callable[[Sequence[FoundBoxes], NDArray[np.float32], int], dict[str, float]]


@dataclass(slots=True, kw_only=True, eq=False)
class DetectionLearner:
    """Scores and boxes, of any kind of detector; judged by the average precision of the validation pictures."""

    loss: BoxLoss
    class_count: int
    size: int  # pixels, S
    devices: Devices
    validation: Callable[[], Iterator[Batch]]  # the validation pictures, as `prepare` takes them
    score: Score = judge_boxes
    start: int = 0  # the network's stage that the inputs go into
    _places: Tensor = field(init=False)  # float32 [P, 3]
    _chunk: int = field(init=False, default=VALIDATION_BATCH)

    def __post_init__(self) -> None:
        self._places = places(self.size).to(self.devices.device)

    @property
    def parts(self) -> tuple[str, ...]:
        """The loss's."""
        return self.loss.parts

    def prepare(self, batch: Batch, seed: int) -> Batch:
        """Boxes that came with the inputs, moved as the pictures were, become the targets.

        Raises: ValueError for other targets, TrainingError for classes that there are not.
        """
        inputs, targets = batch.inputs if isinstance(batch.inputs, tuple) else (batch.inputs, batch.targets)
        check_boxes(targets, batch.rows, self.class_count)
        return replace(batch, inputs=inputs, targets=targets).to(self.devices.device)

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """Raises: ValueError for other targets."""
        check_targets(batch.targets, torch.float32, (len(batch), *batch.targets.shape[1:2], _COLUMNS), _BOXES)
        measured = self._measure(network, self.devices.to_device(batch.inputs), batch.targets)
        return Losses(items=_sum(measured), parts=measured.parts)

    def chunks(self, batch: Batch, count: int) -> Sequence[Batch]:
        """A picture's loss does not depend on the others, so any parts will do."""
        return batch.split(count)

    def judge(self, network: nn.Module) -> Judged:
        """Rank: the first figure, average precision; where it is equal, the lower loss wins.

        Raises: TrainingError when memory does not suffice for one picture.
        """
        network.eval()
        found: list[FoundBoxes] = []
        truths: list[NDArray[np.float32]] = []
        total = 0.0
        for batch in self.validation():
            whole = self.prepare(batch, 0)
            for part in whole.split(-(-len(whole) // self._chunk)):
                seen = self._seen(network, part)
                total += float(seen[0].double().sum())
                found += [find_boxes(boxes, scores) for boxes, scores in zip(*seen[1:], strict=True)]
            truths.append(whole.targets.cpu().numpy())
        loss = total / len(found)
        figures = self.score(found, np.concatenate(truths), self.class_count)
        # The loss decides between epochs whose figure is the same, as all the first ones' may be 0.
        return Judged(loss=loss, figures=figures, rank=next(iter(figures.values()), 0.0) - 1e-6 * min(loss, 1e3))

    def _seen(self, network: nn.Module, batch: Batch) -> tuple[Tensor, NDArray[np.float32], NDArray[np.float32]]:
        """Losses [B], boxes [B, P, 4] and scores [B, P, K]."""
        while True:
            work = functools.partial(self._run, network, batch.split(-(-len(batch) // min(self._chunk, len(batch)))))
            seen = within_memory(work, self.devices.device)
            if seen is not None:
                return seen
            if self._chunk == 1:
                raise TrainingError(
                    "memory does not suffice to validate 1 picture at a time; there must be room for 1. "
                    "Choose smaller pictures or a smaller network."
                )
            self._chunk = min(self._chunk, len(batch)) // 2 or 1

    def _run(
        self, network: nn.Module, parts: Sequence[Batch]
    ) -> tuple[Tensor, NDArray[np.float32], NDArray[np.float32]]:
        losses, boxes, scores = [], [], []
        for part in parts:
            with torch.inference_mode():
                measured = self._measure(network, self.devices.to_device(part.inputs), part.targets)
                if measured.found is None:
                    raise ValueError("a network in evaluation mode gave no answers; the loss must give them")
                losses.append(_sum(measured))
                boxes.append(measured.found.boxes.cpu().numpy())
                scores.append(measured.found.scores.sigmoid().cpu().numpy())
        return torch.cat(losses), np.concatenate(boxes), np.concatenate(scores)

    def _measure(self, network: nn.Module, inputs: Tensor, truth: Tensor) -> Measured:
        with self.devices.autocast():
            return self.loss.measure(network, inputs, truth, start=self.start, places=self._places)


def _sum(measured: Measured) -> Tensor:
    """[B]"""
    return torch.stack(list(measured.parts.values())).sum(0)


def check_boxes(targets: object, rows: Tensor, class_count: int) -> None:
    """Whether `targets` are true boxes of the pictures `rows` [B]. Raises: ValueError, TrainingError."""
    wide = targets.shape[1:2] if isinstance(targets, Tensor) else ()
    check_targets(targets, torch.float32, (len(rows), *(wide or (1,)), _COLUMNS), _BOXES)
    if not isinstance(targets, Tensor):
        return
    classes = targets[..., 0]
    wrong = ((classes < 0) | (classes >= class_count) | (classes != classes.floor())) & ~classes.isnan()
    if bool(wrong.any()):
        picture, number = wrong.nonzero()[0].tolist()
        raise TrainingError(
            f"row {int(rows[picture])} has a box of class number {float(classes[picture, number]):g}; it must be a whole number "
            f"from 0 to {class_count - 1}. Mend the annotations."
        )
