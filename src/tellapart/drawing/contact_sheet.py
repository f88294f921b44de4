"""A contact sheet: a row a picture, its variants side by side. In: list[SheetRow]. Out: a Pillow picture. Next: lettering.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tellapart.drawing.lettering import Pen, Say, common_font, joined, listed, wrapped

_PAPER, _INK, _GREY, _RULE = (250, 250, 248), (28, 30, 34), (112, 116, 122), (208, 208, 204)
_MARGIN, _GAP, _DIVIDE = 28, 8, 32  # pixels; _DIVIDE between what is and what training draws
_LEAST_CELL, _MOST_CELL = 112, 224  # smaller pictures are enlarged by whole pixels, larger ones reduced
_TITLE, _TEXT = 24, 15  # letter heights in pixels
_LINE = 22
Settings = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One picture and what becomes of it."""

    label: str
    name: str  # of the file
    picture: Image.Image  # RGB, of any shape
    validation: NDArray[np.uint8]  # [S, S, 3]
    variants: list[NDArray[np.uint8]]  # each [S, S, 3]


def draw_sheet(rows: Sequence[SheetRow], *, title: str, settings: Settings, size: int, say: Say = str) -> Image.Image:
    """Draw rows of equal length; `settings` are what is switched on, in words, with its value; `size` is S in pixels."""
    heads, title = [say(text) for text in ("the picture", "validation and test", "training")], say(title)
    cell = min(_MOST_CELL, size * math.ceil(_LEAST_CELL / size))
    columns = len(rows[0].variants)
    width = 2 * _MARGIN + (2 + columns) * cell + columns * _GAP + _DIVIDE
    training = _MARGIN + 2 * cell + _GAP + _DIVIDE
    lefts = [_MARGIN, _MARGIN + cell + _GAP, *(training + number * (cell + _GAP) for number in range(columns))]
    told = joined(_told(settings, size, say))
    font = common_font([told, title, *heads, *(text for row in rows for text in (row.label, row.name))])
    inner = width - 2 * _MARGIN
    head = wrapped(told, _TEXT, font, inner)
    top = _MARGIN + _TITLE + 14 + len(head) * _LINE + 14
    first_row = top + _LINE + 10
    pitch = _LINE + cell + 14
    sheet = Image.new("RGB", (width, first_row + len(rows) * pitch - 14 + _MARGIN), _PAPER)
    pen = Pen(draw=ImageDraw.Draw(sheet), font=font)
    pen.write((_MARGIN, _MARGIN), title, _TITLE, _INK, inner)
    for number, line in enumerate(head):
        pen.write((_MARGIN, _MARGIN + _TITLE + 14 + number * _LINE), line, _TEXT, _INK, inner)
    for left, text in zip(lefts, heads, strict=False):
        pen.write((left, top), text, _TEXT, _GREY, cell + _GAP)
    for number, row in enumerate(rows):
        _draw_row(sheet, pen, row, first_row + number * pitch, lefts, cell)
    return sheet


def _told(settings: Settings, size: int, say: Say) -> list[str]:
    shown = listed(settings, say) if settings else say("Nothing is varied: training sees what validation sees.")
    mixed = {"mixup", "cutmix"} & {name for name, _ in settings}
    more = ["Mixed pictures carry both classes' targets."] if mixed else []
    return [shown, *map(say, (f"Network input {size} x {size}.", "Drawn at random.", *more))]


def _draw_row(sheet: Image.Image, pen: Pen, row: SheetRow, top: int, lefts: Sequence[int], cell: int) -> None:
    used = pen.write((lefts[0], top), row.label, _TEXT, _INK, lefts[2] - lefts[0] - _DIVIDE) + 12
    pen.write((lefts[0] + used, top), row.name, _TEXT, _GREY, sheet.width - _MARGIN - lefts[0] - used)
    top += _LINE
    middle = lefts[2] - _DIVIDE // 2
    pen.draw.line([(middle, top), (middle, top + cell - 1)], fill=_RULE)
    whole = row.picture.copy()
    whole.thumbnail((cell, cell), Image.Resampling.LANCZOS)
    if max(whole.size) < cell:
        factor = cell / max(whole.size)
        size = (max(1, round(whole.width * factor)), max(1, round(whole.height * factor)))
        whole = whole.resize(size, Image.Resampling.NEAREST if factor >= 2 else Image.Resampling.LANCZOS)
    sheet.paste(whole, (lefts[0] + (cell - whole.width) // 2, top + (cell - whole.height) // 2))
    for left, pixels in zip(lefts[1:], [row.validation, *row.variants], strict=True):
        image = Image.fromarray(pixels)
        way = Image.Resampling.NEAREST if image.width < cell else Image.Resampling.LANCZOS
        sheet.paste(image if image.width == cell else image.resize((cell, cell), way), (left, top))
