"""What an explanation looks like on one sheet. In: panels, neighbours, tiles. Out: a Pillow picture. Next: lettering.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tellapart.drawing.lettering import Pen, Say, common_font, joined, wrapped
from tellapart.drawing.tiles import Tile

_PAPER, _INK, _GREY, _RULE, _BEST = (250, 250, 248), (28, 30, 34), (104, 108, 114), (208, 208, 204), (20, 108, 67)
_MARGIN, _GAP, _LINE = 28, 16, 22  # pixels
_TITLE, _TEXT, _SMALL = 24, 15, 13  # letter heights in pixels
_CELL, _COLUMNS = 280, 3  # of a panel, and how many stand in a row
_THUMB = 132
_LEAST_PART = 72  # of a strip's pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A picture with a title above and a few words below."""

    title: str
    picture: NDArray[np.uint8]  # [h, w, 3]
    lines: tuple[str, ...] = ()
    best: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumb:
    """A training picture on a sheet."""

    picture: Image.Image | None  # None: it cannot be read any more
    label: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """Small pictures in one row, as wide as the sheet."""

    title: str
    thumbs: tuple[Thumb, ...]


def draw_explanation(
    *,
    title: str,
    head: Sequence[str],
    panels: Sequence[Panel],
    strip: Strip | None = None,
    thumbs: Sequence[Thumb],
    foot: Sequence[str],
    say: Say = str,
) -> Image.Image:
    """One picture's sheet: panels three in a row, a strip, the training pictures that look alike, what the figures mean.

    All but the title and the labels is said in the reader's language.
    """
    head = [say(line) for line in head]
    panels = [replace(one, title=say(one.title), lines=tuple(map(say, one.lines))) for one in panels]
    thumbs = [replace(one, words=say(one.words)) for one in thumbs]
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    inner = max(columns * (_CELL + _GAP) - _GAP, (len(thumbs) * (_THUMB + _GAP) - _GAP) if thumbs else 0)
    captions = max(len(panel.lines) for panel in panels)
    pitch = _LINE + _CELL + 8 + captions * _LINE + _GAP
    first = _MARGIN + _TITLE + 12 + len(head) * _LINE + _GAP
    if strip:
        inner = max(inner, len(strip.thumbs) * (_LEAST_PART + _GAP) - _GAP)
    below_all = joined(map(say, foot))
    texts = wrapped(below_all, _SMALL, common_font([below_all]), inner)
    part = min(_THUMB, (inner + _GAP) // len(strip.thumbs) - _GAP) if strip else 0
    parts = first + rows * pitch
    near = parts + (_row_height(part) if strip else 0)
    below = near + (_row_height(_THUMB) if thumbs else 0)
    sheet = Image.new("RGB", (inner + 2 * _MARGIN, below + len(texts) * 19 + _MARGIN), _PAPER)
    pen = _pen(sheet, [title, *head, below_all, *(thumb.label for thumb in thumbs)])
    pen.write((_MARGIN, _MARGIN), title, _TITLE, _INK, inner)
    for number, line in enumerate(head):
        pen.write((_MARGIN, _MARGIN + _TITLE + 12 + number * _LINE), line, _TEXT, _INK, inner)
    for number, panel in enumerate(panels):
        left = _MARGIN + number % columns * (_CELL + _GAP)
        _draw_panel(sheet, pen, panel, left, first + number // columns * pitch)
    if strip:
        _draw_row(sheet, pen, _said(strip, say), parts, part, inner)
    if thumbs:
        likes = Strip(title=say("Training pictures that look most alike to the network"), thumbs=tuple(thumbs))
        _draw_row(sheet, pen, likes, near, _THUMB, inner)
    for number, line in enumerate(texts):
        pen.write((_MARGIN, below + 4 + number * 19), line, _SMALL, _GREY, inner)
    return sheet


def draw_tiles(tiles: Sequence[Tile], *, title: str, head: str, captions: Sequence[str], say: Say = str) -> Image.Image:
    """Filters or feature maps in a grid, each with its caption; small ones are enlarged by whole pixels."""
    height, width = tiles[0].picture.shape[:2]
    factor = max(1, math.ceil(64 / max(height, width)))
    cell = min(160, factor * max(height, width))
    columns = min(8, max(4, math.ceil(math.sqrt(len(tiles)))))
    inner = columns * (cell + 12) - 12
    title, head, inner = say(title), say(head), max(inner, 420)
    texts = wrapped(head, _TEXT, common_font([head]), inner)
    first = _MARGIN + _TITLE + 12 + len(texts) * _LINE + 12
    pitch = cell + 18 + 12
    rows = math.ceil(len(tiles) / columns)
    sheet = Image.new("RGB", (inner + 2 * _MARGIN, first + rows * pitch - 12 + _MARGIN), _PAPER)
    pen = _pen(sheet, [title, head])
    pen.write((_MARGIN, _MARGIN), title, _TITLE, _INK, inner)
    for number, line in enumerate(texts):
        pen.write((_MARGIN, _MARGIN + _TITLE + 12 + number * _LINE), line, _TEXT, _GREY, inner)
    for number, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        left = _MARGIN + number % columns * (cell + 12)
        top = first + number // columns * pitch
        sheet.paste(_fitted(Image.fromarray(tile.picture), cell), (left, top))
        pen.write((left, top + cell + 3), caption, _SMALL, _GREY, cell + 10)
    return sheet


def _draw_panel(sheet: Image.Image, pen: Pen, panel: Panel, left: int, top: int) -> None:
    pen.write((left, top), panel.title, _TEXT, _BEST if panel.best else _INK, _CELL)
    sheet.paste(_square(Image.fromarray(panel.picture), _CELL), (left, top + _LINE))
    for number, line in enumerate(panel.lines):
        colour = _BEST if panel.best else _GREY
        pen.write((left, top + _LINE + _CELL + 8 + number * _LINE), line, _TEXT, colour, _CELL)


def _said(strip: Strip, say: Say) -> Strip:
    """In the reader's language: its labels are ours."""
    return replace(
        strip, title=say(strip.title), thumbs=tuple(replace(one, label=say(one.label)) for one in strip.thumbs)
    )


def _row_height(cell: int) -> int:
    return _LINE + 10 + cell + 2 * _LINE + _GAP


def _draw_row(sheet: Image.Image, pen: Pen, row: Strip, top: int, cell: int, inner: int) -> None:
    pen.draw.line([(_MARGIN, top), (_MARGIN + inner - 1, top)], fill=_RULE)
    pen.write((_MARGIN, top + 10), row.title, _TEXT, _INK, inner)
    for number, thumb in enumerate(row.thumbs):
        _draw_thumb(sheet, pen, thumb, _MARGIN + number * (cell + _GAP), top + 10 + _LINE + 6, cell)


def _draw_thumb(sheet: Image.Image, pen: Pen, thumb: Thumb, left: int, top: int, cell: int) -> None:
    if thumb.picture is None:
        pen.draw.rectangle([left, top, left + cell - 1, top + cell - 1], outline=_RULE)
    else:
        sheet.paste(_square(thumb.picture, cell), (left, top))
    pen.write((left, top + cell + 5), thumb.label, _TEXT, _INK, cell)
    pen.write((left, top + cell + 5 + 19), thumb.words, _SMALL, _GREY, cell)


def _square(picture: Image.Image, cell: int) -> Image.Image:
    """A picture at the size of a cell; one that is not square keeps its shape, on paper."""
    if picture.width == picture.height:
        return picture.resize((cell, cell), Image.Resampling.LANCZOS)
    return _fitted(picture, cell)


def _fitted(picture: Image.Image, cell: int) -> Image.Image:
    factor = cell / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    fitted = picture.resize(size, Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.LANCZOS)
    square = Image.new("RGB", (cell, cell), _PAPER)
    square.paste(fitted, ((cell - fitted.width) // 2, (cell - fitted.height) // 2))
    return square


def _pen(sheet: Image.Image, texts: Sequence[str]) -> Pen:
    return Pen(draw=ImageDraw.Draw(sheet), font=common_font(texts))
