"""Texts to numbers of their words, in order, a part of what a model takes. In: texts. Out: int32 [N, 1, L]. Next: vectors.py.

F known words (or characters) are rows 0 to F - 1 of the network's table. Row F is nothing, and fills up behind a text; row F + 1
is whatever word is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.texts.cleaning import clean
from tellapart.texts.ngrams import Numbers, Places, Rules, find_grams

WORDS = Rules(words=(1,))
CHARACTERS = Rules(characters=(1,), across=True)
_AT_ONCE = 20_000  # texts whose words are in memory together
_SINGLE = 2  # texts that must have a word for the network to know it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WordInputs:
    """How a network takes words; a TextPart of one row."""

    rules: Rules  # WORDS or CHARACTERS
    known: Numbers  # [F], sorted, all different
    window: int  # so many of a text, the first, are read

    @property
    def height(self) -> int:
        """One row of numbers."""
        return 1

    @property
    def padding(self) -> int:
        """Row F of the table, which is nothing."""
        return len(self.known)

    @property
    def at_once(self) -> int:
        """How many texts are best answered together."""
        return 128

    @property
    def unit(self) -> str:
        """What it reads, for a person."""
        return "words" if self.rules.words else "characters"

    def encode(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Of N texts, cleaned or not: int32 [N, 1, L], L the words of the longest and at least 1."""
        found = read_words([clean(text) for text in texts], self)
        return found.padded(np.arange(len(texts)), nothing=self.padding)[:, None]

    def beyond(self, text: str) -> int:
        """How many words a cleaned text has, where that is more than the window; else 0."""
        # No text has more words than characters.
        if len(text) <= self.window:
            return 0
        count = sum(len(grams.rows) for grams in find_grams([text], self.rules))
        return count if count > self.window else 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sequences:
    """The words of N texts one after the other, T in all."""

    words: NDArray[np.int32]  # [T], rows of the network's table
    ends: Places  # [N], where each text ends in that row

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def starts(self) -> Places:
        """[N], where each text begins."""
        return np.concatenate([np.zeros(1, dtype=np.int64), self.ends[:-1]])

    @property
    def lengths(self) -> Places:
        """[N], how many words each has."""
        return self.ends - self.starts

    def of_rows(self, rows: NDArray[np.int64]) -> Sequences:
        """Those texts alone, in that order."""
        lengths = self.lengths[rows]
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        places = np.repeat(self.starts[rows], lengths) + within
        return Sequences(words=self.words[places], ends=np.cumsum(lengths))

    def padded(self, rows: NDArray[np.int64], *, nothing: int) -> NDArray[np.int32]:
        """Texts [n] by row as int32 [n, L], L the words of the longest and at least 1; behind them `nothing`."""
        starts, lengths = self.starts[rows], self.lengths[rows]
        places = np.arange(max(1, int(lengths.max(initial=0))))
        there = places < lengths[:, None]
        found = np.full(there.shape, nothing, dtype=np.int32)
        found[there] = self.words[(starts[:, None] + places)[there]]
        return found


def read_words(texts: Sequence[str], inputs: WordInputs) -> Sequences:
    """The words of cleaned texts, as far as the window reaches."""
    words: list[NDArray[np.int32]] = []
    counts: list[Places] = []
    for start in range(0, len(texts), _AT_ONCE):
        part = texts[start : start + _AT_ONCE]
        (grams,) = find_grams(part, inputs.rules)
        all_of = np.bincount(grams.rows, minlength=len(part))
        place = np.arange(len(grams.rows)) - np.repeat(np.cumsum(all_of) - all_of, all_of)
        numbers = grams.numbers[place < inputs.window]
        words.append(rows_of(numbers, inputs.known))
        counts.append(np.minimum(all_of, inputs.window))
    lengths = np.concatenate(counts) if counts else np.zeros(0, dtype=np.int64)
    return Sequences(words=np.concatenate(words) if words else np.zeros(0, dtype=np.int32), ends=np.cumsum(lengths))


def rows_of(numbers: Numbers, known: Numbers) -> NDArray[np.int32]:
    """The row of the table of each word's number; F + 1 where it is not known."""
    place = np.searchsorted(known, numbers)
    place[place == len(known)] = 0
    there = known[place] == numbers if len(known) else np.zeros(len(place), dtype=np.bool_)
    return np.where(there, place, len(known) + 1).astype(np.int32)


def unknown_shares(sequences: Sequences, inputs: WordInputs) -> NDArray[np.float64]:
    """The share of the words of each text that the network does not know, [N] in [0, 1]."""
    unknown = np.concatenate([[0], np.cumsum(sequences.words == len(inputs.known) + 1)])
    counts = unknown[sequences.ends] - unknown[sequences.starts]
    return np.asarray(counts / np.maximum(1, sequences.lengths), dtype=np.float64)


def learn_words(
    texts: Sequence[str], rules: Rules, *, most: int, rare: Numbers | None = None, single: bool = False
) -> Numbers:
    """The words to know of cleaned texts, sorted: at most `most` of those in two texts or more, the most frequent ones.

    Words of one text alone are known where they are among `rare`, which something else tells of, or all of them with `single`.
    """
    known: Numbers = np.zeros(0, dtype=np.uint64)
    counts: Places = np.zeros(0, dtype=np.int64)
    for start in range(0, len(texts), _AT_ONCE):
        part = texts[start : start + _AT_ONCE]
        (grams,) = find_grams(part, rules)
        order = np.lexsort((grams.numbers, grams.rows))
        rows, numbers = grams.rows[order], grams.numbers[order]
        first = np.ones(len(rows), dtype=np.bool_)
        first[1:] = (rows[1:] != rows[:-1]) | (numbers[1:] != numbers[:-1])
        every, places = np.unique(np.concatenate([known, numbers[first]]), return_inverse=True)
        weights = np.concatenate([counts, np.ones(int(first.sum()), dtype=np.int64)])
        known, counts = every, np.bincount(places, weights=weights).astype(np.int64)
    wanted = counts >= (1 if single else min(_SINGLE, len(texts)))
    if rare is not None:
        wanted |= np.isin(known, rare)
    chosen = np.flatnonzero(wanted)
    if len(chosen) > most:
        chosen = np.sort(chosen[np.argsort(-counts[chosen], kind="stable")[:most]])
    return known[chosen]
