"""A text as it is compared and counted: without what nobody sees. In: str. Out: str. Next: writing_systems.py."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

MOST_LETTERS = 100_000  # of a text that is looked at; what comes after them is left out, and told
AT_ONCE, LETTERS_AT_ONCE = 20_000, 500_000  # texts and letters whose n-grams are in memory together

# Zero-width, bidirectional marks, soft hyphens, byte order marks, selectors of how an emoji is drawn.
UNSEEN = "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
_UNSEEN = re.compile(UNSEEN)
_SELECTORS = re.compile("[\ufe00-\ufe0f]")  # of these, the printable ones
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_BLANKS = re.compile(r"\s+")
REPLACED = "\ufffd"  # stands for what could not be read


class CleanTexts(Sequence[str]):
    """Some texts of many, each cleaned when somebody asks: cleaned ones would be as much memory once more."""

    def __init__(self, texts: Sequence[str], rows: Sequence[int]) -> None:
        self._texts, self._rows = texts, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [clean(self._texts[row]) for row in self._rows[place]]
        return clean(self._texts[self._rows[place]])


def in_parts(texts: Iterable[str], *, most: int = AT_ONCE, letters: int = LETTERS_AT_ONCE) -> Iterator[list[str]]:
    """All of them, so many at a time or fewer of long ones; one part of none where there are none."""
    part: list[str] = []
    size = 0
    for text in texts:
        if part and (len(part) == most or size + len(text) > letters):
            yield part
            part, size = [], 0
        part.append(text)
        size += len(text)
    yield part


def clean(text: str) -> str:
    """The text in Unicode's form NFKC, folded to small letters, one blank between words; at most MOST_LETTERS of it.

    Control characters (a NUL too) are blanks, half a surrogate pair becomes U+FFFD, and what is never seen is left out.
    """
    text = text[:MOST_LETTERS]
    if text.isprintable():  # most are: then there is little to look for
        if not text.isascii():
            text = unicodedata.normalize("NFKC", _SELECTORS.sub("", text))
        return " ".join(text.casefold().split())
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _UNSEEN.sub("", _SURROGATES.sub(REPLACED, text)))
    return _BLANKS.sub(" ", _CONTROLS.sub(" ", text).casefold()).strip()


def as_utf8(text: str) -> bytes:
    """A text as bytes; half a surrogate pair, which has none, becomes U+FFFD, as where a text is cleaned."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def made_whole(texts: list[str]) -> list[str]:
    """The texts as `as_utf8` and back gives them: halves of surrogate pairs put together, or U+FFFD; all looked at at once."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return [as_utf8(text).decode() for text in texts]
    return texts
