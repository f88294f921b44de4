"""The fold of every picture, whose test it is in. In: targets, hashes, groups. Out: numbers from 0. Next: folding.py.

As the split: contents decide, never names or order; copies and groups stay together; every class is in every fold. Who has folds of
their own gives them in a column of the table.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Protocol

from tellapart.data.examples import Entry, known_classes
from tellapart.data.grouping import PictureGroup, groups_to_split
from tellapart.data.stratify import Cover, Weigh, item_of, once, share_out
from tellapart.data.targets import Target
from tellapart.errors import DataError
from tellapart.reporter import counted

NEVER = -1  # the fold of a picture that is never tested
_SHOWN = 5  # values of a column that a message lists


class AssignFolds(Protocol):
    """How a task deals its pictures to folds; see `assign_folds`."""

    def __call__(
        self,
        *,
        targets: Sequence[Target],
        content_hashes: Sequence[str],
        groups: Sequence[str],
        seed: int,
        count: int,
        added: Sequence[bool],
    ) -> list[int]:
        """A fold for every picture. Raises: DataError."""


def assign_folds(
    *,
    targets: Sequence[Target],
    content_hashes: Sequence[str],
    groups: Sequence[str],
    seed: int,
    count: int,
    added: Sequence[bool] = (),
    weigh: Weigh = once,
) -> list[int]:
    """The fold of each of N usable pictures, in 0 to `count` - 1; NEVER for what was `added` to train alone.

    Whole groups are dealt by iterative stratification (`stratify.share_out`), so that each fold gets its share of the pictures and
    of what `weigh` counts of each class. Raises: DataError for a class in fewer groups than folds, or too few pictures.
    """
    own = [index for index in range(len(targets)) if not (added and added[index])]
    pool = groups_to_split(own, targets, content_hashes, groups, [None] * len(targets), seed)
    _check(pool, targets, count)
    classes = known_classes(targets)
    items = [item_of(group, targets, classes, weigh) for group in pool]
    names = [f"fold {number + 1}" for number in range(count)]
    chosen = share_out(items, dict.fromkeys(names, 1 / count))
    cover = Cover(items, chosen, names)
    shown = sorted({label for group in pool for label in group.labels})
    cover.with_positives(shown)
    cover.with_negatives(shown)
    folds = [NEVER] * len(targets)
    for group in pool:
        for index in group.indices:
            folds[index] = names.index(chosen[group.rank])
    return folds


def _check(pool: Sequence[PictureGroup], targets: Sequence[Target], count: int) -> None:
    """Raises: DataError where the folds cannot all have a picture of every class."""
    groups_with = Counter(label for group in pool for label in group.labels)
    most = min(len(pool), *groups_with.values()) if groups_with else len(pool)
    if len(pool) < count:
        raise DataError(
            f"there {'is' if len(pool) == 1 else 'are'} {counted(len(pool), 'different picture')} (copies, and pictures of one "
            f"group, count once), too few for {count} folds. {_fewer(most)}dd pictures."
        )
    pictures = Counter(name for target in targets for name in target.classes)
    for label in sorted(groups_with):
        if groups_with[label] < count:
            raise DataError(
                f"class {label!r} has {counted(groups_with[label], 'different picture')} ({pictures[label]:,} in all; copies, and "
                f"pictures of one group, count once), and each of {count} folds needs one. {_fewer(most)}dd "
                f"pictures of {count - groups_with[label]} or more other groups, or remove the class."
            )


def _fewer(most: int) -> str:
    return f"Give --kfold {most}, or a" if most > 1 else "A"


def given_folds(entries: Sequence[Entry], column: str, count: int | None) -> tuple[list[int], list[str]]:
    """The fold of each of N pictures as a column gives it, NEVER for what was added to train, and the column's values in order.

    Raises: DataError where a picture has none, or all have the same, or the values are not as many as `count`.
    """
    own = [entry for entry in entries if not entry.added]
    without = [entry.path for entry in own if not entry.fold]
    if without:
        raise DataError(
            f"{counted(len(without), 'picture')} {'has' if len(without) == 1 else 'have'} no fold in the column {column!r}, such "
            f"as {without[0]}. Fill it in for every picture, or leave --fold-column out."
        )
    values = sorted({entry.fold for entry in own}, key=_in_order)
    if len(values) < 2:
        raise DataError(
            f"the column {column!r} puts every picture into the fold {values[0] if values else ''!r}; there must be 2 or more. "
            "Name another column, or leave --fold-column out and give --kfold 5."
        )
    if count not in (None, len(values)):
        listed = ", ".join(map(repr, values[:_SHOWN])) + (" ..." if len(values) > _SHOWN else "")
        raise DataError(
            f"--kfold is {count}, and the column {column!r} has {len(values)} folds: {listed}. Leave --kfold out, or name another "
            "column."
        )
    number = {value: place for place, value in enumerate(values)}
    return [NEVER if entry.added else number[entry.fold] for entry in entries], values


def _in_order(value: str) -> tuple[bool, int, str]:
    """2 before 10, and numbers before words."""
    is_number = value.isascii() and value.isdigit()
    return (not is_number, int(value) if is_number else 0, value)


def straddling(folds: Sequence[int], groups: Sequence[str]) -> set[str]:
    """The groups with pictures in two folds or more, which only folds that were given have."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for fold, group in zip(folds, groups, strict=True):
        if fold != NEVER:
            found[group].add(fold)
    return {group for group, several in found.items() if len(several) > 1}
