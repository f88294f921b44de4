"""Which n-grams a model of texts knows; texts as sparse rows of them. In: texts, Rules. Out: CountedTexts. Next: ngram_probe.py.

A feature is whether an n-gram is in a text, times its inverse document frequency; each block (words, characters) of a text has
length 1, so that neither outweighs the other. Shapes: N texts, F n-grams, B blocks, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.texts.ngrams import Numbers, Rules, find_grams
from tellapart.texts.vocabulary import FoundGrams, GramInputs, look_up

MOST_GRAMS = 400_000  # the most frequent ones of all that are in two texts or more
_AT_ONCE = 20_000  # texts whose n-grams are in memory together
_SINGLE = 2  # texts that must have an n-gram for the model to know it

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CountedTexts:
    """Texts as rows of known n-grams."""

    inputs: GramInputs
    frequency: Floats  # [F], inverse document frequency: ln((1 + N) / (1 + texts with it)) + 1
    matrix: Any  # SciPy's CSR, float32 [N, F]; what of each text is known, every block of length 1
    unknown: NDArray[np.float64]  # [N], the share of n-grams that the model does not know


def learn_grams(texts: Sequence[str], rules: Rules, *, most: int = MOST_GRAMS) -> tuple[GramInputs, Floats]:
    """The n-grams to know of N cleaned texts, and the inverse document frequency of each, float32 [F]."""
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
        if len(known) > 8 * most:  # what is rare so far is let go, as in lossy counting
            kept = counts > 1
            known, counts = known[kept], counts[kept]
    chosen = np.flatnonzero(counts >= min(_SINGLE, len(texts)))
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

    blocks = max(1, inputs.rules.blocks)
    matrices, unknown = [], []
    for start in range(0, len(texts), _AT_ONCE):
        part = texts[start : start + _AT_ONCE]
        found = look_up(part, inputs)
        values = _values(found, frequency, len(part), blocks)
        starts = np.concatenate([[0], np.cumsum(np.bincount(found.rows, minlength=len(part)))])
        shape = (len(part), len(inputs.known))
        matrices.append(sparse.csr_matrix((values, found.grams.astype(np.int32), starts.astype(np.int64)), shape=shape))
        unknown.append(found.unknown)
    return CountedTexts(
        inputs=inputs,
        frequency=frequency,
        matrix=sparse.vstack(matrices, format="csr"),
        unknown=np.concatenate(unknown),
    )


def _values(found: FoundGrams, frequency: Floats, count: int, blocks: int) -> Floats:
    cells = found.rows * blocks + found.blocks
    own = frequency[found.grams]
    squares = np.bincount(cells, weights=np.square(own.astype(np.float64)), minlength=count * blocks)
    return np.asarray(own / np.sqrt(squares[cells]), dtype=np.float32)


def class_ratios(matrix: Any, labels: NDArray[np.int64], *, classes: int) -> Floats:
    """How much more of its texts than of the others' each class has each n-gram in, as logarithms, float32 [K, F].

    Source: Wang and Manning 2012, "Baselines and Bigrams", ACL P12-2018, section 2, one class against the others.
    """
    from scipy import sparse

    there = matrix.copy()
    there.data = np.ones_like(there.data)
    members = sparse.csr_matrix(
        (np.ones(len(labels), dtype=np.float32), (labels, np.arange(len(labels)))), shape=(classes, len(labels))
    )
    within = np.asarray((members @ there).todense(), dtype=np.float64) + 1
    beyond = within.sum(axis=0, keepdims=True) - within - (classes - 2)
    within /= within.sum(axis=1, keepdims=True)
    beyond /= beyond.sum(axis=1, keepdims=True)
    return np.asarray(np.log(within / beyond), dtype=np.float32)
