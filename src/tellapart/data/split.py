"""Split pictures into train, validation and test. In: targets, hashes, groups, given. Out: list[Split]. Next: examples_csv.py.

Contents decide, never names or order: the groups of a class are ranked by a hash of the seed and of the smallest
content hash in the group; the front of this order is for test, its end for validation. A new picture moves each border
by one place at most.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tellapart.data.examples import SPLITS, Split, named_classes
from tellapart.data.targets import Target
from tellapart.errors import DataError, SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Pictures that stay together."""

    indices: tuple[int, ...]
    labels: frozenset[str]  # of its pictures; more than one where a patient or a module has several
    stratum: str  # the rarest of them: the rare classes are those that must reach every split
    rank: str  # 64 hex digits
    pinned: bool  # some of its pictures were given as validation or test


def assign_splits(
    *,
    targets: Sequence[Target],
    content_hashes: Sequence[str],
    groups: Sequence[str],
    given: Sequence[Split | None],
    seed: int,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    added: Sequence[bool] = (),
) -> list[Split]:
    """Give every picture of one class its split; the sequences describe the usable pictures in the same order.

    Given splits are kept. What was given to nobody (validation, test or both) is carved out of the pictures given as
    `train` or not given, class by class, in whole groups: `fractions` (train, validation, test; above 0, in all 1) of
    them, without those that need no carving. A group of several classes counts for the rarest of them. Every class
    gets at least one group in each split that is carved and in train. A group that also has pictures in a given
    validation or test split stays in train: it shall not leak twice. Pictures that were `added` (none, where that is left
    out) are for train, but join those of their group that were not; the others are split as they would be without them.
    Raises: DataError where nothing is left to carve from, or a class has too few groups; SettingsError for fractions.
    """
    _check_fractions(fractions)
    labels = [target.text for target in targets]
    own = [index for index in range(len(labels)) if not (added and added[index])]
    shares = _shares([given[index] for index in own], dict(zip(SPLITS, fractions, strict=True)))
    result: list[Split] = [split or "train" for split in given]
    pool = sorted(_pool(own, labels, content_hashes, groups, given, seed), key=lambda group: group.rank)
    pictures = Counter(labels)
    for label in sorted(pictures) if shares else ():
        _check_class(label, [group for group in pool if label in group.labels], pictures[label], tuple(shares))
    carved: dict[str, Split] = {}  # rank -> split
    for stratum in sorted(pictures) if shares else ():
        members = [group for group in pool if group.stratum == stratum]
        for split, chosen in _carve(members, shares).items():
            carved.update((group.rank, split) for group in chosen)
    _cover(pool, carved, sorted(pictures), tuple(shares))
    for group in pool:
        for index in group.indices if group.rank in carved else ():
            result[index] = carved[group.rank]
    _let_join(result, own, groups)
    check_train(targets, result)
    return result


def _check_fractions(fractions: tuple[float, float, float]) -> None:
    if min(fractions) <= 0 or not math.isclose(sum(fractions), 1.0, abs_tol=1e-6):
        raise SettingsError(
            f"the split fractions {fractions} must be three numbers above 0 that add up to 1. "
            "The usual ones are (0.7, 0.1, 0.2)."
        )


def _shares(given: Sequence[Split | None], fractions: Mapping[Split, float]) -> dict[Split, float]:
    """The splits that must be carved, test first, each with its share of what is carved from."""
    named = {split for split in given if split is not None}
    if given and not named.isdisjoint(("validation", "test")) and not ({"train", None} & set(given)):
        names = " and ".join(repr(split) for split in SPLITS if split in named)
        raise DataError(
            f"the pictures were given only as {names}, none as 'train'; training needs some. "
            "Add a 'train' folder (or 'train' rows), or give no splits at all."
        )
    carved: list[Split] = [split for split in ("test", "validation") if split not in named]
    whole = fractions["train"] + sum(fractions[split] for split in carved)
    return {split: fractions[split] / whole for split in carved}


def _pool(
    own: Sequence[int],
    labels: Sequence[str],
    content_hashes: Sequence[str],
    groups: Sequence[str],
    given: Sequence[Split | None],
    seed: int,
) -> Iterable[_Group]:
    """The groups of the pictures that are the data set's `own`, and were given as train or not given."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    elsewhere: set[str] = set()
    everywhere = Counter(labels[index] for index in own)
    for index in own:
        if given[index] in (None, "train"):
            members[groups[index]].append(index)
        else:
            elsewhere.add(groups[index])
    for group, indices in members.items():
        names = {labels[index] for index in indices}
        smallest = min(content_hashes[index] for index in indices)
        yield _Group(
            indices=tuple(indices),
            labels=frozenset(names),
            stratum=min(names, key=lambda label: (everywhere[label], label)),
            rank=hashlib.sha256(f"{seed}:{smallest}".encode()).hexdigest(),
            pinned=group in elsewhere,
        )


def _let_join(splits: list[Split], own: Sequence[int], groups: Sequence[str]) -> None:
    """Put each picture that was added beside those of its group, in validation or test where one of them is."""
    if len(own) == len(splits):
        return
    split_of: dict[str, Split] = {}
    for index in own:
        if splits[index] != "train":
            split_of[groups[index]] = splits[index]
    for index in set(range(len(splits))) - set(own):
        splits[index] = split_of.get(groups[index], "train")


def _check_class(label: str, members: Sequence[_Group], pictures: int, carved: Sequence[Split]) -> None:
    free = sum(not group.pinned for group in members)
    needed = len(carved) + (free == len(members))  # a pinned group already gives train its picture
    if free < needed:
        splits = ", ".join(split for split in SPLITS if split == "train" or split in carved)
        raise DataError(
            f"class {label!r} has {_count(free, 'different picture')} to split ({pictures} in all; copies, and pictures "
            f"of one group, count once), but {splits} need {needed}. "
            f"Add pictures of {needed - free} or more other groups, or remove the class."
        )


def _cover(pool: Sequence[_Group], carved: dict[str, Split], labels: Sequence[str], splits: Sequence[Split]) -> None:
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


def check_train(targets: Sequence[Target], splits: Sequence[Split | None]) -> None:
    """Raises: DataError for a class that is named, but by no picture in train."""
    trained = named_classes(target for target, split in zip(targets, splits, strict=True) if split == "train")
    for label in sorted(named_classes(targets) - trained):
        raise DataError(
            f"class {label!r} has no picture in train, only in validation or test; a class cannot be learnt without. "
            "Add pictures of it to train, or remove the class."
        )


def _carve(members: Sequence[_Group], shares: Mapping[Split, float]) -> dict[Split, list[_Group]]:
    """Whole groups for each split that is carved, from one class in the order of its ranks."""
    if len(members) <= len(shares):
        return {}  # too few to share out; _cover takes what is needed
    total = sum(len(group.indices) for group in members)
    free = [group for group in members if not group.pinned]
    pinned = len(free) < len(members)
    chosen: dict[Split, list[_Group]] = {}
    for done, (split, share) in enumerate(shares.items(), start=1):
        # From the end for validation: a shorter stretch at either end moves less than one in the middle.
        order = free if split == "test" else free[::-1]
        spare = len(free) - (len(shares) - done) - (not pinned)  # one for each split still to come, one for train
        chosen[split] = _fill(order, share * total, spare)
        gone = {group.rank for group in chosen[split]}
        free = [group for group in free if group.rank not in gone]
    return chosen


def _fill(order: Sequence[_Group], wanted: float, spare: int) -> list[_Group]:
    """The first groups that bring the number of pictures nearer to `wanted`; the smallest one if none does."""
    taken: list[_Group] = []
    pictures = 0
    for group in order:
        if len(taken) < spare and abs(pictures + len(group.indices) - wanted) < abs(pictures - wanted):
            taken.append(group)
            pictures += len(group.indices)
    return taken or [min(order, key=lambda group: len(group.indices))]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
