"""Texts to numbers of their words and pieces, all at once. In: cleaned texts, Rules. Out: Grams. Next: vocabulary.py.

Every n-gram is a 64-bit number: a polynomial hash of its characters, taken from sums over the whole batch, so that no piece is
ever a Python string. Shapes: G n-grams of N texts.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Places = NDArray[np.int64]

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse
_MIXERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_WORDS, _CHARACTERS = np.uint64(0x51), np.uint64(0xA3)
# What the numbers of n-grams hang on, for those who make them elsewhere.
CONSTANTS: Mapping[str, int] = {
    "base": _BASE,
    "first": int(_MIXERS[0]),
    "second": int(_MIXERS[1]),
    "words": int(_WORDS),
    "characters": int(_CHARACTERS),
}
_LEAST_POWERS = 1 << 16
_BLANK, _WORD, _SIGN, _NOT_SEEN = 0, 1, 2, 255
_END = "\n"  # of a text; a cleaned one has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which n-grams of a text count."""

    words: tuple[int, ...] = ()  # how many in a row; a sign is a word
    characters: tuple[int, ...] = ()
    across: bool = (
        False  # characters of neighbouring words too, blanks apart; else of one word and the blanks around it
    )

    @property
    def blocks(self) -> int:
        """How many parts have a length of their own: words and characters."""
        return bool(self.words) + bool(self.characters)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grams:
    """The n-grams of N texts, one after the other by block; each as often as it occurs."""

    rows: Places  # [G], which text
    numbers: Numbers  # [G]
    block: int
    starts: Places  # [G], characters of the cleaned text
    ends: Places


def find_grams(texts: Sequence[str], rules: Rules) -> Iterator[Grams]:
    """Those of cleaned texts, a block of words and one of characters, as far as the rules have them."""
    stream = _Stream(texts)
    block = 0
    if rules.words:
        yield stream.words(rules.words, block)
        block += 1
    if rules.characters:
        yield stream.characters(rules.characters, block, across=rules.across)


class _Stream:
    """All texts as one row of characters, a blank at both ends of each."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.codes = np.frombuffer("".join(f" {text} {_END}" for text in texts).encode("utf-32-le"), dtype=np.uint32)
        lengths = np.array([len(text) + 3 for text in texts], dtype=np.int64)
        self._firsts = np.cumsum(lengths) - lengths
        self._rows = np.repeat(np.arange(len(texts)), lengths)
        self.kinds = _kinds(self.codes)
        letters = (self.codes.astype(np.uint64) + np.uint64(1)) * _MIXERS[0]
        letters ^= letters >> np.uint64(31)
        powers, self._inverses = _powers(len(letters))
        self._sums = np.zeros(len(letters) + 1, dtype=np.uint64)
        np.cumsum(letters * powers[: len(letters)], out=self._sums[1:])

    def words(self, sizes: Sequence[int], block: int) -> Grams:
        """Words and signs, and so many of them in a row."""
        word, blank = self.kinds == _WORD, self.kinds == _BLANK
        before = np.concatenate([[False], word[:-1]])
        after = np.concatenate([word[1:], [False]])
        firsts = np.flatnonzero(~blank & ~(word & before))
        lasts = np.flatnonzero(~blank & ~(word & after)) + 1
        single = self._numbers(firsts, lasts)
        rows = self._rows[firsts]
        parts = []
        for size in sizes:
            count = max(0, len(firsts) - size + 1)
            numbers = single[:count] + _WORDS * np.uint64(size)
            for place in range(1, size):
                numbers = _mixed(numbers) * _MIXERS[1] + single[place : place + count]
            same = rows[:count] == rows[size - 1 : size - 1 + count]
            parts.append((firsts[:count][same], lasts[size - 1 : size - 1 + count][same], _mixed(numbers[same])))
        return self._grams(parts, block)

    def characters(self, sizes: Sequence[int], block: int, *, across: bool) -> Grams:
        """Runs of so many characters, none over the end of a text."""
        blank = np.concatenate([[0], np.cumsum(self.kinds == _BLANK)])
        ends = np.concatenate([[0], np.cumsum(self.codes == ord(_END))])
        parts = []
        for size in sizes:
            count = max(0, len(self.codes) - size + 1)
            firsts = np.arange(count)
            if across:
                good = blank[size : size + count] == blank[:count]
            elif size < 3:
                good = (ends[size : size + count] == ends[:count]) & (blank[size : size + count] - blank[:count] < size)
            else:
                good = (ends[size : size + count] == ends[:count]) & (
                    blank[size - 1 : size - 1 + count] == blank[1 : 1 + count]
                )
            firsts = firsts[good]
            numbers = self._numbers(firsts, firsts + size) + _CHARACTERS * np.uint64(size)
            parts.append((firsts, firsts + size, _mixed(numbers)))
        return self._grams(parts, block)

    def _numbers(self, starts: Places, ends: Places) -> Numbers:
        """The hashes of stretches, wherever they lie."""
        return (self._sums[ends] - self._sums[starts]) * self._inverses[starts]

    def _grams(self, parts: Sequence[tuple[Places, Places, Numbers]], block: int) -> Grams:
        starts, ends, numbers = (np.concatenate([part[place] for part in parts]) for place in range(3))
        rows = self._rows[starts]
        first = self._firsts[rows] + 1  # behind the blank
        return Grams(rows=rows, numbers=numbers, block=block, starts=starts - first, ends=ends - first)


def _mixed(numbers: Numbers) -> Numbers:
    """Every bit of what goes in counts for every bit that comes out (the finish of MurmurHash3, by A. Appleby)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * _MIXERS[0]
    numbers = (numbers ^ (numbers >> np.uint64(27))) * _MIXERS[1]
    return numbers ^ (numbers >> np.uint64(31))


@functools.lru_cache(maxsize=4)
def _table_of_powers(count: int) -> tuple[Numbers, Numbers]:
    with np.errstate(over="ignore"):
        found = []
        for base in (_BASE, pow(_BASE, -1, 1 << 64)):
            powers = np.full(count, base, dtype=np.uint64)
            powers[0] = 1
            found.append(np.cumprod(powers))
    return found[0], found[1]


def _powers(count: int) -> tuple[Numbers, Numbers]:
    """The powers of the base and of its inverse modulo 2^64, at least so many."""
    return _table_of_powers(max(_LEAST_POWERS, 1 << (count - 1).bit_length()))


_KINDS = np.full(0x110000, _NOT_SEEN, dtype=np.uint8)


def _kinds(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Which characters are blanks, parts of words, or signs."""
    kinds = _KINDS[codes]
    if (kinds == _NOT_SEEN).any():
        for code in np.unique(codes[kinds == _NOT_SEEN]).tolist():
            _KINDS[code] = _kind(chr(code))
        kinds = _KINDS[codes]
    return kinds


def _kind(character: str) -> int:
    if character.isspace():
        return _BLANK
    part = character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")
    return _WORD if part else _SIGN
