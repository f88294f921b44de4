"""Classifiers of fewer pictures. In: vectors, labels, groups. Out: Grown. Next: evaluation/learning_curve.py.

Nested parts of what trains, each fitted anew and judged by pictures that none of them saw, nor a copy. N pictures, K classes, P
sizes, R repeats.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.training.folds import number_groups
from tellapart.training.probe import fit_probe
from tellapart.training.softmax_regression import Floats, Integers

SHARES = (0.125, 0.25, 0.5, 1.0)  # of what trains
_JUDGED = 0.2  # of the groups of each class
_STRENGTHS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3)
_LEAST = 2  # pictures of a class, in the smallest part
# Pictures of a class, each of a group of its own, from which on it has a curve.
FEWEST = next(number for number in itertools.count(1) if (number - round(_JUDGED * number)) * min(SHARES) >= _LEAST)


Learn = Callable[[Integers, Integers, float], Integers]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grown:
    """Shares of wrong answers by number of training pictures."""

    sizes: tuple[int, ...]  # P, the mean over the repeats
    errors: NDArray[np.float64]  # [P, R]
    missed: NDArray[np.float64]  # [P, R, K], of each class; NaN where none was judged
    judged: tuple[int, ...]  # K, different pictures of each class that were judged, copies counted once


def grow(
    vectors: Floats,
    labels: NDArray[np.integer],
    groups: Sequence[str],
    *,
    class_count: int,
    repeats: int = 4,
    shares: Sequence[float] = SHARES,
    seed: int,
    advance: Callable[[int], None] | None = None,
) -> Grown | None:
    """Fit probes on nested parts of `vectors` [N, D]; None where a class is too small for the smallest.

    The strength of the penalty is found once, of all, and is stronger for fewer pictures, as the square root of their number.
    """
    targets: Integers = np.asarray(labels, dtype=np.int64)
    numbers = number_groups(groups, len(targets))
    strength: float | None = None

    def learn(rows: Integers, judged: Integers, share: float) -> Integers:
        nonlocal strength
        probe = fit_probe(
            vectors[rows],
            targets[rows],
            groups=numbers[rows],
            class_count=class_count,
            strengths=_STRENGTHS if strength is None else (strength * share**-0.5,),
            seed=seed,
        )
        strength = probe.strength if strength is None else strength
        answers: Integers = (vectors[judged] @ probe.weight.T + probe.bias).argmax(axis=1)
        return answers

    return grow_by(
        learn, targets, groups, class_count=class_count, repeats=repeats, shares=shares, seed=seed, advance=advance
    )


def grow_by(
    learn: Learn,
    labels: NDArray[np.integer],
    groups: Sequence[str],
    *,
    class_count: int,
    repeats: int = 4,
    shares: Sequence[float] = SHARES,
    seed: int,
    advance: Callable[[int], None] | None = None,
) -> Grown | None:
    """The same of any classifier. `learn` is given the rows to learn from, the n rows to judge and the share of all that the
    former are, the largest share first, and answers classes [n].

    In each repeat a fifth of the groups of each class is set aside to judge by, and the others are put in an order by chance;
    a part is the first of each class.
    """
    targets: Integers = np.asarray(labels, dtype=np.int64)
    numbers = number_groups(groups, len(targets))
    random = np.random.default_rng(seed)
    errors = np.full((len(shares), repeats), np.nan)
    missed = np.full((len(shares), repeats, class_count), np.nan)
    sizes = np.zeros((len(shares), repeats))
    asked: set[tuple[int, int]] = set()  # class, group
    for repeat in range(repeats):
        taught, judged = _dealt(targets, numbers, class_count, random)
        if min(len(rows) for rows in taught) * min(shares) < _LEAST or not len(judged):
            return None
        asked.update(zip(targets[judged].tolist(), numbers[judged].tolist(), strict=True))
        for place in reversed(range(len(shares))):
            rows = np.concatenate([own[: max(_LEAST, round(shares[place] * len(own)))] for own in taught])
            wrong = learn(rows, judged, shares[place]) != targets[judged]
            sizes[place, repeat], errors[place, repeat] = len(rows), wrong.mean()
            for label in np.unique(targets[judged]):
                missed[place, repeat, label] = wrong[targets[judged] == label].mean()
            if advance is not None:
                advance(1)
    counts = np.bincount([label for label, _ in asked], minlength=class_count)
    return Grown(
        sizes=tuple(np.rint(sizes.mean(axis=1)).astype(int).tolist()),
        errors=errors,
        missed=missed,
        judged=tuple(counts.tolist()),
    )


def _dealt(
    labels: Integers, groups: Integers, class_count: int, random: np.random.Generator
) -> tuple[list[Integers], Integers]:
    """The rows of each class to learn from, in an order by chance with groups together, and those to judge by."""
    order = random.permutation(int(groups.max()) + 1)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    aside = np.zeros(len(order), dtype=np.bool_)
    for label in range(class_count):
        own = np.unique(groups[labels == label])
        own = own[np.argsort(rank[own])]
        aside[own[: round(_JUDGED * len(own))]] = True
    taught = []
    for label in range(class_count):
        rows = np.flatnonzero((labels == label) & ~aside[groups])
        taught.append(rows[np.argsort(rank[groups[rows]], kind="stable")])
    return taught, np.flatnonzero(aside[groups])
