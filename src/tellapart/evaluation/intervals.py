"""How far a score can be trusted. In: contributions, groups. Out: 95 % intervals. Next: totals.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Counts: TypeAlias = NDArray[np.float32]  # [B, G]: how often resample b drew group g
Groups: TypeAlias = "Sequence[str] | NDArray[np.integer]"

CONFIDENCE = 0.95
RESAMPLES = 1000

_COUNTS_AT_ONCE = 4_000_000  # 16 MB of counts and as much of random numbers in memory at a time


def wilson(successes: float, trials: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Score interval [low, high] of a proportion, within [0, 1]; (0, 1) without trials.

    Source: Wilson 1927, JASA 22:209-212; without continuity correction, as Newcombe 1998's method 3.
    """
    if trials <= 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    proportion = successes / trials
    middle = (proportion + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(proportion * (1 - proportion) / trials + (z / (2 * trials)) ** 2)
    # At the two ends the formula meets 0 and 1 exactly; rounding must not leave 1e-17 there.
    low = 0.0 if successes <= 0 else max(middle - half, 0.0)
    high = 1.0 if successes >= trials else min(middle + half, 1.0)
    return low, high


def mean_of_proportions(proportions: Sequence[float], trials: Sequence[float]) -> tuple[float, float]:
    """Interval [low, high] of the mean of independent proportions, sound for few trials of each and for 0 and 1.

    Each proportion's own Wilson limits, combined by the method of variance estimates recovery: Zou and Donner 2008,
    Statistics in Medicine 27:1693-1702, eq. 3.
    """
    below = above = 0.0
    for proportion, count in zip(proportions, trials, strict=True):
        low, high = wilson(proportion * count, count)
        below += (proportion - low) ** 2
        above += (high - proportion) ** 2
    middle, number = sum(proportions) / len(proportions), len(proportions)
    return max(middle - math.sqrt(below) / number, 0.0), min(middle + math.sqrt(above) / number, 1.0)


def group_numbers(groups: Groups | None, count: int) -> NDArray[np.int64]:
    """Number the groups of `count` pictures from 0, int64 [N]; without groups each picture is its own.

    A picture whose group is "" belongs to none and is numbered on its own.
    """
    if groups is None:
        return np.arange(count, dtype=np.int64)
    names = np.asarray(groups)
    if names.dtype.kind in "US":
        alone = names == ""
        # A name that no other row can have: no name that came from a file holds a NUL. NumPy drops one at the very end.
        names = np.where(alone, np.char.add("\0.", np.arange(count).astype(str)), names)
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64).reshape(count)


def bootstrap(
    statistics: Callable[[Counts], Mapping[str, NDArray[np.floating]]],
    *,
    group_count: int,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, tuple[float, float] | None]:
    """Percentile intervals [low, high] of several statistics over the same resamples of whole groups.

    `statistics` takes counts float32 [b, G], how often each of b resamples drew each group, and gives values [b] by
    name; a NaN leaves that resample out, and a name with nothing but NaN gets None.
    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 13.3; groups as in Field and Welsh
    2007, JRSS B 69:369-390.
    """
    generator = np.random.default_rng(seed)
    step = max(1, min(resamples, _COUNTS_AT_ONCE // group_count))
    collected: dict[str, list[NDArray[np.floating]]] = {}
    for start in range(0, resamples, step):
        counts = _draw(generator, min(step, resamples - start), group_count)
        for name, values in statistics(counts).items():
            collected.setdefault(name, []).append(values)
    return {name: _percentiles(np.concatenate(parts)) for name, parts in collected.items()}


def _draw(generator: np.random.Generator, resamples: int, group_count: int) -> Counts:
    drawn = generator.integers(group_count, size=(resamples, group_count))
    drawn += np.arange(resamples)[:, None] * group_count
    counts = np.bincount(drawn.reshape(-1), minlength=resamples * group_count)
    return counts.reshape(resamples, group_count).astype(np.float32)


def _percentiles(values: NDArray[np.floating]) -> tuple[float, float] | None:
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return None
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(known.astype(np.float64), [tail, 100 - tail])
    return float(low), float(high)
