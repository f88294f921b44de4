"""Texts to numbers of word pieces, as BERT takes them. In: texts, PieceInputs. Out: int32 [N, 1, L]. Next: inputs.py.

A text is cut into words and signs, and each word into the longest pieces that the vocabulary has, from its beginning on; pieces
within a word begin with ##. A word of which no piece is known, or one too long, is one number: unknown.
Source: Devlin et al. 2019, arXiv 1810.04805, and Wu et al. 2016, arXiv 1609.08144, section 4.1. The rules for signs and letters are
those of BERT's own tokenizer.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tellapart.texts.cleaning import MOST_LETTERS

WITHIN = "##"  # how a piece begins that begins no word
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs"})  # categories of Unicode; what a newer Unicode assigned is kept
LONGEST_WORD = 100  # characters; longer ones are unknown
_MOST_KEPT = 200_000  # words whose pieces are remembered
# Code points from, and up to but without: the blocks of Chinese characters, each of which is a word.
CHINESE = (
    (0x4E00, 0xA000),
    (0x3400, 0x4DC0),
    (0x20000, 0x2A6E0),
    (0x2A700, 0x2B740),
    (0x2B740, 0x2B820),
    (0x2B920, 0x2CEB0),
    (0xF900, 0xFB00),
    (0x2F800, 0x2FA20),
)


class _Cleaned(dict[int, str]):
    """What becomes of each character before anything else: blanks are one, what is never seen goes."""

    def __init__(self, *, apart: bool) -> None:
        super().__init__()
        self._apart = apart  # Chinese characters

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character in "\t\n\r":
            found = " "
        elif code == 0xFFFD or unicodedata.category(character) in _UNSEEN:
            found = ""
        elif character.isspace():
            found = " "
        else:
            chinese = self._apart and any(first <= code < end for first, end in CHINESE)
            found = f" {character} " if chinese else character
        self[code] = found
        return found


class _Unmarked(dict[int, str]):
    """Nothing in the place of marks that stand on letters."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = found = "" if unicodedata.category(character) == "Mn" else character
        return found


class _Apart(dict[int, str]):
    """Signs with blanks around them."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        ascii_sign = code < 128 and not character.isalnum() and not character.isspace()
        sign = ascii_sign or unicodedata.category(character).startswith("P")
        self[code] = found = f" {character} " if sign else character
        return found


_CLEANED = {apart: _Cleaned(apart=apart) for apart in (False, True)}
_UNMARKED, _APART = _Unmarked(), _Apart()


def read_pieces(written: bytes) -> dict[str, int]:
    """A vocabulary as `PieceInputs.written` gives it."""
    return {piece: number for number, piece in enumerate(written.decode("utf-8", "surrogatepass").split("\n"))}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PieceInputs:
    """How a network of word pieces takes texts; a TextPart of one row."""

    pieces: Mapping[str, int]  # all that it knows, and their numbers
    lowercase: bool  # small letters alone
    unmarked: bool  # letters without their marks
    apart: bool  # each Chinese character is a word
    first: int  # before every text
    last: int  # behind it
    unknown: int
    padding: int
    most: int  # numbers of a text, with the first and the last; what comes after them is left out
    _kept: dict[str, tuple[int, ...]] = field(default_factory=dict, repr=False)

    @property
    def height(self) -> int:
        """One row."""
        return 1

    @property
    def at_once(self) -> int:
        """How many texts are best answered together: of more, what fills rows up costs more than is won."""
        return 16

    def encode(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """The numbers of N texts as they were given, int32 [N, 1, L], L the longest of them."""
        rows = [self.numbers(text) for text in texts]
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        found = np.full((len(rows), int(lengths.max(initial=1))), self.padding, dtype=np.int32)
        found[np.arange(found.shape[1]) < lengths[:, None]] = np.fromiter(
            (number for row in rows for number in row), dtype=np.int32, count=int(lengths.sum())
        )
        return found[:, None]

    def written(self) -> bytes:
        """The vocabulary in UTF-8, a line a piece, in the order of their numbers."""
        return "\n".join(sorted(self.pieces, key=self.pieces.__getitem__)).encode("utf-8", "surrogatepass")

    def numbers(self, text: str) -> list[int]:
        """Those of one text, `most` at most."""
        found, kept = [self.first], self._kept
        for word in self.words(text):
            pieces = kept.get(word)
            if pieces is None:
                if len(kept) >= _MOST_KEPT:
                    kept.clear()
                pieces = kept[word] = self._cut(word)
            found += pieces
            if len(found) >= self.most:
                break
        return [*found[: self.most - 1], self.last]

    def words(self, text: str) -> list[str]:
        """Its words and signs, as they are looked up."""
        text = text[:MOST_LETTERS].translate(_CLEANED[self.apart])
        if self.unmarked and not text.isascii():
            text = unicodedata.normalize("NFD", text).translate(_UNMARKED)
        if self.lowercase:
            text = text.replace("Σ", "σ").lower()  # whose small letter would depend on where it stands
        return text.translate(_APART).split()

    def _cut(self, word: str) -> tuple[int, ...]:
        if len(word) > LONGEST_WORD:
            return (self.unknown,)
        found, start = [], 0
        while start < len(word):
            before = WITHIN if start else ""
            for end in range(len(word), start, -1):
                number = self.pieces.get(f"{before}{word[start:end]}")
                if number is not None:
                    break
            else:
                return (self.unknown,)
            found.append(number)
            start = end
        return tuple(found)
