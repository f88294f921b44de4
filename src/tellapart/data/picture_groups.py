"""Which pictures belong together, by copies and by the user's groups. In: entries, clusters. Out: groups. Next: survey.py."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Entry, Inspection
from tellapart.data.packed_entries import PackedEntries, column_of
from tellapart.data.packed_inspections import contents_of, readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Copies, or pictures of one group, that the user's own splits keep apart; `splits` in the order of `paths`."""

    paths: tuple[Path, ...]
    splits: tuple[str, ...]  # "" for not given


class PackedGroups(Sequence[str]):
    """The names of the groups of very many entries, made when they are asked for."""

    def __init__(self, numbers: NDArray[np.int64], names: NDArray[np.bytes_]) -> None:
        """`numbers` [N], of each entry its group among `names` [G]; -1 for none."""
        self._numbers, self._names = numbers.astype(np.int32), names

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        number = int(self._numbers[index])
        return "" if number < 0 else self._names[number].decode()

    def numbers(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers of the groups at the places, [n]."""
        found: NDArray[np.int64] = self._numbers[places].astype(np.int64)
        return found

    def __iter__(self) -> Iterator[str]:
        return (self[place] for place in range(len(self)))


def find_groups(
    entries: Sequence[Entry], inspections: Sequence[Inspection], cluster_of: Sequence[int]
) -> Sequence[str]:
    """Connected components of "copy of" and "in the same group", by entry, named by their smallest content hash; "" is unusable."""
    places = readable(inspections)
    labels = np.array(_joined(entries, cluster_of, places), dtype=np.int64)
    _, group_of = np.unique(labels[places], return_inverse=True)
    contents = contents_of(inspections, places)
    _, rank = np.unique(contents, return_inverse=True)
    order = np.lexsort((rank, group_of))
    first = np.flatnonzero(np.diff(group_of[order], prepend=-1))
    names = contents[order[first]]
    if isinstance(entries, PackedEntries):
        numbers = np.full(len(entries), -1, dtype=np.int64)
        numbers[places] = group_of
        return PackedGroups(numbers, names)
    found = [""] * len(entries)
    for place, group in zip(places.tolist(), group_of.tolist(), strict=True):
        found[place] = names[group].decode()
    return tuple(found)


def _joined(entries: Sequence[Entry], cluster_of: Sequence[int], places: NDArray[np.int64]) -> Sequence[int]:
    """The clusters [N], with those of one group as one."""
    parent: dict[int, int] = {}

    def root(number: int) -> int:
        while (above := parent.get(number, number)) != number:
            number = above
        return number

    first: dict[str, int] = {}
    groups = column_of(entries, "group")
    wanted = iter(places.tolist())
    place = next(wanted, -1)
    for index, group in enumerate(groups):
        if index != place:
            continue
        place = next(wanted, -1)
        if group:
            one, other = root(cluster_of[index]), root(first.setdefault(group, cluster_of[index]))
            if one != other:
                parent[one] = other
    return array("q", map(root, cluster_of)) if parent else cluster_of


def count_distinct(
    entries: Sequence[Entry], places: NDArray[np.int64], groups: Sequence[str], classes: Sequence[str]
) -> dict[str, int]:
    """Pictures of each class at the places, those of one group counted once."""
    number_of = {name: number for number, name in enumerate(classes)}
    group_of = (
        groups.numbers(places) if isinstance(groups, PackedGroups) else _numbers([groups[p] for p in places.tolist()])
    )
    pairs, targets = array("q"), column_of(entries, "target", places)
    for group, target in zip(group_of.tolist(), targets, strict=True):
        for name in target.classes:
            pairs.append(group * len(classes) + number_of[name])
    found = np.bincount(np.unique(np.frombuffer(pairs, dtype=np.int64)) % max(1, len(classes)), minlength=len(classes))
    return dict(zip(classes, found.tolist(), strict=False))


def _numbers(names: list[str]) -> NDArray[np.int64]:
    number_of: dict[str, int] = {}
    return np.array([number_of.setdefault(name, len(number_of)) for name in names], dtype=np.int64)


def find_leaks(entries: Sequence[Entry], groups: Sequence[str]) -> tuple[tuple[Leak, ...], tuple[int, ...]]:
    """Groups over several given splits, and the test entries among them."""
    if all(split is None for split in column_of(entries, "split")):
        return (), ()
    # What was added joins the split of its group. One picture alone is in one split.
    own = [
        group if group and not added else "" for group, added in zip(groups, column_of(entries, "added"), strict=True)
    ]
    often = Counter(own)
    members: defaultdict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(own):
        if group and often[group] > 1:
            members[group].append(index)
    leaks: list[Leak] = []
    leaked: list[int] = []
    for indices in members.values():
        # Where some splits were given, pictures without one are trained on.
        if len({entries[index].split or "train" for index in indices}) > 1:
            leaks.append(
                Leak(
                    paths=tuple(entries[index].path for index in indices),
                    splits=tuple(entries[index].split or "" for index in indices),
                )
            )
            leaked += [index for index in indices if entries[index].split == "test"]
    return tuple(leaks), tuple(sorted(leaked))
