"""How often each class was taken for which, as a picture. In: counts, names. Out: a Pillow picture. Next: png.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tellapart.drawing.lettering import Pen, common_font

MOST_CLASSES = 50  # more would have cells that nobody can tell apart
_PAPER, _INK, _FULL = (250, 250, 248), (28, 30, 34), (38, 76, 138)
_CELL, _NAME, _TEXT, _MARGIN = 34, 150, 13, 12  # pixels


def draw_confusions(counts: NDArray[np.integer], names: Sequence[str]) -> Image.Image:
    """Counts [K, K], a row a true class; each cell as dark as its share of the row, and told where it is not 0."""
    side = len(names) * _CELL
    width, top = _NAME + side + 2 * _MARGIN, _MARGIN + 24
    sheet = Image.new("RGB", (width, top + side + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    pen = Pen(draw=draw, font=common_font(names))
    for column in range(len(names)):
        pen.write((_NAME + _MARGIN + column * _CELL + 8, _MARGIN), str(column + 1), _TEXT, _INK, _CELL)
    for row, name in enumerate(names):
        pen.write((_MARGIN, top + row * _CELL + 9), f"{row + 1} {name}", _TEXT, _INK, _NAME - 8)
        whole = max(1, int(counts[row].sum()))
        for column, count in enumerate(counts[row].tolist()):
            share = count / whole
            left, upper = _NAME + _MARGIN + column * _CELL, top + row * _CELL
            colour = tuple(round(paper + share * (full - paper)) for paper, full in zip(_PAPER, _FULL, strict=True))
            draw.rectangle([left, upper, left + _CELL - 2, upper + _CELL - 2], fill=colour)
            if count:
                ink = _PAPER if share > 0.5 else _INK
                pen.write((left + 4, upper + 9), f"{count:,}", _TEXT, ink, _CELL - 6)
    return sheet
