"""True and answered boxes on a picture. In: pixels, boxes. Out: a Pillow picture. Next: box_marks.py.

A class has a colour; beyond eight classes a pattern of the line, too. An answer's line runs inside its edge; a true box's is of
short strokes and runs outside, so that two at one place are both seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tellapart.drawing.box_marks import TagWriter, draw_frame
from tellapart.drawing.lettering import Pen, common_font

LONGEST = 1280  # pixels of the longer side; larger pictures are reduced before lines are drawn
_LEAST_LETTERS, _MOST_LETTERS = 12, 22  # pixels
_PIXELS_A_LETTER, _PIXELS_A_LINE = (
    45,
    300,
)  # of the longer side, for each pixel of a letter's height and of a line's width
_AROUND = 0.6  # of a box's sides, that is shown beyond each of them

Sides = tuple[float, float, float, float]  # left, top, right, bottom in pixels of the picture
Window = tuple[int, int, int, int]  # the same, a part of the picture


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnBox:
    """One box to draw."""

    sides: Sides
    label: str  # of its class
    number: int  # of its class, from 0: decides colour and pattern
    score: float | None = None  # in [0, 1]; None where none is to be told
    true: bool = False  # a box of the truth, not of an answer
    named: bool = True  # whether label and score are written beside it

    @property
    def text(self) -> str:
        """What is written beside it."""
        return self.label if self.score is None else f"{self.label} {self.score:.2f}"


def draw_boxes(
    pixels: NDArray[np.uint8],
    boxes: Sequence[DrawnBox],
    *,
    longest: int = LONGEST,
    least: int = 1,
    window: Window | None = None,
    emphasis: float = 1.0,
) -> Image.Image:
    """Draw boxes on a picture, uint8 [H, W, 3], or on the part `window` of it; they may reach beyond.

    The longer side of what comes out has `longest` pixels at most, and `least` at least. A box is not named where its name would
    cover another's, in the order given: the most important comes first. Lines and letters are `emphasis` times as large as usual,
    for pictures that are shown smaller than they are.
    Raises: ValueError for pixels of another shape, or a window that does not lie in the picture.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"pixels of shape {pixels.shape}; boxes are drawn on [H, W, 3]")
    height, width = pixels.shape[:2]
    left, top, right, bottom = window or (0, 0, width, height)
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ValueError(f"the window {window} does not lie in a picture of {width} x {height} pixels")
    picture = _scaled(Image.fromarray(pixels[top:bottom, left:right]), longest, least)
    across, down = picture.width / (right - left), picture.height / (bottom - top)
    frames = [
        (
            round((box.sides[0] - left) * across),
            round((box.sides[1] - top) * down),
            round((box.sides[2] - left) * across),
            round((box.sides[3] - top) * down),
        )
        for box in boxes
    ]
    _draw(picture, boxes, frames, emphasis)
    return picture


def window_around(sides: Sides, *, width: int, height: int, least: int = 96) -> Window:
    """The part of a picture that shows a box and what is around it; at least `least` pixels wide and high, if the picture is."""
    left, right = _stretched(sides[0], sides[2], width, least)
    top, bottom = _stretched(sides[1], sides[3], height, least)
    return left, top, right, bottom


def _scaled(picture: Image.Image, longest: int, least: int) -> Image.Image:
    side = max(picture.size)
    wanted = min(max(side, least), longest)
    if wanted == side:
        return picture
    size = (max(1, round(picture.width * wanted / side)), max(1, round(picture.height * wanted / side)))
    return picture.resize(size, Image.Resampling.LANCZOS if wanted < side else Image.Resampling.BICUBIC)


def _draw(picture: Image.Image, boxes: Sequence[DrawnBox], frames: Sequence[Window], emphasis: float) -> None:
    side, draw = max(picture.size), ImageDraw.Draw(picture)
    line = max(2, round(emphasis * side / _PIXELS_A_LINE))
    letters = round(emphasis * min(_MOST_LETTERS, max(_LEAST_LETTERS, side / _PIXELS_A_LETTER)))
    pen = Pen(draw=draw, font=common_font(sorted({box.text for box in boxes if box.named})))
    # The first are drawn last, over the others; true boxes over answers, since their lines leave gaps.
    backwards = list(zip(boxes, frames, strict=True))[::-1]
    for box, frame in sorted(backwards, key=lambda one: one[0].true):
        draw_frame(draw, frame, size=picture.size, number=box.number, line=line, true=box.true)
    writer = TagWriter(pen, picture.size, letters=letters, line=line)
    for box, frame in zip(boxes, frames, strict=True):
        if box.named:
            writer.write(box.text, frame, number=box.number, true=box.true)


def _stretched(low: float, high: float, length: int, least: int) -> tuple[int, int]:
    """A stretch of whole pixels within [0, length] around another."""
    low, high = min(max(low, 0.0), length - 1.0), max(min(high, float(length)), 1.0)
    wanted = min(float(length), max(least, (high - low) * (1 + 2 * _AROUND)))
    start = min(max((low + high - wanted) / 2, 0.0), length - wanted)
    return int(start), min(length, int(np.ceil(start + wanted)))
