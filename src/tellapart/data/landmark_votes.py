"""Which pictures share landmarks, without comparing all with all. In: Landmarks. Out: Candidates. Next: same_scene.py.

Landmarks that look alike fall into the same cells of a coarse grid in the space of descriptions; only those of a cell are
compared. Each gives a vote to the pair of pictures, a part of one where it looks like many; votes of one pair count
together only where they agree on by how much the picture was turned.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.agreeing import Alike, agreeing_votes
from tellapart.data.describing import differing, mirrored
from tellapart.data.landmarks import BITS, RELIEF, SIDE, Landmarks
from tellapart.threads import in_order

_Rows = NDArray[np.int64]
_Matches = tuple[_Rows, _Rows, _Rows]  # landmarks that ask, that answer, 1 where one of them is mirrored

_DIMENSIONS = 64
_EVEN = 32  # of them, the same for a mirror image; they decide about the cell
_CELL = 400  # landmarks
_MOST_IN_CELL = 4000  # that answer; what so many look like tells little
_MOST_CELLS = 4096
_SAMPLE = 2048
_MOST_BITS = 56  # of 256 that may differ
_REACH = 150.0  # squared distance in _DIMENSIONS of what differs in as many bits, mostly
_MOST_CLOSE = 5  # answers of a cell to each landmark that asks
_MOST_ANSWERS = 6  # to each in all, the nearest
_HALF_AS_LIKELY = 4.0  # bits more that differ, and an answer gets half of the share
_MOST_CANDIDATES = 10  # of a picture
_MOST_PAIRS = 3  # in all, for each picture
_BLOCK = 2048
_GRAIN = 16.0  # int8 steps to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Effort:
    """How hard to look, and what must come of it."""

    asking: int  # one in so many landmarks asks
    probes: int  # cells that are looked into for each of them
    least_votes: float  # for the best pair of a picture
    enough_votes: float  # for any other


_QUICK = _Effort(asking=2, probes=3, least_votes=1.25, enough_votes=2.0)
_THOROUGH = _Effort(asking=1, probes=2, least_votes=1.5, enough_votes=2.5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Pairs of pictures that share landmarks, each once."""

    pairs: _Rows  # [P, 2], rows of the pictures, the lower first
    mirrored: NDArray[np.bool_]  # [P] one of the two is a mirror image
    votes: NDArray[np.float64]  # [P]


def find_candidates(pictures: Sequence[Landmarks], *, thorough: bool = False, workers: int = 1) -> Candidates:
    """The pictures that each of N has most landmarks in common with: at most 10, and three times N in all. On `workers` threads.

    `thorough` is for things that are taken alike, whose landmarks look like many: every one asks, for half as much time again.

    Work and memory grow with N until there are 4,096 cells (11,000 pictures), from there on with N squared / 11,000.
    """
    effort = _THOROUGH if thorough else _QUICK
    counts = np.array([len(picture.descriptors) for picture in pictures], dtype=np.int64)
    if counts.sum() == 0:
        return _best(np.zeros(0, dtype=np.int64), np.zeros(0), len(pictures), effort)
    owner = np.repeat(np.arange(len(pictures)), counts)
    (asking, answering, mirror), share = _shares(pictures, owner, effort, workers)
    lower = owner[asking] < owner[answering]
    first, second = np.where(lower, asking, answering), np.where(lower, answering, asking)
    code = (owner[first] * len(pictures) + owner[second]) * 2 + mirror
    found, pair = np.unique(code, return_inverse=True)
    # Most pairs have one vote, of which nothing can come.
    some = np.bincount(pair, share, minlength=len(found)) >= effort.least_votes
    kept = some[pair]
    found, pair = found[some], (np.cumsum(some) - 1)[pair[kept]]
    alike = _alike(pictures, counts, first[kept], second[kept], mirror[kept] > 0, pair, share[kept])
    return _best(found, agreeing_votes(alike, len(found)), len(pictures), effort)


def _alike(
    pictures: Sequence[Landmarks],
    counts: _Rows,
    first: _Rows,
    second: _Rows,
    mirrored: NDArray[np.bool_],
    pair: _Rows,
    share: NDArray[np.float64],
) -> Alike:
    """Where those landmarks lie; where mirrored, it is the mirror image of the lower picture that lies on the higher one."""
    angles = np.concatenate([picture.angles for picture in pictures]).astype(np.int64)
    middles = [(picture.width / 2, picture.relief.shape[0] * SIDE / RELIEF / 2) for picture in pictures]
    points = np.concatenate([picture.points for picture in pictures]).astype(np.float32)
    points -= np.repeat(np.array(middles, dtype=np.float32), counts, axis=0)
    shown = points[first] * np.where(mirrored[:, None], np.array([-1, 1]), 1).astype(np.float32)
    turned = angles[second] - np.where(mirrored, 128 - angles[first], angles[first])
    return Alike(pair=pair, first=shown, second=points[second], turned=turned % 256, share=share)


def _best(found: _Rows, votes: NDArray[np.float64], number: int, effort: _Effort) -> Candidates:
    """Of each pair the better of plain and mirrored; then of each picture the best pairs. `found` rises."""
    found, votes = found[votes >= effort.least_votes], votes[votes >= effort.least_votes]
    pair = found // 2
    order = np.lexsort((-votes, pair))
    order = order[np.r_[True, np.diff(pair[order]) > 0]] if len(order) else order
    found, votes, pair = found[order], votes[order], pair[order]
    pairs = np.stack([pair // number, pair % number], axis=1)
    most_votes = np.zeros(number)
    for rows in pairs.T:
        np.maximum.at(most_votes, rows, votes)
    worth = (votes >= effort.enough_votes) | (votes >= most_votes[pairs].min(axis=1))
    found, votes, pairs = found[worth], votes[worth], pairs[worth]
    chosen = np.zeros(len(pairs), dtype=np.bool_)
    for rows in pairs.T:
        order = np.lexsort((-votes, rows))
        ordered = rows[order]
        chosen[order] |= np.arange(len(rows)) - np.searchsorted(ordered, ordered) < _MOST_CANDIDATES
    most = _MOST_PAIRS * number
    chosen = np.sort(np.flatnonzero(chosen)[np.argsort(-votes[chosen], kind="stable")[:most]])
    return Candidates(pairs=pairs[chosen], mirrored=(found[chosen] % 2).astype(np.bool_), votes=votes[chosen])


def _shares(
    pictures: Sequence[Landmarks], owner: _Rows, effort: _Effort, workers: int
) -> tuple[_Matches, NDArray[np.float64]]:
    """Landmarks that ask and what looks like them in other pictures, and which part of a vote each of those gets."""
    # Where not every one asks: what A does not ask of B, B asks of A.
    found = list(_matches(np.concatenate([picture.descriptors for picture in pictures]), effort, workers))
    asking, answering, least, mirror = (np.concatenate(column) for column in zip(*found, strict=True))
    other = owner[asking] != owner[answering]
    asking, answering, least, mirror = asking[other], answering[other], least[other], mirror[other]
    # One number each, as to sort numbers is ten times as quick as to sort by three columns.
    codes = np.sort(((asking * (BITS + 1) + least) * len(owner) + answering) * 2 + mirror)
    asking = codes // (2 * len(owner) * (BITS + 1))
    nearest = np.arange(len(codes)) - np.searchsorted(asking, asking) < _MOST_ANSWERS
    asking, codes = asking[nearest], codes[nearest]
    least = codes // (2 * len(owner)) % (BITS + 1)
    share = np.exp2(-least / _HALF_AS_LIKELY)
    share /= np.bincount(asking, share, minlength=len(owner))[asking]
    return (asking, codes // 2 % len(owner), codes % 2), share


def _matches(bits: NDArray[np.uint8], effort: _Effort, workers: int) -> Iterator[tuple[_Rows, _Rows, _Rows, _Rows]]:
    """Descriptions [n, 32] that ask, that answer, bits in which they differ, and whether one of the two is mirrored for that."""
    swapped = mirrored(bits)
    asking = np.arange(0, len(bits), effort.asking)
    points, centres = _project(bits)
    cell = np.concatenate([part[:, 0] for part in _nearest(points, centres, 1, workers)])
    members = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[members], np.arange(len(centres) + 1))
    probes = np.concatenate(list(_nearest(points[asking], centres, min(effort.probes, len(centres)), workers)))
    who = np.argsort(probes.ravel(), kind="stable")
    begins = np.searchsorted(probes.ravel()[who], np.arange(len(centres) + 1))
    who = asking[who // probes.shape[1]]

    def look(number: int) -> tuple[_Rows, _Rows, _Rows, _Rows]:
        inside, askers = members[starts[number] : starts[number + 1]], who[begins[number] : begins[number + 1]]
        inside = inside[:: -(-len(inside) // _MOST_IN_CELL) or 1]
        first, second = _close(points[askers], points[inside])
        first, second = askers[first], inside[second]
        answers = bits[second]
        plain, turned = differing(bits[first], answers), differing(swapped[first], answers)
        least = np.minimum(plain, turned)
        near = least <= _MOST_BITS
        return first[near], second[near], least[near], (turned < plain)[near].astype(np.int64)

    busy = [cell for cell in range(len(centres)) if starts[cell] < starts[cell + 1] and begins[cell] < begins[cell + 1]]
    with contextlib.closing(in_order(busy, look, workers=workers, name="cells")) as found:
        yield from found


def _close(asking: NDArray[np.int8], inside: NDArray[np.int8]) -> tuple[_Rows, _Rows]:
    """Places of both that lie within reach of each other, or of each other's mirror image."""
    first, second = asking.astype(np.float32), inside.astype(np.float32)
    # |a - b|² <= reach, with everything about b on one side of the product and everything about a on the other: >= 0.
    least = (np.einsum("nd,nd->n", first, first) - _REACH * _GRAIN**2) / 2
    half = np.einsum("nd,nd->n", second, second) / 2
    ones = np.ones(max(len(first), len(second)), dtype=np.float32)
    products = first[:, _EVEN:] @ second[:, _EVEN:].T
    np.abs(products, out=products)  # the mirror image of b has the other sign there
    left = np.column_stack((first[:, :_EVEN], ones[: len(first)], -least))
    products += left @ np.column_stack((second[:, :_EVEN], -half, ones[: len(second)])).T
    near = products >= 0
    if np.count_nonzero(near) <= _MOST_CLOSE * len(first):
        places = np.flatnonzero(near)
        return places // len(second), places % len(second)
    best = _largest(products, min(_MOST_CLOSE, len(second)))
    rows, columns = np.nonzero(np.take_along_axis(near, best, axis=1))
    return rows, best[rows, columns]


def _project(bits: NDArray[np.uint8]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Descriptions as points int8 [n, D] in the main directions of a sample, and which of them are the centres of cells.

    A mirror image has the same halves in the other order: their sum (the first _EVEN directions, by which cells are told) does not
    know of it, their difference changes its sign.
    """
    order = np.random.default_rng(0).permutation(len(bits))
    even, odd = _sum_and_difference(bits[order[:_SAMPLE]])
    mean = even.mean(axis=0)
    main = _main_directions(even - mean, _EVEN), _main_directions(odd, _DIMENSIONS - _EVEN)
    points = np.empty((len(bits), _DIMENSIONS), dtype=np.int8)
    for start in range(0, len(bits), _BLOCK):
        even, odd = _sum_and_difference(bits[start : start + _BLOCK])
        part = np.concatenate(((even - mean) @ main[0], odd @ main[1]), axis=1)
        points[start : start + _BLOCK] = np.clip(np.rint(part * np.float32(_GRAIN)), -127, 127)
    return points, points[order[: max(1, min(_MOST_CELLS, len(bits) // _CELL))]]


def _sum_and_difference(bits: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of the halves of descriptions [n, 128], so long that the squared distance is 4 times the bits."""
    first, second = np.split(np.unpackbits(bits, axis=1).astype(np.float32) * np.float32(np.sqrt(2.0)), 2, axis=1)
    return first + second, first - second


def _main_directions(values: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.linalg.eigh(values.T @ values)[1][:, -number:])


def _nearest(points: NDArray[np.int8], centres: NDArray[np.int8], number: int, workers: int) -> Iterator[_Rows]:
    """The `number` nearest centres of each point, block by block [b, number]."""
    where = centres[:, :_EVEN].astype(np.float32)
    half = np.einsum("nd,nd->n", where, where) / 2

    def look(start: int) -> _Rows:
        return _largest(points[start : start + _BLOCK, :_EVEN].astype(np.float32) @ where.T - half, number)

    with contextlib.closing(in_order(range(0, len(points), _BLOCK), look, workers=workers, name="cells")) as found:
        yield from found


def _largest(values: NDArray[np.float32], number: int) -> _Rows:
    """The places of the largest values of each row [n, number]; `values` is spoilt. Ten times as quick as argpartition."""
    places = np.empty((len(values), number), dtype=np.int64)
    rows = np.arange(len(values))
    for column in range(number):
        places[:, column] = values.argmax(axis=1)
        values[rows, places[:, column]] = -np.inf
    return places
