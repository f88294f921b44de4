"""A contact sheet: a row for each picture, its variants side by side. In: list[Row]. Out: a Pillow picture. Next: evaluate.py."""

from __future__ import annotations

import functools
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_PAPER, _INK, _GREY, _RULE = (250, 250, 248), (28, 30, 34), (112, 116, 122), (208, 208, 204)
_MARGIN, _GAP, _DIVIDE = 28, 8, 32  # pixels; _DIVIDE between what is and what training draws
_LEAST_CELL, _MOST_CELL = 112, 224  # smaller pictures are enlarged by whole pixels, larger ones reduced
_TITLE, _TEXT = 24, 15  # letter heights in pixels
_LINE = 22

# Tried in this order for names that Pillow's own font cannot show: the usual places of Linux, Windows and macOS are
# searched by Pillow. The first are for European scripts, the others for Chinese, Japanese and Korean.
_FONTS = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "arial.ttf", "Arial.ttf",
    "NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansSC-Regular.otf", "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "msyh.ttc", "simsun.ttc",
    "simhei.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc", "STHeiti Light.ttc", "Arial Unicode.ttf", "arialuni.ttf", "unifont.ttf",
)  # fmt: skip
_NO_CHARACTER = "\U0010ffff"  # what a font draws for it stands for every letter that it lacks

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One picture and what becomes of it."""

    label: str
    name: str  # of the file
    picture: Image.Image  # RGB, of any shape
    validation: NDArray[np.uint8]  # [S, S, 3]
    variants: list[NDArray[np.uint8]]  # each [S, S, 3]


def draw_sheet(rows: Sequence[Row], *, title: str, settings: str, size: int) -> Image.Image:
    """Draw rows of equal length; `settings` says in words what is switched on, `size` is S in pixels."""
    cell = min(_MOST_CELL, size * math.ceil(_LEAST_CELL / size))
    columns = len(rows[0].variants)
    width = 2 * _MARGIN + (2 + columns) * cell + columns * _GAP + _DIVIDE
    training = _MARGIN + 2 * cell + _GAP + _DIVIDE
    lefts = [_MARGIN, _MARGIN + cell + _GAP, *(training + number * (cell + _GAP) for number in range(columns))]
    font = _common_font([text for row in rows for text in (row.label, row.name)])
    inner = width - 2 * _MARGIN
    head = _head_lines(settings, size, inner, font)
    top = _MARGIN + _TITLE + 14 + len(head) * _LINE + 14
    first_row = top + _LINE + 10
    pitch = _LINE + cell + 14
    sheet = Image.new("RGB", (width, first_row + len(rows) * pitch - 14 + _MARGIN), _PAPER)
    pen = _Pen(draw=ImageDraw.Draw(sheet), font=font)
    pen.write((_MARGIN, _MARGIN), title, _TITLE, _INK, inner)
    for number, line in enumerate(head):
        pen.write((_MARGIN, _MARGIN + _TITLE + 14 + number * _LINE), line, _TEXT, _INK, inner)
    for left, text in zip(lefts, ("the picture", "validation and test", "training"), strict=False):
        pen.write((left, top), text, _TEXT, _GREY, cell + _GAP)
    for number, row in enumerate(rows):
        _draw_row(sheet, pen, row, first_row + number * pitch, lefts, cell)
    return sheet


def _head_lines(settings: str, size: int, width: int, font: str) -> list[str]:
    shown = f"{settings[:1].upper()}{settings[1:]}" or "Nothing is varied: training sees what validation sees"
    mixed = " Mixed pictures carry both classes' targets." if "mixup" in settings or "cutmix" in settings else ""
    text = f"{shown}. Network input {size} x {size}. Drawn at random.{mixed}"
    letter = _font("x", _TEXT, font).getlength("x" * 100) / 100
    return textwrap.wrap(text, max(20, int(width / letter)))


def _draw_row(sheet: Image.Image, pen: _Pen, row: Row, top: int, lefts: Sequence[int], cell: int) -> None:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pen:
    """Writes on a sheet, in one font as far as that has the letters."""

    draw: ImageDraw.ImageDraw
    font: str

    def write(self, place: tuple[int, int], text: str, height: int, colour: tuple[int, int, int], width: int) -> int:
        """Write one line, cut in its middle to fit `width`; returns the width that it takes."""
        shown = showable(text)
        font = _font(shown, height, self.font)
        if font.getlength(shown) > width:
            half = len(shown) // 2
            front, back = shown[:half], shown[half:]
            while front and font.getlength(f"{front}...{back}") > width:
                front, back = front[:-1], back[1:]
            shown = f"{front}...{back}"
        self.draw.text(place, shown, fill=colour, font=font)
        return math.ceil(font.getlength(shown))


def showable(text: str) -> str:
    r"""The text where a font here has all its letters; otherwise those that the best font lacks are escaped, as `\u732b`."""
    clean = "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)
    if any(_has(font, clean) for _, font in _fonts(_TEXT)):
        return clean
    best = max((font for _, font in _fonts(_TEXT)), key=lambda font: sum(_has(font, letter) for letter in clean))
    return "".join(letter if _has(best, letter) else _escaped(letter) for letter in clean)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode()


def _common_font(texts: Sequence[str]) -> str:
    """The name of the first font that can write all texts, or of Pillow's own, so that a sheet looks of a piece."""
    joined = "".join(showable(text) for text in texts)
    return next((name for name, font in _fonts(_TEXT) if _has(font, joined)), "")


def _font(text: str, height: int, preferred: str) -> Font:
    """The preferred font, or the first that has every letter of the text; `showable` makes sure that there is one."""
    chosen = _open_font(preferred, height)
    if chosen is not None and _has(chosen, text):
        return chosen
    return next((font for _, font in _fonts(height) if _has(font, text)), ImageFont.load_default(height))


def _fonts(height: int) -> Iterator[tuple[str, Font]]:
    """Pillow's own font, then those found on this computer, each looked for only when it is asked for."""
    for name in ("", *_FONTS):
        font = _open_font(name, height)
        if font is not None:
            yield name, font


@functools.lru_cache(maxsize=256)
def _open_font(name: str, height: int) -> Font | None:
    try:
        return ImageFont.truetype(name, height) if name else ImageFont.load_default(height)
    except OSError:
        return None


def _has(font: Font, text: str) -> bool:
    return all(letter.isspace() or _has_letter(font, letter) for letter in text)


@functools.lru_cache(maxsize=4096)
def _has_letter(font: Font, letter: str) -> bool:
    return _drawn(font, letter) != _drawn(font, _NO_CHARACTER)


def _drawn(font: Font, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)
