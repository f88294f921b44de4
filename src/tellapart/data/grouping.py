"""Pictures that stay together, and what a split needs. In: targets, hashes, groups, given. Out: Groups. Next: split.py."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tellapart.data.examples import SPLITS, Split, named_classes
from tellapart.data.targets import Target
from tellapart.errors import DataError, SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureGroup:
    """Pictures that stay together."""

    indices: tuple[int, ...]
    labels: frozenset[str]  # of its pictures; more than one where a patient or a module has several
    rank: str  # 64 hex digits, of the seed and the smallest content hash in it
    pinned: bool  # some of its pictures were given as validation or test: it shall not leak twice, so it stays in train


def check_fractions(fractions: tuple[float, float, float]) -> None:
    """Raises: SettingsError for fractions that are no three numbers above 0 that add up to 1."""
    if min(fractions) <= 0 or not math.isclose(sum(fractions), 1.0, abs_tol=1e-6):
        raise SettingsError(
            f"the split fractions {fractions} must be three numbers above 0 that add up to 1. "
            "The usual ones are (0.7, 0.1, 0.2)."
        )


def shares_to_carve(
    given: Sequence[Split | None], fractions: Mapping[Split, float], *, tested: bool = True
) -> dict[Split, float]:
    """The splits that must be carved, test first, each with its share of what is carved from; no test where none is `tested`.

    Raises: DataError where there is nothing to train on.
    """
    named = {split for split in given if split is not None}
    if given and not named.isdisjoint(("validation", "test")) and not ({"train", None} & set(given)):
        names = " and ".join(repr(split) for split in SPLITS if split in named)
        say = "Say --train-split validation to learn from that, add" if "validation" in named else "Add"
        raise DataError(
            f"what was given is only for {names}, none of it for 'train'; training needs some. "
            f"{say} a 'train' folder (or 'train' rows), or give no splits at all."
        )
    carved: list[Split] = [
        split for split in ("test", "validation") if split not in named and (tested or split != "test")
    ]
    whole = fractions["train"] + sum(fractions[split] for split in carved)
    return {split: fractions[split] / whole for split in carved}


def groups_to_split(
    own: Sequence[int],
    targets: Sequence[Target],
    content_hashes: Sequence[str],
    groups: Sequence[str],
    given: Sequence[Split | None],
    seed: int,
) -> list[PictureGroup]:
    """The groups of the pictures that are the data set's `own`, and were given as train or not given; by rank."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    elsewhere: set[str] = set()
    for index in own:
        if given[index] in (None, "train"):
            members[groups[index]].append(index)
        else:
            elsewhere.add(groups[index])
    found = []
    shared: dict[
        frozenset[str], frozenset[str]
    ] = {}  # one of each kind: of a million groups the sets would be most of the memory
    for group in list(members):
        indices = members.pop(group)
        smallest = min(content_hashes[index] for index in indices)
        labels = frozenset(named_classes(targets[index] for index in indices))
        found.append(
            PictureGroup(
                indices=tuple(indices),
                labels=shared.setdefault(labels, labels),
                rank=hashlib.sha256(f"{seed}:{smallest}".encode()).hexdigest(),
                pinned=group in elsewhere,
            )
        )
    return sorted(found, key=lambda group: group.rank)


def check_class(label: str, members: Sequence[PictureGroup], pictures: int, carved: Sequence[Split]) -> None:
    """Raises: DataError where the groups of a class (of so many pictures) are too few for the splits to be carved, and train."""
    free = sum(not group.pinned for group in members)
    needed = len(carved) + (free == len(members))  # a pinned group already gives train its picture
    if free < needed:
        splits = ", ".join(split for split in SPLITS if split == "train" or split in carved)
        tied = len(members) - free
        why = f"; {tied} more must stay in train, with copies or of one group with what you gave as test or validation"
        remedy = ", move each such group into one of your splits" if tied else ""
        raise DataError(
            f"class {label!r} has {_count(free, 'different picture')} to split ({pictures} in all; copies, and pictures "
            f"of one group, count once{why if tied else ''}), but {splits} need {needed}. "
            f"Add pictures of {needed - free} or more other groups{remedy}, or remove the class."
        )


def let_join(splits: list[Split], own: Sequence[int], groups: Sequence[str]) -> None:
    """Put each picture that was added beside those of its group, in validation or test where one of them is."""
    if len(own) == len(splits):
        return
    split_of: dict[str, Split] = {}
    for index in own:
        if splits[index] != "train":
            split_of[groups[index]] = splits[index]
    for index in set(range(len(splits))) - set(own):
        splits[index] = split_of.get(groups[index], "train")


def check_train(targets: Sequence[Target], splits: Sequence[Split | None]) -> None:
    """Raises: DataError for a class that is named, but by no picture in train."""
    trained = named_classes(target for target, split in zip(targets, splits, strict=True) if split == "train")
    for label in sorted(named_classes(targets) - trained):
        raise DataError(
            f"class {label!r} has no picture in train, only in validation or test; a class cannot be learnt without. "
            "Add pictures of it to train, or remove the class."
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
