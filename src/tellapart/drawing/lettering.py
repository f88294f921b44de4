"""Text on a picture, in a font that has its letters. In: text. Out: pixels. Next: workflows/evaluate.py."""

from __future__ import annotations

import functools
import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from PIL import ImageDraw, ImageFont

_PROBE = 15  # pixels, height at which fonts are asked for their letters

# Tried in this order for names that Pillow's own font cannot show: the usual places of Linux, Windows and macOS are
# searched by Pillow. The first are for European scripts, the others for Chinese, Japanese and Korean.
_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "arial.ttf",
    "Arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansSC-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "DroidSansFallback.ttf",
    "msyh.ttc",
    "simsun.ttc",
    "simhei.ttf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "STHeiti Light.ttc",
    "Arial Unicode.ttf",
    "arialuni.ttf",
    "unifont.ttf",
)
_NO_CHARACTER = "\U0010ffff"  # what a font draws for it stands for every letter that it lacks

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Say = Callable[
    [str], str
]  # a sentence of ours in the language of its reader; names of classes and files are never said so
_WIDE = "\u2e80"  # from here on letters stand without blanks between words


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """Writes on a sheet, in one font as far as that has the letters."""

    draw: ImageDraw.ImageDraw
    font: str

    def write(self, place: tuple[int, int], text: str, height: int, colour: tuple[int, int, int], width: int) -> int:
        """Write one line, cut in its middle to fit `width`; returns the width that it takes."""
        shown, taken = self.fitted(text, height, width)
        self.draw.text(place, shown, fill=colour, font=font_for(shown, height, self.font))
        return taken

    def fitted(self, text: str, height: int, width: int) -> tuple[str, int]:
        """What of a line is written where there is room for `width` pixels, and how many pixels that takes."""
        shown = showable(text)
        font = font_for(shown, height, self.font)
        if font.getlength(shown) > width:
            half = len(shown) // 2
            front, back = shown[:half], shown[half:]
            while front and font.getlength(f"{front}...{back}") > width:
                front, back = front[:-1], back[1:]
            shown = f"{front}...{back}"
        return shown, math.ceil(font.getlength(shown))


def showable(text: str) -> str:
    r"""The text where a font here has all its letters; otherwise those that the best font lacks are escaped, as `\u732b`."""
    clean = "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)
    if any(_has(font, clean) for _, font in _fonts(_PROBE)):
        return clean
    best = max((font for _, font in _fonts(_PROBE)), key=lambda font: sum(_has(font, letter) for letter in clean))
    return "".join(letter if _has(best, letter) else _escaped(letter) for letter in clean)


def joined(sentences: Iterable[str]) -> str:
    """One text of several sentences, without a blank behind a wide full stop."""
    text = ""
    for sentence in sentences:
        text += sentence if not text or text[-1] >= _WIDE else f" {sentence}"
    return text


def listed(settings: Iterable[tuple[str, str]], say: Say = str) -> str:
    """A sentence of settings, each in words with its value, which stays as it is typed: `Rotation 15, fill mirror.`"""
    said = [f"{say(name)} {value}".rstrip() for name, value in settings]
    wide = any(letter >= _WIDE for one in said for letter in one)
    text = ("，" if wide else ", ").join(said)
    return f"{text[:1].upper()}{text[1:]}{'。' if wide else '.'}"


def wrapped(text: str, height: int, font: str, width: int) -> list[str]:
    """The lines of a text of ours that fit `width` pixels: broken at blanks, and between letters of China, Japan and Korea."""
    letters = font_for(text, height, font)
    lines, line = [], ""
    for word in _words(text):
        if line and letters.getlength((line + word).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += word
    return [*lines, line.rstrip()] if line.strip() else lines


def _words(text: str) -> Iterator[str]:
    """What is not broken: a word with the blanks behind it, or one wide letter with the marks that follow it."""
    word = ""
    for letter in text:
        closes = unicodedata.category(letter) in ("Po", "Pe", "Pf")
        breaks = letter >= _WIDE or (letter != " " and word[-1:] >= _WIDE) or (letter != " " and word[-1:] == " ")
        if word and breaks and not closes:
            yield word
            word = ""
        word += letter
    if word:
        yield word


def can_write(text: str) -> bool:
    """Whether a font here has every letter."""
    return showable(text) == text


def lacking(texts: Iterable[str]) -> list[str]:
    """Those of which no font here has all letters, so that some stand on a picture as codes."""
    return [text for text in texts if showable(text) != text]


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode()


def common_font(texts: Sequence[str]) -> str:
    """The name of the first font that can write all texts, or of Pillow's own, so that a sheet looks of a piece."""
    joined = "".join(showable(text) for text in texts)
    return next((name for name, font in _fonts(_PROBE) if _has(font, joined)), "")


def font_for(text: str, height: int, preferred: str) -> Font:
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
