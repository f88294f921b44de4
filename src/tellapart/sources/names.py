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
_LATIN = ("cp437", "cp850", "cp1252", "cp852", "cp857")
# What packs on Windows writes the code page of DOS; the others are those of Windows itself.
_SCRIPTS: Mapping[str, str] = {
    **dict.fromkeys(("cp866", "cp1251"), "CYRILLIC"),
    **dict.fromkeys(("cp737", "cp1253"), "GREEK"),
    **dict.fromkeys(("cp862", "cp1255"), "HEBREW"),
    "cp874": "THAI",
}
ENCODINGS = (*_ROWS, "cp932", *_LATIN, *_SCRIPTS)


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
    texts: dict[tuple[str | None, ...], str] = {}
    for name in ENCODINGS:
        # cp437, cp850 and cp852 agree in many letters; the one that the zip format names goes first.
        if _is_usual_of(looked, name):
            texts.setdefault(tuple(_read(raw, name) for raw in looked), name)
    likely = {name: read[0] for read, name in texts.items() if read[0] is not None}
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


def _is_usual_of(raws: Sequence[bytes], encoding: str) -> bool:
    """Whether an encoding reads all names, and most of their letters are usual ones."""
    usual = letters = plain = 0
    for raw in raws:
        text = _read(raw, encoding)
        if text is None or _is_oddly_large(text):
            return False
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
        return False
    if encoding in _SCRIPTS and plain:
        return False  # no word is half Cyrillic and half Latin
    return usual >= _ENOUGH * letters


def _is_oddly_large(text: str) -> bool:
    """Whether a large letter beyond ASCII stands in a word with small ones, but not at its front: MŘller."""
    return any(
        not large.isascii() and large.isupper() and before.isalpha() and (before.islower() or after.islower())
        for before, large, after in zip(text, text[1:], f"{text[2:]} ", strict=False)
    )


def _is_usual(letter: str, encoding: str) -> bool:
    if encoding in _LATIN:
        return unicodedata.category(letter) in ("Ll", "Lu") and "LATIN" in unicodedata.name(letter, "")
    if encoding in _SCRIPTS:
        return unicodedata.category(letter)[0] in "LM" and unicodedata.name(letter, "").startswith(_SCRIPTS[encoding])
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
