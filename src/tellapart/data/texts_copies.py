"""Copies of texts, exact and near, without comparing all with all. In: texts, inspections. Out: Copies. Next: texts_counts.py.

Near copies share most of their pieces of characters: MinHash (Broder 1997) with banded look-up finds who may, and their Jaccard
index decides.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.data.copies import Copies
from tellapart.data.examples import Inspection
from tellapart.data.packed_inspections import contents_of, readable
from tellapart.texts.cleaning import CleanTexts, in_parts

ALIKE = 0.8  # Jaccard index of the sets of pieces, from which two texts are near copies
_PIECE = 4  # characters
_LEAST = 12  # characters; of shorter texts a changed word leaves too little to tell a copy
_PERMUTATIONS, _BANDS = 48, 12  # bands of four: 0.8 is found with 0.998, 0.5 with 0.54
_BUCKET, _NEIGHBOURS = 50, 3  # texts that share a band; of more each is compared with the next few only
_SALT = np.uint64(0x9E3779B97F4A7C15)


def find_text_copies(texts: Sequence[str], inspections: Sequence[Inspection]) -> Copies:
    """Cluster copies; those of one content are exact. The work grows with the length of all texts."""
    places = readable(inspections)
    contents, rank = np.unique(contents_of(inspections, places), return_inverse=True)
    order = np.argsort(rank, kind="stable")
    ends = np.cumsum(np.bincount(rank, minlength=len(contents)))
    members = places[order]  # content by content, rising within each
    starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    pairs = near_pairs(CleanTexts(texts, array("q", members[starts].tobytes())))
    stars = _stars(len(contents), pairs)

    def of_content(row: int) -> list[int]:
        found: list[int] = members[starts[row] : ends[row]].tolist()
        return found

    near = [sorted(index for row in star for index in of_content(row)) for star in stars]
    exact = [of_content(row) for row in np.flatnonzero(ends - starts > 1).tolist()]
    return Copies(
        exact=tuple(tuple(cluster) for cluster in sorted(exact)),
        near=tuple(tuple(cluster) for cluster in sorted(near)),
        cluster_of=_cluster_of(len(inspections), [*near, *exact]),
    )


def _cluster_of(count: int, clusters: Iterable[Sequence[int]]) -> Sequence[int]:
    """Of each of `count` texts the number of its cluster, [N], by first members; clusters may be parts of others before them."""
    first = np.arange(count)
    for cluster in clusters:
        first[list(cluster)] = np.minimum(first[list(cluster)], min(cluster))
    _, numbers = np.unique(first, return_inverse=True)
    return array("q", numbers.tobytes())


def near_pairs(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of different texts, cleaned, whose sets of pieces have a Jaccard index of ALIKE or more."""
    rows = [row for row, text in enumerate(texts) if len(text) >= _LEAST]
    keys = np.empty((len(rows), _BANDS), dtype=np.uint64)
    done = 0
    for part in in_parts(texts[row] for row in rows) if rows else ():
        keys[done : done + len(part)] = _band_keys(_signatures(part))
        done += len(part)
    found: set[tuple[int, int]] = set()
    tried: set[tuple[int, int]] = set()
    for one, other in _candidates(keys):
        pair = rows[one], rows[other]
        if pair not in tried:
            tried.add(pair)
            if jaccard(pieces_of(texts[pair[0]]), pieces_of(texts[pair[1]])) >= ALIKE:
                found.add(pair)
    return sorted(found)


def pieces_of(text: str) -> NDArray[np.uint64]:
    """The different runs of four characters, as sorted 64-bit numbers."""
    return np.unique(_runs(text))


def _runs(text: str) -> NDArray[np.uint64]:
    """All of them, as they come; of less than four characters these."""
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    if len(codes) < _PIECE:
        return codes
    number = np.zeros(len(codes) - _PIECE + 1, dtype=np.uint64)
    for place in range(_PIECE):
        number = number * _SALT + codes[place : place + len(number)]
    return np.asarray(number ^ (number >> np.uint64(29)))


def jaccard(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> float:
    """How many elements two sorted sets share, as a share of all."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / max(1, len(one) + len(other) - shared)


def _signatures(texts: Sequence[str]) -> NDArray[np.uint32]:
    """The least of each of the permutations of the pieces of n texts of _LEAST letters or more, [n, _PERMUTATIONS]."""
    lengths = np.array([len(text) for text in texts])
    ends = np.cumsum(lengths)
    within = np.ones(ends[-1], dtype=np.bool_)
    for place in range(1, _PIECE):
        within[ends - place] = False  # where the last three letters begin no piece
    every = _runs("".join(texts))[within[: 1 - _PIECE]]
    starts = np.concatenate([[0], np.cumsum(lengths - _PIECE + 1)[:-1]])
    found = np.empty((len(texts), _PERMUTATIONS), dtype=np.uint32)
    chance = np.random.default_rng(0)
    for number, (factor, added) in enumerate(chance.integers(1, 2**63, (_PERMUTATIONS, 2), dtype=np.uint64)):
        # Multiply, shift: the upper half of an odd multiple (Dietzfelbinger and others 1997).
        moved = (every * (factor | np.uint64(1)) + added) >> np.uint64(32)
        found[:, number] = np.minimum.reduceat(moved, starts)
    return found


def _band_keys(signatures: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """A number for each band of each signature, [n, _BANDS]: alike where all of the band is."""
    bands = signatures.reshape(len(signatures), _BANDS, -1)
    keys = np.zeros((len(signatures), _BANDS), dtype=np.uint64)
    for place in range(bands.shape[2]):
        keys = (keys ^ bands[:, :, place]) * _SALT
        keys ^= keys >> np.uint64(29)
    return keys


def _candidates(every: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Pairs of rows that share a key of a band, [n, _BANDS]; the smaller first."""
    for keys in every.T:
        order = np.argsort(keys, kind="stable")
        borders = np.flatnonzero(np.diff(keys[order])) + 1
        starts, ends = np.concatenate([[0], borders]), np.concatenate([borders, [len(order)]])
        several = ends - starts > 1
        for start, end in zip(starts[several].tolist(), ends[several].tolist(), strict=True):
            members = order[start:end].tolist()
            reach = len(members) if len(members) <= _BUCKET else _NEIGHBOURS
            for place, one in enumerate(members):
                yield from ((one, other) for other in members[place + 1 : place + 1 + reach])


def _stars(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Clusters of rows around those with the most copies; chains are not followed."""
    neighbours: defaultdict[int, set[int]] = defaultdict(set)
    for one, other in pairs:
        neighbours[one].add(other)
        neighbours[other].add(one)
    taken: set[int] = set()
    found = []
    for row in sorted(neighbours, key=lambda row: (-len(neighbours[row]), row)):
        members = {row, *(neighbours[row] - taken)} if row not in taken else set()
        if len(members) > 1:
            taken |= members
            found.append(sorted(members))
    return found
