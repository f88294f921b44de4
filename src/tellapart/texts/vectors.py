"""Vectors of words from a file. In: a .vec or .txt file, the words to know. Out: WordVectors. Next: writing_systems.py.

fastText's and word2vec's text form begins with a line of two numbers, how many words and how wide; GloVe's has none. A line is a
word and its numbers, blanks between them. The file is read line by line, and only the rows of known words are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError
from tellapart.storage import storage_errors
from tellapart.texts.cleaning import clean
from tellapart.texts.ngrams import Numbers, Rules, find_grams

MOST_WIDTH = 2_048  # numbers of a word
MOST_LINES = 20_000_000
MOST_LINE_BYTES = 64 * 1024
_AT_ONCE = 20_000  # lines whose words are looked up together
_TOLD = 3  # bad lines that a message names
_ENDINGS = (".vec", ".txt")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WordVectors:
    """The vectors of V known words."""

    words: Numbers  # [V], sorted, all different
    vectors: NDArray[np.float32]  # [V, D], finite
    lines: int  # words in the file
    bad: tuple[tuple[int, str], ...]  # lines that were passed over: number from 1, and why; the first few
    bad_count: int

    @property
    def width(self) -> int:
        """Numbers of a word, D."""
        return int(self.vectors.shape[1])


def check_vectors_path(path: Path) -> None:
    """Raises: DataError for a file that is not there, or of another kind."""
    if path.suffix.lower() not in _ENDINGS:
        raise DataError(
            f"{path} ends with {path.suffix or 'nothing'}; vectors of words are text in a {' or '.join(_ENDINGS)} file, as "
            "fastText and GloVe write them. Unpack it, or convert it to text."
        )
    if not path.is_file():
        raise DataError(f"there is no file of vectors at {path}. Name one that ends with {' or '.join(_ENDINGS)}.")


def read_vectors(path: Path, *, known: Numbers, rules: Rules) -> WordVectors:
    """The vectors of those words of `known`, sorted, that the file has; of a word that stands there twice the first.

    Words are cleaned as texts are, and those that `rules` would cut are passed over. Lines that are no such are passed over and
    counted. Raises: DataError where the file is no such file: no line of numbers, numbers of another width than the first line's
    throughout, or a line or file beyond the limits.
    """
    check_vectors_path(path)
    found: dict[int, NDArray[np.float32]] = {}
    reading = _Reading(path)
    for words, rows in reading.parts():
        numbers = _numbers(words, rules)
        place = np.minimum(np.searchsorted(known, numbers), max(0, len(known) - 1))
        there = (numbers > 0) & (known[place] == numbers) if len(known) else np.zeros(len(numbers), dtype=np.bool_)
        for row in np.flatnonzero(there).tolist():
            number = int(numbers[row])
            if number not in found and (vector := reading.vector(*rows[row])) is not None:
                found[number] = vector
    if not reading.lines or not reading.width or reading.bad_count >= max(1, reading.lines):
        first = reading.bad[0] if reading.bad else (1, "nothing stands there")
        raise DataError(
            f"{path} holds no vectors of words: line {first[0]:,}: {first[1]}. Give a word and its numbers a line, blanks between "
            "them, as fastText and GloVe write them."
        )
    order = sorted(found)
    vectors = np.stack([found[one] for one in order]) if order else np.zeros((0, reading.width), dtype=np.float32)
    return WordVectors(
        words=np.array(order, dtype=np.uint64),
        vectors=vectors,
        lines=reading.lines,
        bad=tuple(reading.bad),
        bad_count=reading.bad_count,
    )


class _Reading:
    """A file line by line; remembers what was wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.width, self.lines, self.bad_count, self._header = 0, 0, 0, 0
        self.bad: list[tuple[int, str]] = []

    def parts(self) -> Iterator[tuple[list[str], list[tuple[int, bytes]]]]:
        """Words, and for each its line's number and the bytes of its numbers."""
        words: list[str] = []
        rows: list[tuple[int, bytes]] = []
        for number, line in self._numbered():
            word, numbers = self._cut(number, line)
            if numbers is None:
                continue
            words.append(word)
            rows.append((number, numbers))
            if len(words) == _AT_ONCE:
                yield words, rows
                words, rows = [], []
        if words:
            yield words, rows

    def vector(self, number: int, numbers: bytes) -> NDArray[np.float32] | None:
        """The numbers of a line; None where they are none, which is remembered."""
        try:
            found = np.array(numbers.split(), dtype=np.float32)
        except ValueError:
            self._pass_over(number, "what follows the word is not all numbers")
            return None
        if not np.isfinite(found).all():
            self._pass_over(number, "a number is not finite")
            return None
        return found

    def _numbered(self) -> Iterator[tuple[int, bytes]]:
        with storage_errors(self._path), self._path.open("rb") as file:
            number = 0
            while line := file.readline(MOST_LINE_BYTES + 1):
                number += 1
                if len(line) > MOST_LINE_BYTES:
                    raise DataError(
                        f"{self._path}, line {number:,} is longer than {MOST_LINE_BYTES:,} bytes; a word and {MOST_WIDTH:,} "
                        "numbers are shorter. Give vectors as text, a word a line."
                    )
                if number > MOST_LINES:
                    raise DataError(
                        f"{self._path} has more than {MOST_LINES:,} lines. Keep its most frequent words, which come first in most."
                    )
                yield number, line

    def _cut(self, number: int, line: bytes) -> tuple[str, bytes | None]:
        """A line's word, and its numbers where they are as many as the first line's."""
        parts = line.split()
        if number == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
            self._header = int(parts[1])
            return "", None
        if not parts:
            return "", None
        self.lines += 1
        if not self.width:
            self.width = self._first_width(number, len(parts) - 1)
        # A word may have blanks in it, as some of GloVe's do: its numbers are the last ones.
        cut = len(parts) - self.width
        if cut < 1 or any(map(_is_number, parts[1:cut])):
            self._pass_over(number, f"{len(parts) - 1:,} numbers, where the first line has {self.width:,}")
            return "", None
        head = line.split(None, cut)
        try:
            word = b" ".join(head[:-1]).decode("utf-8")
        except UnicodeDecodeError:
            self._pass_over(number, "its word is not in UTF-8")
            return "", None
        return word, head[-1]

    def _first_width(self, number: int, width: int) -> int:
        if self._header not in (0, width):
            raise DataError(
                f"{self._path}, line {number:,} has {width:,} numbers behind its word, and its first line says {self._header:,}. "
                "Give the file as its tool wrote it."
            )
        if not 2 <= width <= MOST_WIDTH:
            raise DataError(
                f"{self._path}, line {number:,} has {width:,} numbers behind its first word; vectors of words have from 2 to "
                f"{MOST_WIDTH:,}. Give a word and its numbers a line."
            )
        return width

    def _pass_over(self, number: int, why: str) -> None:
        self.bad_count += 1
        if len(self.bad) < _TOLD:
            self.bad.append((number, why))


def _is_number(part: bytes) -> bool:
    try:
        float(part)
    except ValueError:
        return False
    return True


def _numbers(words: Sequence[str], rules: Rules) -> Numbers:
    """The number of each word as texts have it, [n]; 0 of what is several words, or none."""
    (grams,) = find_grams([clean(word) for word in words], rules)
    counts = np.bincount(grams.rows, minlength=len(words))
    alone = counts[grams.rows] == 1
    found = np.zeros(len(words), dtype=np.uint64)
    found[grams.rows[alone]] = grams.numbers[alone]
    return found
