"""Split pictures into train, validation and test. In: targets, hashes, groups, given. Out: list[Split]. Next: examples_csv.py.

Contents decide, never names or order: the groups of a class are ranked by a hash of the seed and of the smallest
content hash in the group; the front of this order is for test, its end for validation. A new picture moves each border
by one place at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tellapart.data.examples import SPLITS, Split
from tellapart.data.grouping import (
    PictureGroup,
    check_class,
    check_fractions,
    check_train,
    groups_to_split,
    let_join,
    shares_to_carve,
)
from tellapart.data.targets import Target
from tellapart.errors import DataError

FRACTIONS = (0.7, 0.1, 0.2)  # train, validation, test


def assign_splits(
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
    """Give every picture of one class its split; the sequences describe the usable pictures in the same order.

    Given splits are kept. What was given to nobody (validation, test or both) is carved out of the pictures given as
    `train` or not given, class by class, in whole groups: `fractions` (train, validation, test; above 0, in all 1) of
    them, without those that need no carving. A group of several classes counts for the rarest of them. Every class
    gets at least one group in each split that is carved and in train. A group that also has pictures in a given
    validation or test split stays in train: it shall not leak twice. Pictures that were `added` (none, where that is left
    out) are for train, but join those of their group that were not; the others are split as they would be without them.
    Where it is not `tested`, no test split is carved.
    Raises: DataError where nothing is left to carve from, or a class has too few groups; SettingsError for fractions.
    """
    check_fractions(fractions)
    labels = [target.text for target in targets]
    own = [index for index in range(len(labels)) if not (added and added[index])]
    shares = shares_to_carve([given[index] for index in own], dict(zip(SPLITS, fractions, strict=True)), tested=tested)
    result: list[Split] = [split or "train" for split in given]
    pool = groups_to_split(own, targets, content_hashes, groups, given, seed)
    pictures = Counter(labels)
    for label in sorted(pictures) if shares else ():
        check_class(label, [group for group in pool if label in group.labels], pictures[label], tuple(shares))
    stratum_of = _strata(pool, Counter(labels[index] for index in own))
    carved: dict[str, Split] = {}  # rank -> split
    for stratum in sorted(pictures) if shares else ():
        members = [group for group in pool if stratum_of[group.rank] == stratum]
        for split, chosen in _carve(members, shares).items():
            carved.update((group.rank, split) for group in chosen)
    _cover(pool, carved, sorted(pictures), tuple(shares))
    for group in pool:
        for index in group.indices if group.rank in carved else ():
            result[index] = carved[group.rank]
    let_join(result, own, groups)
    check_train(targets, result)
    return result


def _strata(pool: Sequence[PictureGroup], pictures: Mapping[str, int]) -> dict[str, str]:
    """The rarest class of each group by its rank: the rare classes are those that must reach every split."""
    return {group.rank: min(group.labels, key=lambda label: (pictures[label], label)) for group in pool}


def _cover(
    pool: Sequence[PictureGroup], carved: dict[str, Split], labels: Sequence[str], splits: Sequence[Split]
) -> None:
    """Move a group from train to each carved split that lacks a class; only groups of several classes make that needed.

    Raises: DataError where no group can be spared.
    """
    for label in labels:
        for split in splits:
            if any(label in group.labels and carved.get(group.rank) == split for group in pool):
                continue
            kept = Counter(name for group in pool if group.rank not in carved for name in group.labels)
            spare = [
                group
                for group in pool
                if label in group.labels
                and group.rank not in carved
                and not group.pinned
                and all(kept[name] > 1 for name in group.labels)
            ]
            if not spare:
                raise DataError(
                    f"class {label!r} cannot be in {split} and in train at once, since pictures of one group stay "
                    "together and its groups are needed elsewhere. Add pictures of other groups, or remove the class."
                )
            carved[min(spare, key=lambda group: (len(group.indices), group.rank)).rank] = split


def _carve(members: Sequence[PictureGroup], shares: Mapping[Split, float]) -> dict[Split, list[PictureGroup]]:
    """Whole groups for each split that is carved, from one class in the order of its ranks."""
    if len(members) <= len(shares):
        return {}  # too few to share out; _cover takes what is needed
    total = sum(len(group.indices) for group in members)
    free = [group for group in members if not group.pinned]
    pinned = len(free) < len(members)
    chosen: dict[Split, list[PictureGroup]] = {}
    for done, (split, share) in enumerate(shares.items(), start=1):
        # From the end for validation: a shorter stretch at either end moves less than one in the middle.
        order = free if split == "test" else free[::-1]
        spare = len(free) - (len(shares) - done) - (not pinned)  # one for each split still to come, one for train
        chosen[split] = _fill(order, share * total, spare)
        gone = {group.rank for group in chosen[split]}
        free = [group for group in free if group.rank not in gone]
    return chosen


def _fill(order: Sequence[PictureGroup], wanted: float, spare: int) -> list[PictureGroup]:
    """The first groups that bring the number of pictures nearer to `wanted`; the smallest one if none does."""
    taken: list[PictureGroup] = []
    pictures = 0
    for group in order:
        if len(taken) < spare and abs(pictures + len(group.indices) - wanted) < abs(pictures - wanted):
            taken.append(group)
            pictures += len(group.indices)
    return taken or [min(order, key=lambda group: len(group.indices))]
