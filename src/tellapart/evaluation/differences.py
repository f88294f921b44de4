"""How two files of one network differ. In: nothing. Out: Difference, Resampling, a paired Score. Next: labels.py.

b resamples, G groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.intervals import RESAMPLES, Counts, bootstrap
from tellapart.record_parts import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Between the answers of two files to one picture."""

    flipped: int  # how much is told otherwise
    of: int  # of how much that could be
    largest: float | None  # of a probability; None where what is kept of the answers does not say


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resampling:
    """A figure of a whole split, over how often each group of its pictures is there."""

    values: Callable[[Counts], NDArray[np.floating]]  # counts [b, G] -> [b], NaN where it is not defined
    most: int = RESAMPLES  # resamples that can be afforded


def share_of_groups(values: NDArray[np.floating], numbers: NDArray[np.int64]) -> Resampling:
    """The mean of one value a picture, [N], whose groups are numbered from 0, [N]."""
    sums, sizes = np.bincount(numbers, values), np.bincount(numbers).astype(np.float64)
    return Resampling(values=lambda counts: (counts @ sums) / (counts @ sizes))


def paired_change(before: Resampling, after: Resampling, *, group_count: int, seed: int) -> Score:
    """The second figure less the first, with the interval of resamples in which both are asked the same pictures."""
    once = np.ones((1, group_count), dtype=np.float32)

    def change(counts: Counts) -> NDArray[np.floating]:
        return np.asarray(after.values(counts)) - np.asarray(before.values(counts))

    value = float(change(once)[0])
    interval = bootstrap(
        lambda counts: {"change": change(counts)},
        group_count=group_count,
        seed=seed,
        resamples=min(before.most, after.most),
    )["change"]
    low, high = interval or (value, value)
    return Score(value=value, low=min(low, value), high=max(high, value), method="percentile bootstrap, paired")
