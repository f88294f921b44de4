"""A tiny lesson of bright squares. In: nothing. Out: Lesson. Next: test_detectors.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.settings.loop import LoopSettings
from tellapart.tasks.lesson import Lesson

NAN = float("nan")
SIZE = 64


def squares(count: int, *key: int, size: int = SIZE) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Grey pictures uint8 [count, size, size, 3] with one square, red (class 0) or blue (class 1); of four the last has none."""
    generator = np.random.default_rng((count, *key))
    pictures = np.full((count, size, size, 3), 110, dtype=np.uint8)
    boxes = np.full((count, 2, 6), NAN, dtype=np.float32)
    for number in range(count):
        if number % 4 == 3:
            continue
        label, side = int(generator.integers(0, 2)), int(generator.integers(size // 5, size // 2))
        left, top = generator.integers(0, size - side, 2).tolist()
        pictures[number, top : top + side, left : left + side, 2 * label] = 255
        boxes[number, 0] = (label, left, top, left + side, top + side, 0)
    return pictures, boxes


@dataclass
class Squares:
    """A source of such pictures and their boxes."""

    pictures: NDArray[np.uint8]
    boxes: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.pictures)

    def get(self, rows: NDArray[np.int64], epoch: int) -> tuple[NDArray[Any], ...]:
        """As they are, in every epoch."""
        return self.pictures[rows], self.boxes[rows]


def make_lesson(
    count: int = 8, *, used: tuple[int, ...] | None = None, size: int = SIZE, network: Any = None
) -> Lesson:
    """A lesson of `count` of them for training and as many for validation; `used`: the training rows, all where None."""
    train, validation = Squares(*squares(count, 1, size=size)), Squares(*squares(count, 2, size=size))
    return Lesson(
        class_count=2,
        network=network,
        start=0,
        loop=LoopSettings(),
        balanced=False,
        mixup=0.0,
        cutmix=0.0,
        train=train,
        train_targets=train.boxes,
        train_rows=np.arange(count) if used is None else np.array(used),
        validation=validation,
        validation_targets=validation.boxes,
        validation_rows=np.arange(count),
    )
