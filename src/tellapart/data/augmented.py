"""Augmented copies: which pictures belong together, and which is the original. In: Scenes. Out: clusters. Next: survey.py.

People vary pictures first and split them later. Whoever tests on such a copy tests on what was trained.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tellapart.data.examples import Inspection

LEAST_SIDE = 64  # pixels; two strokes of 28 pixels are alike under some affine map, whoever wrote them
LONGEST_SHAPE = 4.0  # sides; of a longer strip too little is left once it is small

_LARGER = 1.1  # times as many pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """Contents (hashes) that show one scene, moved, turned, cropped, mirrored or recoloured."""

    pairs: tuple[tuple[str, str], ...]  # the one that looks more like the original first


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmented:
    """What the pairs come to; indices into the inspections."""

    clusters: tuple[tuple[int, ...], ...]  # the original first, then the others, rising
    copies: frozenset[int]  # all but the originals, and the exact and near copies of those
    joined: Sequence[int]  # for every index its cluster of copies of any kind


def comparable(width: int, height: int) -> bool:
    """Whether a picture of so many pixels has enough in it to tell a copy of it from a picture of the same kind."""
    return min(width, height) >= LEAST_SIDE and max(width, height) <= LONGEST_SHAPE * min(width, height)


def join(scenes: Scenes, inspections: Sequence[Inspection], cluster_of: Sequence[int]) -> Augmented:
    """Connected components of "shows the same scene as" and of the clusters of exact and near copies, `cluster_of`.

    Chains are followed: a copy may have more in common with another copy than with what both were made from. The original
    is the one that was taken for it in most pairs; of two of different size, that is the larger.
    """
    if not scenes.pairs:
        return Augmented(clusters=(), copies=frozenset(), joined=_like(cluster_of, cluster_of))
    first_of = _first_of(scenes, inspections)
    parent = {cluster_of[index]: cluster_of[index] for index in first_of.values()}

    def root(number: int) -> int:
        while parent.get(number, number) != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    wins: Counter[str] = Counter()
    for pair in scenes.pairs:
        likely, other = (first_of[content] for content in pair)
        parent[root(cluster_of[likely])] = root(cluster_of[other])
        if _area(inspections[other]) > _LARGER * _area(inspections[likely]):
            likely = other
        wins[inspections[likely].content_hash] += 1
    joined = _like(cluster_of, map(root, cluster_of))
    parts: defaultdict[int, set[int]] = defaultdict(set)
    for number in list(parent):
        parts[root(number)].add(number)
    together: defaultdict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(joined):
        if len(parts.get(number, ())) > 1:
            together[number].append(index)

    def rank(index: int) -> tuple[int, str]:
        return -wins[inspections[index].content_hash], inspections[index].content_hash

    clusters: list[tuple[int, ...]] = []
    copies: set[int] = set()
    for indices in together.values():
        original = min(indices, key=rank)
        clusters.append((original, *(index for index in indices if index != original)))
        copies.update(index for index in indices if cluster_of[index] != cluster_of[original])
    return Augmented(clusters=tuple(sorted(clusters)), copies=frozenset(copies), joined=joined)


def _first_of(scenes: Scenes, inspections: Sequence[Inspection]) -> dict[str, int]:
    """The first picture of each content that the pairs name."""
    first_of: dict[str, int] = {}
    named = {content for pair in scenes.pairs for content in pair}
    for index, inspection in enumerate(inspections):
        if not inspection.problem and inspection.content_hash in named:
            first_of.setdefault(inspection.content_hash, index)
    return first_of


def _like(given: Sequence[int], numbers: Iterable[int]) -> Sequence[int]:
    """Numbers, packed where those that were given are."""
    return array("q", numbers) if isinstance(given, array) else tuple(numbers)


def _area(inspection: Inspection) -> int:
    return inspection.width * inspection.height
