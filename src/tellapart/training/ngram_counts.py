"""Which n-grams a model of texts knows; texts as sparse rows of them. In: texts, Rules. Out: CountedTexts. Next: ngram_probe.py.

A feature is whether an n-gram is in a text, times its inverse document frequency; each block (words, characters) of a text has
length 1, so that neither outweighs the other. Shapes: N texts, F n-grams, B blocks, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.texts.ngrams import Numbers, Rules, find_grams
from tellapart.texts.vocabulary import FoundGrams, GramInputs, look_up

MOST_GRAMS = 400_000  # the most frequent ones of all that are in two texts or more
_AT_ONCE = 20_000  # texts whose n-grams are in memory together
_MOST_INT32 = 2**31 - 1
LEAST_TEXTS = 2  # texts that must have an n-gram for the model to know it

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CountedTexts:
    """Texts as rows of known n-grams."""

    inputs: GramInputs
    frequency: Floats  # [F], inverse document frequency: ln((1 + N) / (1 + texts with it)) + 1
    matrix: Any  # SciPy's CSR, float32 [N, F]; what of each text is known, every block of length 1
    unknown: NDArray[np.float64]  # [N], the share of n-grams that the model does not know


def learn_grams(
    texts: Sequence[str], rules: Rules, *, most: int = MOST_GRAMS, least: int = LEAST_TEXTS
) -> tuple[GramInputs, Floats]:
    """The n-grams to know of N cleaned texts, the `most` frequent of those that `least` of them have, and their inverse document
    frequencies, float32 [F].
    """
    known: Numbers = np.zeros(0, dtype=np.uint64)
    counts: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    for start in range(0, len(texts), _AT_ONCE):
        part = texts[start : start + _AT_ONCE]
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
    if not len(known):
        return new, times
    every, places = np.unique(np.concatenate([known, new]), return_inverse=True)
    return every, np.bincount(places, weights=np.concatenate([counts, times])).astype(np.int64)


def count_texts_in(texts: Sequence[str], inputs: GramInputs, frequency: Floats) -> CountedTexts:
    """N cleaned texts as rows of what is known."""
    from scipy import sparse

    parts = list(_counted_parts(texts, inputs, frequency))
    values, grams, counts, unknown = (np.concatenate([_taken(part, place) for part in parts]) for place in range(4))
    starts = np.zeros(len(texts) + 1, dtype=np.int64 if len(values) > _MOST_INT32 else np.int32)
    np.cumsum(counts, out=starts[1:])
    matrix = sparse.csr_matrix((values, grams, starts), shape=(len(texts), len(inputs.known)), copy=False)
    matrix.has_sorted_indices = False  # by block, and within it
    return CountedTexts(inputs=inputs, frequency=frequency, matrix=matrix, unknown=unknown)


def _counted_parts(texts: Sequence[str], inputs: GramInputs, frequency: Floats) -> Iterator[list[Any]]:
    """Of a part of the texts after the other: values, n-grams, how many of them each text has, what is not known."""
    blocks = max(1, inputs.rules.blocks)
    for start in range(0, max(1, len(texts)), _AT_ONCE):
        part = texts[start : start + _AT_ONCE]
        found = look_up(part, inputs)
        values = _values(found, frequency, len(part), blocks)
        yield [values, found.grams.astype(np.int32), np.bincount(found.rows, minlength=len(part)), found.unknown]


def _taken(part: list[Any], place: int) -> Any:
    """One of a part's arrays, which is let go of there: joined, each is in memory once more, and no two at a time."""
    found, part[place] = part[place], None
    return found


def _values(found: FoundGrams, frequency: Floats, count: int, blocks: int) -> Floats:
    cells = found.rows * blocks + found.blocks
    own = frequency[found.grams]
    squares = np.bincount(cells, weights=np.square(own.astype(np.float64)), minlength=count * blocks)
    return np.asarray(own / np.sqrt(squares[cells]), dtype=np.float32)


def class_ratios(matrix: Any, labels: NDArray[np.int64], *, classes: int) -> Floats:
    """How much more of its texts than of the others' each class has each n-gram in, as logarithms, float32 [K, F].

    Source: Wang and Manning 2012, "Baselines and Bigrams", ACL P12-2018, section 2, one class against the others.
    """
    texts, grams = matrix.shape
    within = np.ones(classes * grams)
    for first in range(0, texts, _AT_ONCE):
        last = min(texts, first + _AT_ONCE)
        begin, end = int(matrix.indptr[first]), int(matrix.indptr[last])
        own = np.repeat(labels[first:last], np.diff(matrix.indptr[first : last + 1]))
        there = matrix.indices[begin:end][matrix.data[begin:end] != 0]
        cells = own[matrix.data[begin:end] != 0] * grams + there
        within += np.bincount(cells, minlength=classes * grams)
    within = within.reshape(classes, grams)
    beyond = within.sum(axis=0, keepdims=True) - within - (classes - 2)
    within /= within.sum(axis=1, keepdims=True)
    beyond /= beyond.sum(axis=1, keepdims=True)
    within /= beyond
    return np.log(within, out=within).astype(np.float32)
