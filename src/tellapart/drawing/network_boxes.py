"""A network as boxes below one another. In: list[NetworkBox]. Out: a Pillow picture, or SVG. Next: png.py."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw

from tellapart.drawing.lettering import Pen, common_font

BoxKind = Literal["picture", "convolution", "attention", "dense", "pooling", "other"]

_INK, _GREY, _PAPER, _LINE = (28, 30, 34), (104, 108, 114), (250, 250, 248), (150, 154, 160)
_COLOURS: Mapping[BoxKind, tuple[int, int, int]] = {
    "picture": (208, 208, 204),
    "convolution": (205, 219, 238),
    "attention": (226, 213, 234),
    "dense": (245, 222, 196),
    "pooling": (222, 224, 226),
    "other": (236, 237, 238),
}
_MARGIN, _WIDTH, _HEIGHT, _GAP = 24, 640, 54, 22  # pixels
_SHAPE = 190  # width of the column with shapes and parameters
_TITLE, _TEXT, _SMALL = 20, 15, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkBox:
    """One box: a block, or what stands between blocks."""

    title: str
    kind: BoxKind
    lines: str  # the layers in it
    shape: str  # of what it gives
    parameters: int


def draw_boxes(boxes: Sequence[NetworkBox], *, title: str, subtitle: str) -> Image.Image:
    """The boxes from the picture down to the answer, each with what it gives beside it."""
    width, height = _sides(boxes)
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    pen = Pen(draw=draw, font=common_font([title, *(box.title for box in boxes)]))
    pen.write((_MARGIN, _MARGIN), title, _TITLE, _INK, width - 2 * _MARGIN)
    pen.write((_MARGIN, _MARGIN + 28), subtitle, _SMALL + 1, _GREY, width - 2 * _MARGIN)
    for number, box in enumerate(boxes):
        top = _top(number)
        draw.rectangle([_MARGIN, top, _MARGIN + _WIDTH, top + _HEIGHT], fill=_COLOURS[box.kind], outline=_LINE)
        pen.write((_MARGIN + 12, top + 8), box.title, _TEXT, _INK, _WIDTH - _SHAPE - 24)
        pen.write((_MARGIN + 12, top + 32), box.lines, _SMALL, _GREY, _WIDTH - 24)
        pen.write((_MARGIN + _WIDTH - _SHAPE, top + 8), box.shape, _TEXT, _INK, _SHAPE - 12)
        pen.write((_MARGIN + _WIDTH + 16, top + 18), _told(box), _SMALL + 1, _GREY, 150)
        if number:
            middle = _MARGIN + _WIDTH // 2
            draw.line([middle, top - _GAP, middle, top], fill=_LINE, width=2)
            draw.polygon([(middle - 5, top - 7), (middle + 5, top - 7), (middle, top)], fill=_LINE)
    return sheet


def svg_of(boxes: Sequence[NetworkBox], *, title: str, subtitle: str) -> str:
    """The same as an SVG document."""
    width, height = _sides(boxes)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="{_hex(_PAPER)}"/>',
        _text(_MARGIN, _MARGIN + _TITLE, title, _TITLE, _INK),
        _text(_MARGIN, _MARGIN + 42, subtitle, _SMALL + 1, _GREY),
    ]
    for number, box in enumerate(boxes):
        top, middle = _top(number), _MARGIN + _WIDTH // 2
        parts += [
            f'<rect x="{_MARGIN}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" {_paint(_COLOURS[box.kind])}/>',
            _text(_MARGIN + 12, top + 22, box.title, _TEXT, _INK),
            _text(_MARGIN + 12, top + 44, box.lines, _SMALL, _GREY),
            _text(_MARGIN + _WIDTH - _SHAPE, top + 22, box.shape, _TEXT, _INK),
            _text(_MARGIN + _WIDTH + 16, top + 32, _told(box), _SMALL + 1, _GREY),
        ]
        if number:
            arrow = f"M{middle} {top - _GAP}V{top - 7}M{middle - 5} {top - 7}h10l-5 7z"
            parts.append(f'<path d="{arrow}" {_paint(_LINE)}/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _sides(boxes: Sequence[NetworkBox]) -> tuple[int, int]:
    return 2 * _MARGIN + _WIDTH + 160, _top(len(boxes)) + _MARGIN - _GAP


def _top(number: int) -> int:
    return _MARGIN + 64 + number * (_HEIGHT + _GAP)


def _told(box: NetworkBox) -> str:
    return f"{box.parameters:,}" if box.parameters else ""


def _text(left: int, base: int, text: str, height: int, colour: tuple[int, int, int]) -> str:
    return f'<text x="{left}" y="{base}" font-size="{height}" fill="{_hex(colour)}">{html.escape(text)}</text>'


def _paint(colour: tuple[int, int, int]) -> str:
    return f'fill="{_hex(colour)}" stroke="{_hex(_LINE)}"'


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
