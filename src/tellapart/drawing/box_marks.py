"""Lines and names of boxes. In: a box's frame, the number of its class. Out: pixels. Next: lettering.py.

The colours are those of Okabe and Ito, which most colour-blind people tell apart, with a dark grey for their black; in the order of
the report's charts. Each line has an edge of black or white, so that it is seen on any picture.
"""

from __future__ import annotations

from collections.abc import Iterator

from PIL import ImageDraw

from tellapart.drawing.lettering import Pen

Frame = tuple[int, int, int, int]  # left, top, right, bottom in pixels of what is drawn on
Colour = tuple[int, int, int]

# Source: Okabe and Ito 2008, Color Universal Design, https://jfly.uni-koeln.de/color/
PALETTE: tuple[Colour, ...] = (
    (0, 114, 178),  # blue
    (230, 159, 0),  # orange
    (0, 158, 115),  # bluish green
    (213, 94, 0),  # vermilion
    (204, 121, 167),  # reddish purple
    (86, 180, 233),  # sky blue
    (240, 228, 66),  # yellow
    (86, 93, 102),  # grey
)
# Strokes and gaps in widths of the line, for each round through the palette; the first is whole.
_PATTERNS: tuple[tuple[int, ...], ...] = ((), (8, 3), (8, 2, 2, 2), (3, 3))
_TRUE_PATTERN = (3, 2)
_BLACK, _WHITE = (20, 20, 20), (255, 255, 255)
_BRIGHT = 140  # of 255, from which on black is read on a colour
_TAG_SHARE = 0.6  # of the picture's width, that a name may take


def colour_of(number: int) -> Colour:
    """The colour of a class by its number from 0; every eight classes it comes again, with another pattern of the line."""
    return PALETTE[number % len(PALETTE)]


def contrast_of(colour: Colour) -> Colour:
    """Black or white, whichever is seen better on a colour."""
    red, green, blue = colour
    return _BLACK if 0.299 * red + 0.587 * green + 0.114 * blue >= _BRIGHT else _WHITE


def draw_frame(
    draw: ImageDraw.ImageDraw, frame: Frame, *, size: tuple[int, int], number: int, line: int, true: bool
) -> None:
    """The line around a box, `line` pixels wide, as far as it lies in a picture of `size`.

    A true box's line is of short strokes with gaps through which one sees; an answer's gaps have the colour of its edge.
    """
    colour = colour_of(number)
    edge = contrast_of(colour)
    pattern = _TRUE_PATTERN if true else _PATTERNS[number // len(PALETTE) % len(_PATTERNS)]
    outer = _outer(frame, size, line, true)
    if not true:
        for side in _sides(outer, line):
            draw.rectangle(_grown(side, 1), fill=edge)
    strokes = [stroke for side in _sides(outer, line) for stroke in _strokes(side, pattern, line)]
    if true:
        for stroke in strokes:
            draw.rectangle(_grown(stroke, 1), fill=edge)
    for stroke in strokes:
        draw.rectangle(stroke, fill=colour)


class TagWriter:
    """Writes the names of boxes where they cover no other name."""

    def __init__(self, pen: Pen, size: tuple[int, int], *, letters: int, line: int) -> None:
        """`size` is the picture's width and height, `letters` the height of letters, `line` the width of lines; all in pixels."""
        self._pen, self._size, self._letters, self._line = pen, size, letters, line
        self._taken: list[Frame] = []

    def write(self, text: str, frame: Frame, *, number: int, true: bool) -> bool:
        """Write what a box is called: an answer's in its colour, a true box's on white.

        Returns whether there was room; there is none for a box outside the picture.
        """
        frame = (max(frame[0], 0), max(frame[1], 0), min(frame[2], self._size[0]), min(frame[3], self._size[1]))
        if frame[0] >= frame[2] or frame[1] >= frame[3]:
            return False
        widest = max(1, int(self._size[0] * _TAG_SHARE))
        shown, width = self._pen.fitted(text, self._letters, widest)
        tag = (width + self._letters // 2 + 1, round(self._letters * 1.35) + 1)
        place = next((one for one in self._places(frame, tag, true) if not self._covers(one)), None)
        if place is None:
            return False
        self._taken.append(place)
        colour = colour_of(number)
        paper, ink = (_WHITE, _BLACK) if true else (colour, contrast_of(colour))
        self._pen.draw.rectangle(place, fill=paper, outline=colour, width=1)
        corner = (place[0] + self._letters // 4 + 1, place[1] + max(1, self._letters // 12))
        self._pen.write(corner, shown, self._letters, ink, widest)
        return True

    def _places(self, frame: Frame, tag: tuple[int, int], true: bool) -> Iterator[Frame]:
        """Where a tag may stand, the best first: outside the box, inside it; an answer's above, a true box's below."""
        (width, height), reach = tag, self._line + 1
        tops = (frame[1] - height - 1, frame[1] + reach)
        bottoms = (frame[3] + 1, frame[3] - height - reach)
        lefts = (frame[0], frame[2] - width)
        for top in (*bottoms, *tops) if true else (*tops, *bottoms):
            for left in lefts:
                if 0 <= top <= self._size[1] - height:
                    left = max(0, min(left, self._size[0] - width))
                    yield left, top, left + width - 1, top + height - 1

    def _covers(self, place: Frame) -> bool:
        return any(
            place[0] <= other[2] and other[0] <= place[2] and place[1] <= other[3] and other[1] <= place[3]
            for other in self._taken
        )


def _outer(frame: Frame, size: tuple[int, int], line: int, true: bool) -> Frame:
    """The outermost pixels of the line; a side at the picture's edge stays in it. Never so small that there is nothing inside."""
    reach = line + 1 if true else 0  # with its edge
    left, right = _within(frame[0], frame[2] - 1, size[0], reach, 2 * line + 1)
    top, bottom = _within(frame[1], frame[3] - 1, size[1], reach, 2 * line + 1)
    return left, top, right, bottom


def _within(low: int, high: int, length: int, reach: int, least: int) -> tuple[int, int]:
    first = 0 if 0 <= low < reach else low - reach
    last = length - 1 if length - reach <= high < length else high + reach
    if last - first + 1 < least:
        first = (first + last + 1 - least) // 2
        last = first + least - 1
    return first, last


def _sides(outer: Frame, line: int) -> Iterator[Frame]:
    """The four sides of a frame as rectangles: top, bottom, left, right."""
    left, top, right, bottom = outer
    yield left, top, right, top + line - 1
    yield left, bottom - line + 1, right, bottom
    yield left, top, left + line - 1, bottom
    yield right - line + 1, top, right, bottom


def _strokes(side: Frame, pattern: tuple[int, ...], line: int) -> Iterator[Frame]:
    """A side in strokes along its longer way, from its start; whole where there is no pattern."""
    left, top, right, bottom = side
    across = right - left >= bottom - top
    start, end = (left, right) if across else (top, bottom)
    place, part = start, 0
    while place <= end:
        length = pattern[part % len(pattern)] * line if pattern else end - start + 1
        last = min(place + length - 1, end)
        if part % 2 == 0:
            yield (place, top, last, bottom) if across else (left, place, right, last)
        place, part = place + length, part + 1


def _grown(stroke: Frame, by: int) -> Frame:
    return stroke[0] - by, stroke[1] - by, stroke[2] + by, stroke[3] + by
