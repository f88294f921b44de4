"""Texts to numbers of known n-grams, a part of what a model takes. In: texts, GramInputs. Out: int32 [N, B, L]. Next: inputs.py.

F known n-grams are rows 0 to F - 1 of the model's table. Row F is nothing, and fills up; the rows after that say how much of a text
the model does not know, in steps: such a number stands first in each text's first block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tellapart.texts.cleaning import clean
from tellapart.texts.ngrams import Numbers, Places, Rules, find_grams

_DRAWERS, _MOST_STEPS = 2, 32  # drawers of the vocabulary for each known n-gram, and known ones in one of them
STEPS = 1000  # in which the share of unknown n-grams is told, from 0 to STEPS


@dataclass(frozen=True, kw_only=True, eq=False)
class GramInputs:
    """How a model takes n-grams; a TextPart of B blocks."""

    rules: Rules
    known: Numbers  # [F], sorted, all different

    @property
    def rows(self) -> int:
        """Of the model's table."""
        return len(self.known) + STEPS + 2

    @property
    def height(self) -> int:
        """B, a row of numbers for each block."""
        return self.rules.blocks

    @property
    def padding(self) -> int:
        """The row of the table that is nothing."""
        return len(self.known)

    @property
    def at_once(self) -> int:
        """How many texts are best answered together."""
        return 128

    def places(self, numbers: Numbers) -> Places:
        """Where in `known` each of G numbers stands; -1 of one that is not known."""
        if not len(self.known):
            return np.full(len(numbers), -1, dtype=np.int64)
        firsts, longest, shift = self._drawers
        if longest > _MOST_STEPS:  # no vocabulary of ours, whose numbers are spread evenly
            place = np.minimum(np.searchsorted(self.known, numbers), len(self.known) - 1)
        else:
            place = firsts[numbers >> shift]
            for _ in range(longest):  # up to the first that is not smaller, a step of all at a time
                place += self._padded[place] < numbers
        return np.where((self._padded[place] == numbers) & (place < len(self.known)), place, -1)

    @cached_property
    def _drawers(self) -> tuple[Places, int, np.uint64]:
        """The first known number of each drawer (by how the numbers begin), how many the fullest has, and what is cut off.

        Looking there is several times as quick as halving the vocabulary, each step of which waits for the memory.
        """
        bits = min(22, max(1, (_DRAWERS * len(self.known)).bit_length()))
        shift = np.uint64(64 - bits)
        counts = np.bincount((self.known >> shift).astype(np.int64), minlength=1 << bits)
        return np.cumsum(counts) - counts, int(counts.max()), shift

    @cached_property
    def _padded(self) -> Numbers:
        return np.append(self.known, np.uint64(2**64 - 1))  # one may step behind the last

    def encode(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Of N texts, cleaned or not: int32 [N, B, L], L the most n-grams of one block of one text and 1."""
        found = look_up([clean(text) for text in texts], self)
        cells = found.rows * self.height + found.blocks
        counts = np.bincount(cells, minlength=len(texts) * self.height)
        places = np.arange(len(cells)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
        filled = np.full((len(texts) * self.height, int(counts.max(initial=0)) + 1), self.padding, dtype=np.int32)
        filled[cells, places] = found.grams
        filled[:: self.height, 0] = self.padding + 1 + np.rint(found.unknown * STEPS).astype(np.int32)
        return filled.reshape(len(texts), self.height, -1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundGrams:
    """The different known n-grams of N texts, M in all, and what of each text is not known."""

    rows: Places  # [M], rising, and within a row by block
    blocks: Places  # [M]
    grams: Places  # [M], in [0, F)
    unknown: NDArray[np.float64]  # [N], the share of all n-grams in [0, 1]; 1 where there is none


def look_up(texts: Sequence[str], inputs: GramInputs) -> FoundGrams:
    """What of cleaned texts is known, each n-gram of a text once."""
    count, width = len(texts), max(1, len(inputs.known))
    total, known = np.zeros(count), np.zeros(count)
    keys = []
    for grams in find_grams(texts, inputs.rules):
        place = inputs.places(grams.numbers)
        there = place >= 0
        total += np.bincount(grams.rows, minlength=count)
        known += np.bincount(grams.rows[there], minlength=count)
        keys.append((grams.rows[there] * inputs.rules.blocks + grams.block) * width + place[there])
    found = np.sort(np.concatenate(keys)) if keys else np.zeros(0, dtype=np.int64)
    found = found[np.concatenate([[True], found[1:] != found[:-1]])] if len(found) else found
    cells, grams_found = np.divmod(found, width)
    rows, blocks = np.divmod(cells, max(1, inputs.rules.blocks))
    unknown = np.where(total > 0, 1 - known / np.maximum(total, 1), 1.0)
    return FoundGrams(rows=rows, blocks=blocks, grams=grams_found, unknown=unknown)
