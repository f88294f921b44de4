"""Find copies of pictures without comparing all with all. In: Sequence[Inspection]. Out: Copies. Next: survey.py.

Exact copies have the same decoded pixels. Near-copies have perceptual hashes that differ in a few bits, which sorting
by parts of the hash finds, and thumbnails that show one picture, which `likeness` decides. Where many pictures share
most bits (cells of one module, frames of one camera) those bits tell nothing, and the crowd gets a hash of its own.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Inspection
from tellapart.data.likeness import (
    Likeness,
    Pairs,
    measure_likeness,
    normalise,
    project,
    same_picture,
    within_reach,
)
from tellapart.data.packed_inspections import (
    PackedInspections,
    contents_of,
    perceptual_hashes_of,
    readable,
    thumbnails_of,
)
from tellapart.data.thumbnails import Stack, part_of

_Keys = NDArray[np.uint64]
_Rows = NDArray[np.int64]
_Found = tuple[Pairs, NDArray[np.float32]]  # with the distance of each pair, in tolerances

_BANDS = 8  # of 8 bits; two equal bands are asked for, so that up to 6 differing bits are always found
_MOST_BITS = 10  # of 64 that may differ between copies; measured: at most 8 but for large crops
_CROWD = 64  # pictures with two equal bands; more make the work quadratic
_LEADERS = 32
_SURELY = 0.5  # tolerances; so near to a leader a picture needs no other partner
_DEEPEST = 3
_WINDOW = 16
_WINDOW_WAVES = 4
_TRIALS = 3  # for each picture on either side of a pair, at 30 microseconds
_QUICK_TRIALS = 8  # the same where the thumbnails need no alignment, at 10 microseconds

_BIT_COUNTS = np.array([value.bit_count() for value in range(256)], dtype=np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """Clusters of copies; indices into the inspections, rising within a cluster and by first index."""

    exact: tuple[tuple[int, ...], ...]  # of equal content_hash, two or more
    near: tuple[tuple[int, ...], ...]  # of two or more content hashes, with the exact copies of each
    cluster_of: Sequence[int]  # for every index its cluster, exact or near; unreadable pictures are alone


def find_copies(inspections: Sequence[Inspection]) -> Copies:
    """Cluster copies. Every member of a near cluster was compared with the cluster's central picture.

    The work grows with n log n; 60,000 pictures take seconds. The result depends only on the contents.
    """
    places = readable(inspections)
    # By content, so that file names decide nothing.
    contents, first, content_of = np.unique(contents_of(inspections, places), return_index=True, return_inverse=True)
    shown = places[first]
    stars = _near_clusters(thumbnails_of(inspections, shown), perceptual_hashes_of(inspections, shown))
    star_of = np.full(len(contents), -1, dtype=np.int64)
    for number, star in enumerate(stars):
        star_of[star] = number
    in_star = star_of[content_of]
    cluster_of = np.arange(len(inspections)) + len(contents) + len(stars)  # whoever is unreadable is alone
    cluster_of[places] = np.where(in_star >= 0, in_star, content_of + len(stars))
    numbers = _numbered(cluster_of)
    return Copies(
        exact=_members(content_of, places),
        near=_members(in_star, places),
        cluster_of=array("q", numbers.tobytes()) if isinstance(inspections, PackedInspections) else numbers.tolist(),
    )


def _members(numbers: _Rows, places: _Rows) -> tuple[tuple[int, ...], ...]:
    """The places [n] that share each of the `numbers` [n], two or more, by the first place; below 0 is no number."""
    counted = np.flatnonzero(np.bincount(numbers + 1, minlength=1)[numbers + 1] > 1) if len(numbers) else numbers
    chosen = counted[numbers[counted] >= 0]
    found: defaultdict[int, list[int]] = defaultdict(list)
    for number, place in zip(numbers[chosen].tolist(), places[chosen].tolist(), strict=True):
        found[number].append(place)
    return tuple(sorted(map(tuple, found.values())))


def _numbered(labels: _Rows) -> _Rows:
    """The same numbers [N] counted from 0 in the order in which they first come."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    found: _Rows = rank[inverse]
    return found


def _near_clusters(thumbnails: Stack, keys: _Keys) -> list[list[int]]:
    likeness = measure_likeness(thumbnails)
    rows = np.flatnonzero(likeness.tolerance > 0)  # the others are too plain to be told apart
    found = list(_candidates(likeness, rows, keys[rows], depth=0))
    if not found:
        return []
    pairs = np.concatenate([pairs for pairs, _ in found])
    distances = np.concatenate([distances for _, distances in found])
    pairs = np.unique(np.sort(pairs[_nearest(pairs, distances)], axis=1), axis=0)
    return _stars(likeness, pairs[same_picture(likeness, pairs)])


def _nearest(pairs: Pairs, distances: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether a pair is among the nearest of one of its two pictures, [P]."""
    wanted = np.where(distances <= 1.0, _QUICK_TRIALS, _TRIALS)
    chosen = np.zeros(len(pairs), dtype=np.bool_)
    for rows in pairs.T:
        order = np.lexsort((distances, rows))
        ordered = rows[order]
        rank = np.arange(len(rows)) - np.searchsorted(ordered, ordered)
        chosen[order] |= rank < wanted[order]
    return chosen


def _stars(likeness: Likeness, pairs: Pairs) -> list[list[int]]:
    """Clusters of rows around the pictures with the most copies.

    Chains are not followed: with a -> b -> c -> ... pictures drift apart until first and last have nothing in common.
    """
    neighbours: defaultdict[int, set[int]] = defaultdict(set)
    for left, right in pairs.tolist():
        neighbours[left].add(right)
        neighbours[right].add(left)
    centre_of: dict[int, int] = {}
    for row in sorted(neighbours, key=lambda row: (-len(neighbours[row]), row)):
        if row in centre_of:
            continue
        # Not every pair was tried, so it may be a copy of the centre that its copies have gone to.
        joined = _same_as(likeness, row, {centre_of[copy] for copy in neighbours[row] if copy in centre_of})
        if joined:
            centre_of[row] = min(joined)
            continue
        members = {copy for copy in neighbours[row] if copy not in centre_of}
        if members:
            centre_of |= dict.fromkeys((row, *members), row)
    clusters: defaultdict[int, list[int]] = defaultdict(list)
    for row, centre in centre_of.items():
        clusters[centre].append(row)
    return list(clusters.values())


def _same_as(likeness: Likeness, row: int, others: set[int]) -> list[int]:
    ordered = sorted(others)
    pairs = np.array([[row, other] for other in ordered], dtype=np.int64).reshape(-1, 2)
    return [other for other, same in zip(ordered, same_picture(likeness, pairs), strict=True) if same]


def _candidates(likeness: Likeness, rows: _Rows, keys: _Keys, *, depth: int) -> Iterator[_Found]:
    """Pairs of rows that may be copies, with the distance of their sketches; a pair may come twice."""
    crowded = np.zeros(len(rows), dtype=np.bool_)
    for pairs in _pairs_of_similar_keys(keys, crowded):
        yield _near(likeness, rows[pairs])
    crowd = rows[crowded]
    if depth == _DEEPEST:
        yield from _window_pairs(likeness, crowd)
    elif crowded.any():
        led = _pairs_with_leaders(likeness, crowd)
        yield _near(likeness, led)
        rest = crowd[~np.isin(crowd, led[:, 1])]
        yield from _candidates(likeness, rest, _local_keys(likeness, rest), depth=depth + 1)


def _near(likeness: Likeness, pairs: Pairs) -> _Found:
    distances = within_reach(likeness, pairs)
    near = np.isfinite(distances)
    return pairs[near], distances[near]


def _pairs_of_similar_keys(keys: _Keys, crowded: NDArray[np.bool_]) -> Iterator[Pairs]:
    """Pairs of positions whose keys differ in few bits, each once; marks in `crowded` who stands in a crowd."""
    bands = keys.view(np.uint8).reshape(-1, _BANDS).astype(np.uint16)
    for first, second in combinations(range(_BANDS), 2):
        code = bands[:, first] << 8 | bands[:, second]
        order = np.argsort(code, kind="stable")
        code, ordered = code[order], keys[order]
        counts = np.bincount(code, minlength=1 << 16)[code]
        crowded[order[counts > _CROWD]] = True
        active = np.flatnonzero((counts > 1) & (counts <= _CROWD))
        # A pair that agrees in further bands was already met under the first two of them.
        earlier = [band for band in range(second) if band != first]
        for offset in range(1, _CROWD):
            active = active[active + offset < len(code)]
            active = active[code[active] == code[active + offset]]
            if not len(active):
                break
            # Of a million pictures these are 200 million pairs, nearly all of which differ in too many bits.
            differing = ordered[active] ^ ordered[active + offset]
            few = np.flatnonzero(_bit_counts(differing) <= _MOST_BITS)
            parts = differing[few].view(np.uint8).reshape(-1, _BANDS)
            left = active[few[(parts[:, earlier] != 0).all(axis=1)]]
            yield np.stack([order[left], order[left + offset]], axis=1)


def _bit_counts(keys: _Keys) -> NDArray[np.uint8]:
    """How many bits of each are set, [n]."""
    count: Callable[[_Keys], NDArray[np.uint8]] | None = getattr(np, "bitwise_count", None)  # from NumPy 2 on
    return _BIT_COUNTS[keys.view(np.uint8).reshape(-1, 8)].sum(axis=1, dtype=np.uint8) if count is None else count(keys)


def _pairs_with_leaders(likeness: Likeness, crowd: _Rows) -> Pairs:
    """(leader, member) for those of a crowd that surely are copies of one of a few of its members."""
    leaders = crowd[:: max(1, len(crowd) // _LEADERS)][:_LEADERS]
    products = project(part_of(likeness.thumbnails, crowd), normalise(likeness.thumbnails[leaders]))
    distances = np.sqrt(np.maximum(0.0, 2.0 - 2.0 * products))
    allowed = _SURELY * np.minimum(likeness.tolerance[crowd][:, None], likeness.tolerance[leaders])
    free = np.ones(len(crowd), dtype=np.bool_)
    pairs = []
    for column, leader in enumerate(leaders.tolist()):
        if free[crowd == leader][0]:
            members = free & (distances[:, column] <= allowed[:, column]) & (crowd != leader)
            free &= ~members
            pairs.append(np.stack([np.full(members.sum(), leader), crowd[members]], axis=1))
    return np.concatenate(pairs)


def _local_keys(likeness: Likeness, rows: _Rows) -> _Keys:
    """Perceptual hashes once more, with bits that are balanced among these pictures: each wave against its median."""
    waves = likeness.sketches[rows, :64]
    bits = waves > np.median(waves, axis=0)
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def _window_pairs(likeness: Likeness, crowd: _Rows) -> Iterator[_Found]:
    """What no hash separates is compared with its neighbours in the order of a few waves."""
    for wave in range(_WINDOW_WAVES):
        ordered = crowd[np.argsort(likeness.sketches[crowd, wave], kind="stable")]
        for offset in range(1, min(_WINDOW + 1, len(ordered))):
            yield _near(likeness, np.stack([ordered[:-offset], ordered[offset:]], axis=1))
