"""A canvas on which classes are drawn, one over the other. In: pixels of shapes. Out: Values. Next: mask_shapes.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.mask_fit import Size
from tellapart.data.mask_legend import BACKGROUND
from tellapart.data.mask_pixels import MOST_VALUES, Values
from tellapart.decoding import MAX_PIXELS, check_pixels
from tellapart.errors import PictureError


class Canvas:
    """Background, until something is drawn on it."""

    def __init__(self, size: Size) -> None:
        """`size` is width and height in pixels. Raises: PictureError where it is no size, or over the limit."""
        if min(size) < 1:
            raise PictureError("a size that is not said; add the picture's width and height in pixels")
        check_pixels(*size, most=MAX_PIXELS)
        self.size = size
        self._indices = np.zeros((size[1], size[0]), dtype=np.uint8)
        self._numbers = {BACKGROUND: 0}

    def draw(self, name: str, shape: NDArray[np.bool_], corner: tuple[int, int] = (0, 0)) -> None:
        """The pixels of a shape [h, w], whose upper left corner lies at (left, top). Raises: PictureError for too many classes."""
        number = self._numbers.setdefault(name, len(self._numbers))
        if number >= MOST_VALUES:
            raise PictureError(f"more than {MOST_VALUES} classes in one picture")
        left, top = corner
        self._indices[top : top + shape.shape[0], left : left + shape.shape[1]][shape] = number

    def values(self) -> Values:
        """What is seen, its values named."""
        return Values(indices=self._indices, values=tuple(range(len(self._numbers))), names=tuple(self._numbers))
