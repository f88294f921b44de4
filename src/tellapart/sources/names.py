"""How the names in an archive are written, where it does not say. In: bytes. Out: Naming. Next: zips.py.

Zip marks UTF-8 by a bit that many programs forget; then the names are in the code page of whoever packed it. UTF-8 proves itself.
Anything else is taken only where one encoding alone gives usual letters, and is told; where several do, the user must say it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_ENOUGH = 0.9  # of the letters beyond ASCII must be usual ones
_MOST_ACCENTED = 0.4  # of a Latin name's letters: more are halves of letters of another writing
_LOOKED_AT = 2_000  # names
# The rows of two-byte sets that hold the usual characters: GB 2312 level 1, Big5 level 1, KS X 1001 Hangul.
_ROWS: Mapping[str, tuple[int, int]] = {"gb18030": (0xB0, 0xD7), "big5": (0xA4, 0xC6), "cp949": (0xB0, 0xC8)}
_LATIN = ("cp437", "cp850", "cp1252")
ENCODINGS = (*_ROWS, "cp932", *_LATIN)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Naming:
    """How names that are not UTF-8 are read."""

    encoding: str  # the likeliest
    likely: Mapping[str, str]  # encoding -> a name as it reads it, for all that are about as likely

    @property
    def sure(self) -> bool:
        """Whether one encoding alone gives usual letters."""
        return len(self.likely) == 1


def find_naming(raws: Sequence[bytes]) -> Naming | None:
    """How names of which the archive does not say it are written; None: in UTF-8 (or ASCII)."""
    odd = [raw for raw in raws if not raw.isascii()]
    if all(_read(raw, "utf-8") is not None for raw in odd):
        return None
    looked = odd[:_LOOKED_AT]
    likely = {name: example for name in ENCODINGS if (example := _example(looked, name))}
    # cp850 and cp437 agree in the letters that both have; the one that the zip format names goes first.
    if "cp437" in likely:
        likely.pop("cp850", None)
    if not likely:
        likely = {name: text for name in ENCODINGS if (text := _read(looked[0], name)) is not None}
    return Naming(encoding=next(iter(likely), "cp437"), likely=likely)


def readings(name: str) -> Iterator[bytes]:
    """The bytes that a name may have been read from."""
    for encoding in ("utf-8", *ENCODINGS):
        try:
            yield name.encode(encoding, "surrogateescape")
        except UnicodeEncodeError:
            continue


def _example(raws: Sequence[bytes], encoding: str) -> str:
    """The first name as an encoding reads it, if it reads all and most of their letters are usual ones; else ""."""
    usual = letters = plain = 0
    for raw in raws:
        text = _read(raw, encoding)
        if text is None:
            return ""
        beyond = [letter for letter in text if not letter.isascii()]
        letters += len(beyond)
        plain += sum(
            letter.isascii() and letter.isalpha()
            for part in text.rpartition(".")[0].split("/")
            for letter in part
            if not part.isascii()
        )
        usual += sum(_is_usual(letter, encoding) for letter in beyond)
    if encoding in _LATIN and letters > _MOST_ACCENTED * (letters + plain):
        return ""
    return (_read(raws[0], encoding) or "") if usual >= _ENOUGH * letters else ""


def _is_usual(letter: str, encoding: str) -> bool:
    if encoding in _LATIN:
        return unicodedata.category(letter) in ("Ll", "Lu") and "LATIN" in unicodedata.name(letter, "")
    if encoding == "cp932":
        raw = letter.encode(encoding)
        return "぀" <= letter <= "ヿ" or (len(raw) == 2 and 0x88 <= raw[0] <= 0x97)
    raw, (first, last) = letter.encode(encoding), _ROWS[encoding]
    # What GBK and UHC added to the older sets ends in a byte below 0xA1.
    return len(raw) == 2 and first <= raw[0] <= last and (raw[1] >= 0xA1 or encoding == "big5")


def _read(raw: bytes, encoding: str) -> str | None:
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None
