"""Copies of one picture that are labelled differently. In: entries, clusters. Out: LabelConflicts. Next: reader.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.data.examples import Entry, Inspection
from tellapart.data.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelConflict:
    """Copies of one picture with different targets; `labels`, the targets' texts, in the order of `paths`."""

    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    exact: bool  # two pictures with the very same pixels have different labels


def label_conflicts(
    entries: Sequence[Entry],
    inspections: Sequence[Inspection],
    cluster_of: Sequence[int],
    *,
    disagree: Callable[[Iterable[Target]], bool],
) -> tuple[LabelConflict, ...]:
    """Of N entries, by the number of the cluster of each, [N]; `disagree` says whether targets cannot all be right."""
    conflicts = []
    for members in _of_several(cluster_of):  # one picture alone contradicts nothing
        if disagree(entries[index].target for index in members):
            targets_of: defaultdict[str, set[Target]] = defaultdict(set)
            for index in members:
                targets_of[inspections[index].content_hash].add(entries[index].target)
            conflicts.append(
                LabelConflict(
                    paths=tuple(entries[index].path for index in members),
                    labels=tuple(entries[index].target.text for index in members),
                    exact=any(disagree(targets) for targets in targets_of.values()),
                )
            )
    return tuple(conflicts)


def _of_several(cluster_of: Sequence[int]) -> list[list[int]]:
    """The indices of each number that two or more have, in the order in which the numbers come first."""
    often = np.bincount(np.asarray(cluster_of, dtype=np.int64), minlength=1)
    return clusters(cluster_of, (index for index, number in enumerate(cluster_of) if often[number] > 1))


def clusters(cluster_of: Sequence[int], indices: Iterable[int]) -> list[list[int]]:
    """The indices that have one number each, in the order in which the numbers come first."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for index in indices:
        found[cluster_of[index]].append(index)
    return list(found.values())
