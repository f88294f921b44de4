"""Which n-grams a model of texts knows; texts as sparse rows of them. In: texts, Rules. Out: CountedTexts. Next: ngram_probe.py.

A feature is whether an n-gram is in a text, times its inverse document frequency; each block (words, characters) of a text has
length 1, so that neither outweighs the other. Shapes: N texts, F n-grams, B blocks, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.storage import cache_folder
from tellapart.texts.cleaning import in_parts
from tellapart.texts.ngrams import Numbers, Rules, find_grams
from tellapart.texts.vocabulary import GramInputs, look_up
from tellapart.training.ngram_rows import CountRows, KeptRows, StoredRows, parts_of

MOST_GRAMS = 400_000  # the most frequent ones of all that are in two texts or more
_MOST_KEPT = 8_000_000  # n-grams of texts, each as often as it counts, from which they are kept on disk
_MOST_INT32 = 2**31 - 1
LEAST_TEXTS = 2  # texts that must have an n-gram for the model to know it

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CountedTexts:
    """Texts as rows of known n-grams."""

    inputs: GramInputs
    frequency: Floats  # [F], inverse document frequency: ln((1 + N) / (1 + texts with it)) + 1
    rows: CountRows  # [N, F]
    unknown: NDArray[np.float64]  # [N], the share of n-grams that the model does not know

    @property
    def matrix(self) -> Any:
        """All rows in memory: SciPy's CSR, float32 [N, F]; what of each text is known, every block of length 1."""
        return self.rows.whole()


def learn_grams(
    texts: Sequence[str], rules: Rules, *, most: int = MOST_GRAMS, least: int = LEAST_TEXTS
) -> tuple[GramInputs, Floats]:
    """The n-grams to know of N cleaned texts, the `most` frequent of those that `least` of them have, and their inverse document
    frequencies, float32 [F].
    """
    known: Numbers = np.zeros(0, dtype=np.uint64)
    counts: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    for part in in_parts(texts):
        found = []
        for grams in find_grams(part, rules):
            order = np.lexsort((grams.numbers, grams.rows))
            rows, numbers = grams.rows[order], grams.numbers[order]
            first = np.ones(len(rows), dtype=np.bool_)
            first[1:] = (rows[1:] != rows[:-1]) | (numbers[1:] != numbers[:-1])
            found.append(numbers[first])
        new, times = np.unique(np.concatenate(found), return_counts=True) if found else (known[:0], counts[:0])
        known, counts = _joined(known, counts, new, times)
        if len(known) > 8 * max(most, MOST_GRAMS):  # what is rare so far is let go, as in lossy counting
            kept = counts > 1
            known, counts = known[kept], counts[kept]
    chosen = np.flatnonzero(counts >= min(least, len(texts)))
    if len(chosen) > most:
        chosen = np.sort(chosen[np.argsort(-counts[chosen], kind="stable")[:most]])
    frequency = np.log((1 + len(texts)) / (1 + counts[chosen])) + 1
    return GramInputs(rules=rules, known=known[chosen]), frequency.astype(np.float32)


def _joined(
    known: Numbers, counts: NDArray[np.int64], new: Numbers, times: NDArray[np.int64]
) -> tuple[Numbers, NDArray[np.int64]]:
    """Both sorted lists as one, with their counts added up; `counts` may be changed."""
    if not len(known):
        return new, times
    place = np.searchsorted(known, new)
    there = known[np.minimum(place, len(known) - 1)] == new
    counts[place[there]] += times[there]
    others = place[~there]
    return np.insert(known, others, new[~there]), np.insert(counts, others, times[~there])


def count_texts_in(texts: Sequence[str], inputs: GramInputs, frequency: Floats) -> CountedTexts:
    """N cleaned texts as rows of what is known, in memory."""
    from scipy import sparse

    parts = list(_counted_parts(texts, inputs, frequency))
    unknown = np.concatenate([part.unknown for part in parts])
    counts = np.concatenate([part.cells.reshape(len(part.unknown), -1).sum(axis=1) for part in parts])
    starts = np.zeros(len(texts) + 1, dtype=np.int64 if counts.sum() > _MOST_INT32 else np.int32)
    np.cumsum(counts, out=starts[1:])
    values, grams = np.empty(starts[-1], dtype=np.float32), np.empty(starts[-1], dtype=np.int32)
    filled = 0
    while parts:  # each is let go of when it stands there: no number is in memory twice
        part = parts.pop(0)
        here = slice(filled, filled + len(part.grams))
        grams[here], values[here] = part.grams, frequency[part.grams]
        values[here] /= np.repeat(part.lengths, part.cells)
        filled = here.stop
    matrix = sparse.csr_matrix((values, grams, starts), shape=(len(texts), len(inputs.known)), copy=False)
    matrix.has_sorted_indices = False  # by block, and within it
    return CountedTexts(inputs=inputs, frequency=frequency, rows=KeptRows(matrix), unknown=unknown)


def store_texts_in(texts: Sequence[str], inputs: GramInputs, frequency: Floats) -> CountedTexts:
    """The same; of very many texts the rows are on disk, in the cache's folder. Raises: StorageError."""
    # How many texts have an n-gram its frequency tells, and all of that is how many numbers there are.
    expected = float((((1 + len(texts)) / np.exp(frequency.astype(np.float64) - 1)) - 1).sum())
    if expected <= _MOST_KEPT:
        return count_texts_in(texts, inputs, frequency)
    rows = StoredRows(cache_folder(), frequency, max(1, inputs.rules.blocks))
    unknown = []
    for part in _counted_parts(texts, inputs, frequency):
        rows.add(part.grams, part.cells, part.lengths)
        unknown.append(part.unknown)
    return CountedTexts(inputs=inputs, frequency=frequency, rows=rows, unknown=np.concatenate(unknown))


class _Part(NamedTuple):
    """The known n-grams of n texts, M in all, by text and block."""

    grams: NDArray[np.int32]  # [M]
    cells: NDArray[np.int32]  # [n x B], how many of them each block of each text has
    lengths: Floats  # [n x B], of each as a vector; 1 where it has none
    unknown: NDArray[np.float64]  # [n]


def _counted_parts(texts: Sequence[str], inputs: GramInputs, frequency: Floats) -> Iterator[_Part]:
    """Of a part of the texts after the other, what is known of them and what is not."""
    blocks = max(1, inputs.rules.blocks)
    for part in in_parts(texts):
        found = look_up(part, inputs)
        cells = found.rows * blocks + found.blocks
        own, count = frequency[found.grams].astype(np.float64), len(part) * blocks
        squares = np.bincount(cells, weights=np.square(own), minlength=count)
        yield _Part(
            grams=found.grams.astype(np.int32),
            cells=np.bincount(cells, minlength=count).astype(np.int32),
            lengths=np.sqrt(np.where(squares > 0, squares, 1.0)).astype(np.float32),
            unknown=found.unknown,
        )


def class_ratios(rows: CountRows, labels: NDArray[np.int64], *, classes: int) -> Floats:
    """How much more of its texts than of the others' each class has each n-gram in, as logarithms, float32 [K, F].

    Source: Wang and Manning 2012, "Baselines and Bigrams", ACL P12-2018, section 2, one class against the others.
    """
    _, grams = rows.shape
    counted = np.ones(classes * grams)
    for first, matrix in parts_of(rows):
        own = np.repeat(labels[first : first + matrix.shape[0]], np.diff(matrix.indptr))
        counted += np.bincount(own * grams + matrix.indices, minlength=classes * grams)
    within = counted.reshape(classes, grams)
    beyond = within.sum(axis=0, keepdims=True) - within - (classes - 2)
    within /= within.sum(axis=1, keepdims=True)
    beyond /= beyond.sum(axis=1, keepdims=True)
    within /= beyond
    return np.log(within, out=within).astype(np.float32)
