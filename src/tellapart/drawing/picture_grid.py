"""Pictures in rows and columns, each under its name. In: pixels, names. Out: a Pillow picture. Next: lettering.py."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tellapart.drawing.lettering import Pen, common_font, joined, wrapped

_PAPER, _INK, _GREY = (250, 250, 248), (28, 30, 34), (112, 116, 122)
_MARGIN, _GAP = 28, 12  # pixels
_LEAST_CELL, _MOST_CELL = 160, 320  # smaller pictures are enlarged by whole pixels, larger ones reduced
_TITLE, _TEXT, _LINE = 24, 15, 22


def draw_grid(
    pictures: Sequence[NDArray[np.uint8]],
    names: Sequence[str],
    *,
    columns: int,
    title: str,
    told: Sequence[str],
) -> Image.Image:
    """Square pictures [S, S, 3] of one size; `told` are the sentences under the title."""
    size = pictures[0].shape[0]
    cell = min(_MOST_CELL, size * math.ceil(_LEAST_CELL / size))
    rows = math.ceil(len(pictures) / columns)
    width = 2 * _MARGIN + columns * cell + (columns - 1) * _GAP
    below = joined(told)
    font = common_font([title, below, *names])
    lines = wrapped(below, _TEXT, font, width - 2 * _MARGIN)
    top = _MARGIN + _TITLE + len(lines) * _LINE + 16
    pitch = cell + _LINE + _GAP
    sheet = Image.new("RGB", (width, top + rows * pitch - _GAP + _MARGIN), _PAPER)
    pen = Pen(draw=ImageDraw.Draw(sheet), font=font)
    pen.write((_MARGIN, _MARGIN), title, _TITLE, _INK, width - 2 * _MARGIN)
    for number, line in enumerate(lines):
        pen.write((_MARGIN, _MARGIN + _TITLE + 10 + number * _LINE), line, _TEXT, _GREY, width - 2 * _MARGIN)
    for number, (pixels, name) in enumerate(zip(pictures, names, strict=True)):
        left, upper = _MARGIN + number % columns * (cell + _GAP), top + number // columns * pitch
        pen.write((left, upper), name, _TEXT, _INK, cell)
        image = Image.fromarray(pixels)
        way = Image.Resampling.NEAREST if image.width < cell else Image.Resampling.LANCZOS
        sheet.paste(image if image.width == cell else image.resize((cell, cell), way), (left, upper + _LINE))
    return sheet
