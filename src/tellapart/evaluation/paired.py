"""Two models on the same pictures. In: who was right where. Out: Paired. Next: workflows/compare.py.

What both get right or wrong says nothing of which is better; only the pictures that one gets and the other does not. N pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.intervals import CONFIDENCE, bootstrap, group_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """The second model's share of right answers less the first's, with its 95 % interval."""

    n: int
    value: float
    low: float
    high: float
    won: int  # pictures that only the second gets
    lost: int  # pictures that only the first gets
    p_value: float  # mid-p McNemar: how often chance alone splits them so, or more, unevenly

    @property
    def verdict(self) -> int:
        """1 where the second is better, -1 where it is worse, 0 where that is not decided."""
        return (self.low > 0) - (self.high < 0)

    @property
    def needed(self) -> int | None:
        """How many more such pictures would decide, if the shares stay as they are; None where it is decided, or they are equal.

        From the interval of a difference of paired proportions, (b - c) / n with the variance (b + c - (b - c)^2 / n) / n^2
        (Newcombe 1998, Statistics in Medicine 17:2635-2650, method 1), and widened as much as this interval is by groups.
        """
        if self.verdict or self.won == self.lost or not self.n:
            return None
        share = (self.won + self.lost) / self.n
        wanted = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) ** 2 * (share - self.value**2) / self.value**2
        half = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * math.sqrt((share - self.value**2) / self.n)
        widened = max(1.0, (self.high - self.low) / 2 / half) ** 2
        return max(1, math.ceil(wanted * widened) - self.n)

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        difference = {name: round(getattr(self, name), 6) for name in ("value", "low", "high")}
        return {
            "difference": difference,
            "p_value": round(self.p_value, 6),
            "won": self.won,
            "lost": self.lost,
            "common": self.n,
            "more_pictures": self.needed,
        }


def compare_pairs(
    first: NDArray[np.bool_], second: NDArray[np.bool_], groups: Sequence[str] | None = None, *, seed: int
) -> Paired:
    """Who was right, `first` and `second` [N]; `groups` [N] are resampled whole ("" is no group). Raises: ValueError of none."""
    if not len(first):
        raise ValueError("there is no picture to compare two models on")
    moved = second.astype(np.int64) - first
    numbers = group_numbers(groups, len(first))
    sums, sizes = np.bincount(numbers, moved), np.bincount(numbers).astype(np.float64)
    interval = bootstrap(
        lambda counts: {"difference": (counts @ sums) / (counts @ sizes)}, group_count=len(sizes), seed=seed
    )["difference"]
    value = float(moved.mean())
    won, lost = int((moved > 0).sum()), int((moved < 0).sum())
    low, high = interval or (value, value)
    return Paired(n=len(first), value=value, low=low, high=high, won=won, lost=lost, p_value=mcnemar(won, lost))


def mcnemar(won: int, lost: int) -> float:
    """The two-sided mid-p of McNemar's exact test, in [0, 1]; 1 where neither won nor lost a picture.

    Source: Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13:91, eq. for the mid-p test: twice the
    binomial tail up to the smaller of the two, less the probability of that very count.
    """
    total, fewer = won + lost, min(won, lost)
    if not total:
        return 1.0
    logs = [
        math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) - total * math.log(2)
        for k in range(fewer + 1)
    ]
    tail = math.fsum(math.exp(log) for log in logs)
    return min(1.0, 1.0 if won == lost else 2 * tail - math.exp(logs[-1]))
