"""A network as a picture: a row a stage. In: list[StageRow]. Out: a Pillow picture. Next: cli/models.py."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

from tellapart.drawing.lettering import Pen, Say, common_font
from tellapart.drawing.tiles import Kind, StageRow

_PAPER, _INK, _GREY, _RULE = (250, 250, 248), (28, 30, 34), (104, 108, 114), (222, 222, 218)
_COLOURS: Mapping[Kind, tuple[int, int, int]] = {
    "convolution": (74, 111, 165),
    "attention": (130, 88, 159),
    "dense": (193, 123, 46),
    "pooling": (120, 124, 130),
    "other": (176, 180, 184),
}
_MARGIN, _ROW, _BOX = 28, 40, 28  # pixels
_NAME, _SHAPE, _WIDEST, _BAR = 190, 150, 240, 150  # widths of the columns
_TITLE, _TEXT, _SMALL = 24, 15, 13


def draw_network(rows: Sequence[StageRow], *, name: str, size: int, say: Say = str) -> Image.Image:
    """Each row: a box as wide as its maps are large, what it gives, and its share of the parameters and of the work."""
    columns = _columns()
    width = columns["work"] + _BAR + 90 + _MARGIN
    top = _MARGIN + _TITLE + 12 + 2 * 22 + 16
    sheet = Image.new("RGB", (width, top + (len(rows) + 1) * _ROW + _MARGIN + 26), _PAPER)
    draw = ImageDraw.Draw(sheet)
    pen = Pen(draw=draw, font=common_font([name]))
    parameters, work = sum(row.parameters for row in rows), sum(row.multiply_adds for row in rows)
    pen.write((_MARGIN, _MARGIN), name, _TITLE, _INK, width - 2 * _MARGIN)
    head = f"{short(parameters)} parameters, {short(work)} multiply-adds for one picture of {size} x {size} pixels."
    pen.write((_MARGIN, _MARGIN + _TITLE + 12), say(head), _TEXT, _GREY, width - 2 * _MARGIN)
    for title, left in (("output", "shape"), ("parameters", "parameters"), ("multiply-adds", "work")):
        pen.write((columns[left], top - 24), say(title), _SMALL, _GREY, 200)
    _draw_box(draw, columns["boxes"], top, _share(size, size), (208, 208, 204))
    pen.write((_MARGIN, top + 12), say("picture"), _TEXT, _INK, _NAME)
    pen.write((columns["shape"], top + 12), f"{size} x {size} x 3", _TEXT, _INK, _SHAPE)
    for number, row in enumerate(rows, 1):
        _draw_row(pen, row, top + number * _ROW, columns, size, (parameters, work), say)
    kinds = sorted({row.kind for row in rows}, key=list(_COLOURS).index)
    _draw_legend(pen, kinds, top + (len(rows) + 1) * _ROW + 14, say)
    return sheet


def short(number: int) -> str:
    """A count as a person reads it: 3.35 million, 384 million, 1.81 thousand million would be 1,810 million."""
    if number < 10_000:
        return f"{number:,}"
    if number < 1_000_000:
        return f"{number / 1000:,.0f} thousand"
    millions = number / 1_000_000
    return f"{millions:,.2f} million" if millions < 10 else f"{millions:,.0f} million"


def _columns() -> dict[str, int]:
    boxes = _MARGIN + _NAME
    shape = boxes + _WIDEST + 24
    parameters = shape + _SHAPE
    return {"boxes": boxes, "shape": shape, "parameters": parameters, "work": parameters + _BAR + 90}


def _draw_row(
    pen: Pen, row: StageRow, top: int, columns: Mapping[str, int], size: int, totals: tuple[int, int], say: Say
) -> None:
    pen.write((_MARGIN, top + 12), row.name, _TEXT, _INK, _NAME - 12)
    side = math.sqrt(row.output[1] * row.output[2]) if len(row.output) == 3 else 1
    _draw_box(pen.draw, columns["boxes"], top, _share(side, size), _COLOURS[row.kind])
    pen.write((columns["shape"], top + 12), _shape(row.output), _TEXT, _INK, _SHAPE - 8)
    for left, value, total in (("parameters", row.parameters, totals[0]), ("work", row.multiply_adds, totals[1])):
        share = value / total if total else 0.0
        length = round(share * _BAR)
        if value:
            pen.draw.rectangle(
                [columns[left], top + 14, columns[left] + max(length, 1), top + 26], fill=_COLOURS[row.kind]
            )
            words = f"{100 * share:.0f} %" if share >= 0.01 else "under 1 %"
            pen.write((columns[left] + max(length, 1) + 8, top + 12), say(words), _SMALL, _GREY, 82)


def _draw_box(draw: ImageDraw.ImageDraw, left: int, top: int, share: float, colour: tuple[int, int, int]) -> None:
    width = max(6, round(share * _WIDEST))
    middle = left + _WIDEST // 2
    draw.rounded_rectangle(
        [middle - width // 2, top + (_ROW - _BOX) // 2, middle + (width + 1) // 2, top + (_ROW + _BOX) // 2],
        4,
        fill=colour,
    )


def _share(side: float, size: int) -> float:
    """Each halving takes the same piece away, so that 7 of 224 positions can still be seen."""
    return math.log2(1 + side) / math.log2(1 + size)


def _shape(output: Sequence[int]) -> str:
    if len(output) == 3:
        channels, height, width = output
        return f"{height} x {width} x {channels:,}" if height * width > 1 else f"{channels:,}"
    return " x ".join(f"{number:,}" for number in output)


def _draw_legend(pen: Pen, kinds: Sequence[Kind], top: int, say: Say) -> None:
    left = _MARGIN
    for kind in kinds:
        pen.draw.rounded_rectangle([left, top + 2, left + 12, top + 14], 3, fill=_COLOURS[kind])
        left += 18 + pen.write((left + 18, top), say(kind), _SMALL, _GREY, 200) + 22
    told = "box width: height and width of the maps, on a logarithmic scale"
    pen.write((left, top), say(told), _SMALL, _GREY, 600)
