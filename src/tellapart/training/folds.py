"""Which pictures judge a classifier that has not seen them. In: labels [N], groups [N]. Out: folds. Next: probe.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.training.softmax_regression import Integers
from tellapart.training.strengths import SEARCH_FOLDS, SEARCH_OUTPUTS, SEARCH_ROWS

_RARE = 20  # so many pictures of each class are among those that choose the strength


def number_groups(groups: Sequence[str] | NDArray[np.integer], count: int) -> Integers:
    """Groups as numbers from 0, int64 [N]; each "" is a group of its own."""
    names = np.asarray(groups)
    if names.dtype.kind in "US":
        names = np.where(names == "", np.char.add("\0", np.arange(count).astype(str)), names)
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)


def choose_rows(
    labels: Integers, class_count: int, generator: np.random.Generator, *, most: int = SEARCH_ROWS
) -> Integers:
    """At most about `most` rows, ascending, with the classes of `labels` [N] in proportion but for rare ones."""
    if len(labels) <= most:
        return np.arange(len(labels))
    chosen = []
    for number in range(class_count):
        members = np.flatnonzero(labels == number)
        quota = max(round(len(members) * most / len(labels)), min(len(members), _RARE))
        chosen.append(generator.permutation(members)[:quota])
    return np.sort(np.concatenate(chosen))


def hold_out(
    labels: Integers, groups: Integers, class_count: int, folds: int, seed: int
) -> tuple[Integers, NDArray[np.bool_]]:
    """The rows to search on, ascending, and which of them each fold holds out, bool [F, rows]."""
    generator = np.random.default_rng(seed)
    rows = choose_rows(labels, class_count, generator)
    fold_count = folds if len(rows) == len(labels) else SEARCH_FOLDS
    held_out = deal_folds(labels[rows], groups[rows], class_count, fold_count, generator)
    return rows, held_out[: max(1, SEARCH_OUTPUTS // (len(rows) * class_count))]


def deal_folds(
    labels: Integers, groups: Integers, class_count: int, folds: int, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Stratified folds of whole groups: bool [F, N], what each holds out. F is less where a class would be lost."""
    fold_of = deal(labels, groups, class_count, folds, generator)
    filled = np.zeros((int(fold_of.max(initial=0)) + 1, class_count), dtype=np.int64)
    np.add.at(filled, (fold_of, labels), 1)
    usable = (filled.sum(axis=0) - filled > 0).all(axis=1) & (filled.sum(axis=1) > 0)
    return np.asarray(fold_of == np.flatnonzero(usable)[:, None])


def deal(labels: Integers, groups: Integers, class_count: int, folds: int, generator: np.random.Generator) -> Integers:
    """The fold of each picture, int64 [N] in 0..folds-1: whole groups, the classes spread evenly.

    Greedy, like scikit-learn's StratifiedGroupKFold, which takes 0.3 s for 1,000 pictures, a third of the time of
    all the rest; pictures without companions, most of all sets, are dealt class by class.
    """
    _, groups, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    folds = min(folds, len(sizes))
    totals = np.bincount(labels, minlength=class_count)
    filled = np.zeros((folds, class_count))
    fold_of = np.zeros(len(labels), dtype=np.int64)
    members_of = np.split(np.argsort(groups, kind="stable"), np.cumsum(sizes)[:-1])
    shuffled = generator.permutation(len(sizes))
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        if sizes[group] == 1:
            break
        members = members_of[group]
        counts = np.bincount(labels[members], minlength=class_count)
        # The share of each class already there, counted as often as the group would add to it.
        fold = np.lexsort((filled.sum(axis=1), filled @ (counts / totals)))[0]
        filled[fold] += counts
        fold_of[members] = fold
    alone = generator.permutation(np.flatnonzero(sizes[groups] == 1))
    for number in range(class_count):
        members = alone[labels[alone] == number]
        order = np.lexsort((filled.sum(axis=1), filled[:, number]))
        fold_of[members] = order[np.arange(len(members)) % folds]
        filled[:, number] += np.bincount(fold_of[members], minlength=folds)
    return fold_of
