"""Split pictures with masks into train, validation and test. In: targets, hashes, groups. Out: list[Split]. Next: dataset.py.

First by the classes that occur, as sets of classes are split; then groups that show the same classes change places as long as that
brings the area of each class nearer to its share. So a split keeps its number of pictures and what they show.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Split
from tellapart.data.folds import NEVER, assign_folds
from tellapart.data.mask_targets import MaskFile
from tellapart.data.split import FRACTIONS
from tellapart.data.stratify import assign_label_sets
from tellapart.data.targets import Target

_ROUNDS = 24  # in which each group may change places once
_MOST_TRIED = 200_000  # pairs in all


@dataclass(slots=True)
class _Movable:
    """A group that may change places."""

    rank: str  # by which it is ordered, whatever its pictures are called
    indices: list[int]
    areas: NDArray[np.float64]  # [K] of each class in its pictures, each picture 1 in all
    split: str  # or fold


def assign_masks(
    *,
    targets: Sequence[Target],
    content_hashes: Sequence[str],
    groups: Sequence[str],
    given: Sequence[Split | None],
    seed: int,
    fractions: tuple[float, float, float] = FRACTIONS,
    added: Sequence[bool] = (),
    tested: bool = True,
) -> list[Split]:
    """Every picture's split, as `stratify.assign_label_sets` gives it to sets of classes, evened out by area.

    An area counts as a share of its picture, so that a large picture counts no more than a small one.
    Raises: DataError where nothing is left to carve from, or a class has too few groups; SettingsError for fractions.
    """
    result = assign_label_sets(
        targets=targets,
        content_hashes=content_hashes,
        groups=groups,
        given=given,
        seed=seed,
        fractions=fractions,
        added=added,
        tested=tested,
    )
    fixed = [given[index] not in (None, "train") or bool(added and added[index]) for index in range(len(targets))]
    return cast("list[Split]", _evened(targets, content_hashes, groups, fixed, result, seed))


def fold_masks(
    *,
    targets: Sequence[Target],
    content_hashes: Sequence[str],
    groups: Sequence[str],
    seed: int,
    count: int,
    added: Sequence[bool],
) -> list[int]:
    """Every picture's fold, as `folds.assign_folds` gives it to sets of classes, evened out by area. Raises: DataError."""
    folds = assign_folds(
        targets=targets, content_hashes=content_hashes, groups=groups, seed=seed, count=count, added=added
    )
    fixed = [fold == NEVER for fold in folds]
    return [int(fold) for fold in _evened(targets, content_hashes, groups, fixed, [str(fold) for fold in folds], seed)]


def _evened(
    targets: Sequence[Target],
    content_hashes: Sequence[str],
    groups: Sequence[str],
    fixed: Sequence[bool],
    chosen: Sequence[str],
    seed: int,
) -> list[str]:
    """The splits or folds `chosen` [N], with groups of which no picture is `fixed` [N] exchanged where that evens out the areas."""
    result = list(chosen)
    movable = _movable(targets, content_hashes, groups, fixed, result)
    _even_out(movable, seed)
    for one in movable:
        for index in one.indices:
            result[index] = one.split
    return result


def _movable(
    targets: Sequence[Target],
    content_hashes: Sequence[str],
    groups: Sequence[str],
    fixed: Sequence[bool],
    result: Sequence[str],
) -> list[_Movable]:
    """The groups of which nobody said where they belong, but in train."""
    classes = sorted({name for target in targets for name in target.classes})
    number = {name: place for place, name in enumerate(classes)}
    members: defaultdict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    found = []
    for indices in members.values():
        if any(fixed[index] for index in indices):
            continue
        areas = np.zeros(len(classes))
        for index in indices:
            own = _areas(targets[index])
            for name, pixels in own.items():
                areas[number[name]] += pixels / sum(own.values())
        rank = min(content_hashes[index] for index in indices)
        found.append(_Movable(rank, indices, areas, result[indices[0]]))
    return found


def _areas(target: Target) -> dict[str, int]:
    """Pixels of each class; of a mask that was not opened, all alike."""
    areas = dict(target.areas) if isinstance(target, MaskFile) else {}
    return areas or dict.fromkeys(target.classes, 1)


def _even_out(groups: Sequence[_Movable], seed: int) -> None:
    """Exchange groups of as many pictures that show the same classes, each time only for the better."""
    if len({one.split for one in groups}) < 2:
        return
    excess = _excess(groups)
    whole = np.maximum(sum(one.areas for one in groups), 1e-9)
    rounds = max(1, min(_ROUNDS, 2 * _MOST_TRIED // len(groups)))
    for turn in range(rounds):
        alike: defaultdict[tuple[int, bytes], list[_Movable]] = defaultdict(list)
        for one in sorted(groups, key=lambda one: hashlib.sha256(f"{seed}:{turn}:{one.rank}".encode()).digest()):
            alike[len(one.indices), (one.areas > 0).tobytes()].append(one)
        for several in alike.values():
            for one, other in zip(several[::2], several[1::2], strict=False):
                if one.split != other.split:
                    _exchange(one, other, excess, whole)


def _excess(groups: Sequence[_Movable]) -> dict[str, NDArray[np.float64]]:
    """How much more of each class [K] a split has than its share of the pictures."""
    pictures = sum(len(one.indices) for one in groups)
    whole = sum(one.areas for one in groups)
    excess = {}
    for split in sorted({one.split for one in groups}):
        own = [one for one in groups if one.split == split]
        share = sum(len(one.indices) for one in own) / pictures
        excess[split] = sum((one.areas for one in own), np.zeros_like(groups[0].areas)) - share * whole
    return excess


def _exchange(
    one: _Movable, other: _Movable, excess: dict[str, NDArray[np.float64]], whole: NDArray[np.float64]
) -> None:
    """Exchange the splits of two groups where that lessens the squares of what is too much, relative to each class."""
    here, there, difference = excess[one.split], excess[other.split], other.areas - one.areas
    after = (here + difference, there - difference)
    if sum(float(np.sum((part / whole) ** 2)) for part in after) < (1 - 1e-9) * sum(
        float(np.sum((part / whole) ** 2)) for part in (here, there)
    ):
        excess[one.split], excess[other.split] = after
        one.split, other.split = other.split, one.split
