"""Folds of pictures that may have several labels. In: targets [N, K], groups. Out: a fold each. Next: multilabel_probe.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def deal_label_sets(
    targets: NDArray[np.floating], groups: Integers, folds: int, generator: np.random.Generator
) -> Integers:
    """The fold of each picture, int64 [N] in 0..folds-1: whole groups, every class spread evenly.

    `targets` is [N, K] in {0, 1, NaN}, `groups` [N]. The class with the fewest pictures that are still to be dealt comes
    first, its largest groups before its small ones, each to the fold that lacks most of the class, and of equal ones most
    pictures: Sechidis, Tsoumakas and Vlahavas 2011, ECML PKDD, algorithm 1, with groups in the place of pictures.
    """
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    counts = np.zeros((len(sizes), targets.shape[1]))
    np.add.at(counts, numbers, (targets == 1).astype(np.float64))
    folds = min(folds, len(sizes))
    lacking = np.tile(counts.sum(axis=0) / folds, (folds, 1))
    room = np.full(folds, len(targets) / folds)
    fold_of = np.full(len(sizes), -1, dtype=np.int64)

    def deal(group: int, wanted: NDArray[np.float64]) -> None:
        fold = np.lexsort((-room, -wanted))[0]
        fold_of[group] = fold
        lacking[fold] -= counts[group]
        room[fold] -= sizes[group]

    while (left := (counts[fold_of < 0] > 0).sum(axis=0)).any():
        rarest = int(np.where(left > 0, left, len(sizes) + 1).argmin())
        own = generator.permutation(np.flatnonzero((fold_of < 0) & (counts[:, rarest] > 0)))
        for group in own[np.argsort(-counts[own, rarest], kind="stable")].tolist():
            deal(group, lacking[:, rarest])
    without = generator.permutation(np.flatnonzero(fold_of < 0))
    for group in without[np.argsort(-sizes[without], kind="stable")].tolist():
        deal(group, room)
    return fold_of[numbers]


def sides(targets: NDArray[np.floating], counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the pictures `counted` [F, N] show that a class is there and that it is not: bool [F, K]."""
    there, missing = (targets == 1).astype(np.float32), (targets == 0).astype(np.float32)
    some = counted.astype(np.float32)
    return np.asarray((some @ there > 0) & (some @ missing > 0))
