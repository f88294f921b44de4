"""What is said of the pixels of one picture, and its rows. In: a mask. Out: MaskAnswer. Next: segmentation.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Answer
from tellapart.answers.mask_files import Colour
from tellapart.answers.mask_outlines import outline_parts
from tellapart.answers.mask_parts import find_parts

_SIZES = 100  # parts of a class whose sizes are told; how many there are is told of all


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskAnswer(Answer):
    """The class of each pixel of one picture; None each where it could not be read."""

    mask: NDArray[np.uint8] | None = None  # [H, W], numbers of `classes`, of the upright picture
    certainty: NDArray[np.uint8] | None = None  # [H, W], the probability of that class, 255 for 1
    probabilities: NDArray[np.uint8] | None = None  # [K, H, W], 255 for 1; None of a picture too large to keep them
    confidence: float | None = None  # mean probability of the classes that the pixels have
    colours: tuple[Colour, ...] = ()  # [K]
    background: int | None = None  # number of the class that is no thing to count

    @property
    def areas(self) -> NDArray[np.int64]:
        """Pixels of each class, [K]; zeros where the picture could not be read."""
        values = np.zeros(0, dtype=np.uint8) if self.mask is None else self.mask.reshape(-1)
        return np.bincount(values, minlength=len(self.classes)).astype(np.int64)

    @property
    def things(self) -> tuple[int, ...]:
        """Numbers of the classes that are something to count, all but the background."""
        return tuple(number for number in range(len(self.classes)) if number != self.background)


def area_rows(answer: MaskAnswer, figure: Callable[[float], float]) -> list[dict[str, Any]]:
    """What is told of each class; parts are none of the background's."""
    if answer.mask is None:
        return []
    areas, parts = answer.areas, find_parts(answer.mask)
    rows = []
    for number, name in enumerate(answer.classes):
        sizes = None if number == answer.background else parts.sizes_of(number)
        rows.append(
            {
                "label": name,
                "colour": "#{:02x}{:02x}{:02x}".format(*answer.colours[number]),
                "pixels": int(areas[number]),
                "share": figure(float(areas[number] / max(1, answer.mask.size))),
                "parts": None if sizes is None else len(sizes),
                "sizes": None if sizes is None else sizes[:_SIZES],
            }
        )
    return rows


def polygons_of(answer: MaskAnswer) -> list[dict[str, Any]] | None:
    """Outlines of all parts, the largest first, but of the background."""
    if answer.mask is None:
        return None
    return [
        {"label": answer.classes[one.label], "pixels": one.pixels, "polygon": one.polygon, "holes": one.holes}
        for one in outline_parts(answer.mask, find_parts(answer.mask), leave_out=answer.background)
    ]
