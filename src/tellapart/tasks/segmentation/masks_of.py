"""The masks of some pictures by number. In: MaskFiles, classes. Out: what opens one. Next: pictures.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.masks import read_mask
from tellapart.data.targets import MaskFile


@dataclass(frozen=True, slots=True)
class MasksOf:
    """Travels to other processes, as a function made in a function could not."""

    targets: tuple[MaskFile, ...]
    classes: tuple[str, ...]

    def __call__(self, number: int) -> NDArray[np.uint8]:
        """[H, W], numbers of the classes, or IGNORED. Raises: DataError, as `read_mask`."""
        return read_mask(self.targets[number], self.classes)
