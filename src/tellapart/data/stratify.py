"""Split pictures with sets of classes. In: targets, hashes, groups, given. Out: list[Split]. Next: examples_csv.py.

Iterative stratification: the class with the fewest pictures left is shared out first, each picture going to the split that
still wants most of that class. Source: Sechidis, Tsoumakas and Vlahavas 2011, On the Stratification of Multi-Label Data,
algorithm 1. Here whole groups are shared out, each counting with all its pictures; the paper's random choices are made by a hash of
the seed and the contents, so neither names nor order decide.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from tellapart.data.examples import SPLITS, Split, known_classes
from tellapart.data.grouping import (
    PictureGroup,
    check_class,
    check_fractions,
    check_train,
    groups_to_split,
    let_join,
    shares_to_carve,
)
from tellapart.data.split import FRACTIONS
from tellapart.data.targets import ClassNames, Target
from tellapart.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedGroup:
    """A group, and what its pictures show."""

    group: PictureGroup
    shown: Mapping[str, int]  # class -> pictures that show it, or how often they do
    absent: frozenset[str]  # classes that a picture of it is known not to show


Part = TypeVar("Part", bound=str)  # a split, or a fold
Weigh = Callable[[Target], Mapping[str, int]]  # a picture's classes, and how much each counts


def once(target: Target) -> Mapping[str, int]:
    """Each class that a picture shows counts once."""
    return dict.fromkeys(target.classes, 1)


def assign_label_sets(
    *,
    targets: Sequence[Target],
    content_hashes: Sequence[str],
    groups: Sequence[str],
    given: Sequence[Split | None],
    seed: int,
    fractions: tuple[float, float, float] = FRACTIONS,
    added: Sequence[bool] = (),
    tested: bool = True,
    weigh: Weigh = once,
) -> list[Split]:
    """Give every picture of a set of classes its split, by the rules of `split.assign_splits`.

    The share of a split is kept for the pictures in all and for those of each class, or for what `weigh` counts of each. Every
    class gets a picture that shows it in each split that is carved and in train, and where possible one that is known not to
    show it.
    Raises: DataError where nothing is left to carve from, or a class has too few groups; SettingsError for fractions.
    """
    check_fractions(fractions)
    own = [index for index in range(len(targets)) if not (added and added[index])]
    carved = shares_to_carve([given[index] for index in own], dict(zip(SPLITS, fractions, strict=True)), tested=tested)
    result: list[Split] = [split or "train" for split in given]
    if carved:
        pool = groups_to_split(own, targets, content_hashes, groups, given, seed)
        pictures = Counter(name for target in targets for name in target.classes)
        _check_classes(pool, pictures, tuple(carved))
        classes = known_classes(targets)
        items = [item_of(group, targets, classes, weigh) for group in pool]
        chosen: dict[str, Split] = share_out(items, {"train": 1 - sum(carved.values()), **carved})
        cover = Cover(items, chosen, ("train", *carved))
        cover.with_positives(sorted(pictures))
        cover.with_negatives(sorted(pictures))
        for item in items:
            for index in item.group.indices:
                result[index] = chosen[item.group.rank]
    let_join(result, own, groups)
    check_train(targets, result)
    return result


def _check_classes(pool: Sequence[PictureGroup], pictures: Mapping[str, int], carved: Sequence[Split]) -> None:
    with_class: defaultdict[str, list[PictureGroup]] = defaultdict(list)
    for group in pool:
        for name in group.labels:
            with_class[name].append(group)
    for name in sorted(pictures):
        check_class(name, with_class[name], pictures[name], carved)


def item_of(group: PictureGroup, targets: Sequence[Target], classes: set[str], weigh: Weigh) -> WeighedGroup:
    """A group with what `weigh` counts of its pictures; `classes` are all that a picture may show."""
    absent: set[str] = set()
    for index in group.indices:
        target = targets[index]
        absent |= classes.difference(target.classes, target.unknown if isinstance(target, ClassNames) else ())
    shown: Counter[str] = Counter()
    for index in group.indices:
        shown.update(weigh(targets[index]))
    return WeighedGroup(group=group, shown=shown, absent=frozenset(absent))


class _Wanted(Generic[Part]):
    """How many pictures each split, or fold, still wants, in all and of each class."""

    def __init__(self, items: Sequence[WeighedGroup], shares: Mapping[Part, float]) -> None:
        shown: Counter[str] = Counter()
        for item in items:
            shown.update(item.shown)
        total = sum(len(item.group.indices) for item in items)
        self.pictures = {split: share * total for split, share in shares.items()}
        self.of = {name: {split: share * number for split, share in shares.items()} for name, number in shown.items()}
        self.left = shown  # class -> pictures not yet shared out

    def take(self, item: WeighedGroup, split: Part) -> None:
        """Count a group to a split."""
        self.pictures[split] -= len(item.group.indices)
        for name, number in item.shown.items():
            self.of[name][split] -= number
            self.left[name] -= number

    def choose(self, item: WeighedGroup, name: str) -> Part:
        """The split that wants most of a class ("": of any); among equals most pictures; among those the hash decides."""
        own = self.of.get(name, self.pictures)
        # Rounded: 0.7 x 10 - 6 and 0.1 x 10 are equal wishes.
        return max(own, key=lambda split: (round(own[split], 9), round(self.pictures[split], 9), _draw(item, split)))


def share_out(items: Sequence[WeighedGroup], shares: Mapping[Part, float]) -> dict[str, Part]:
    """The split, or fold, of each group by its rank; shares add up to 1, and pinned groups are for train."""
    wanted = _Wanted(items, shares)
    chosen: dict[str, Part] = {}

    def put(item: WeighedGroup, split: Part) -> None:
        chosen[item.group.rank] = split
        wanted.take(item, split)
        for name in item.shown:
            waiting[name].pop(item.group.rank, None)

    waiting: defaultdict[str, dict[str, WeighedGroup]] = defaultdict(dict)
    for item in items:
        for name in item.shown:
            waiting[name][item.group.rank] = item
    for item in items:
        if item.group.pinned:
            put(item, cast("Part", "train"))
    while any(waiting.values()):
        rarest = min((name for name in waiting if waiting[name]), key=lambda name: (wanted.left[name], name))
        # The largest groups first: the small ones even out what those leave.
        for item in sorted(waiting[rarest].values(), key=lambda item: (-item.shown[rarest], item.group.rank)):
            put(item, wanted.choose(item, rarest))
    for item in sorted(items, key=lambda item: (-len(item.group.indices), item.group.rank)):
        if item.group.rank not in chosen:
            put(item, wanted.choose(item, ""))
    return chosen


def _draw(item: WeighedGroup, split: str) -> str:
    return hashlib.sha256(f"{item.group.rank}:{split}".encode()).hexdigest()


class Cover(Generic[Part]):
    """Moves groups so that each split, or fold, has a picture that shows a class and, where possible, one that does not."""

    def __init__(self, items: Sequence[WeighedGroup], chosen: dict[str, Part], splits: Sequence[Part]) -> None:
        self.items = items
        self.chosen = chosen
        self.splits = splits
        self.shown: Counter[tuple[Part, str]] = Counter()  # groups
        self.absent: Counter[tuple[Part, str]] = Counter()
        for item in items:
            self._count(item, chosen[item.group.rank], 1)

    def with_positives(self, names: Sequence[str]) -> None:
        """Raises: DataError where no group can be spared that shows a class."""
        for name in names:
            for split in self.splits:
                if not self.shown[split, name] and not self._move(
                    (item for item in self.items if name in item.shown and self._may_go(item)), split
                ):
                    raise DataError(
                        f"class {name!r} cannot be in {split} and in the other splits at once, since pictures of one group "
                        "stay together and its groups are needed elsewhere. Add pictures of other groups, or remove the class."
                    )

    def with_negatives(self, names: Sequence[str]) -> None:
        """Where a group can be spared."""
        for name in names:
            for split in self.splits:
                if not self.absent[split, name]:
                    self._move(
                        (item for item in self.items if name in item.absent and self._may_go_negative(item)), split
                    )

    def _may_go(self, item: WeighedGroup) -> bool:
        here = self.chosen[item.group.rank]
        return not item.group.pinned and all(self.shown[here, name] > 1 for name in item.shown)

    def _may_go_negative(self, item: WeighedGroup) -> bool:
        here = self.chosen[item.group.rank]
        return self._may_go(item) and all(self.absent[here, name] > 1 for name in item.absent)

    def _move(self, members: Iterable[WeighedGroup], split: Part) -> bool:
        """Move the smallest of the groups; False where there is none."""
        item = min(members, key=lambda item: (len(item.group.indices), item.group.rank), default=None)
        if item is None:
            return False
        self._count(item, self.chosen[item.group.rank], -1)
        self.chosen[item.group.rank] = split
        self._count(item, split, 1)
        return True

    def _count(self, item: WeighedGroup, split: Part, step: int) -> None:
        self.shown.update({(split, name): step for name in item.shown})
        self.absent.update({(split, name): step for name in item.absent})
