"""A tiny lesson of bright squares. In: nothing. Out: MadeLesson. Next: test_detectors.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.settings.tree import LoopSettings

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


@dataclass
class MadeLesson:
    """A tasks/lesson.py Lesson of them; every test changes its own copy."""

    count: int = 8
    size: int = SIZE
    used: tuple[int, ...] | None = None  # training rows
    class_count: int = 2
    network: Any = None
    start: int = 0
    loop: LoopSettings = field(default_factory=LoopSettings)
    balanced: bool = False
    mixup: float = 0.0
    cutmix: float = 0.0
    train: Squares = field(init=False)
    validation: Squares = field(init=False)

    def __post_init__(self) -> None:
        self.train = Squares(*squares(self.count, 1, size=self.size))
        self.validation = Squares(*squares(self.count, 2, size=self.size))

    @property
    def train_targets(self) -> NDArray[np.float32]:
        return self.train.boxes

    @property
    def train_rows(self) -> NDArray[np.int64]:
        return np.arange(self.count) if self.used is None else np.array(self.used)

    @property
    def validation_targets(self) -> NDArray[np.float32]:
        return self.validation.boxes

    @property
    def validation_rows(self) -> NDArray[np.int64]:
        return np.arange(self.count)
