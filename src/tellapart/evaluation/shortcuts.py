"""What guesses without the object are worth. In: guesses, labels. Out: BalancedAccuracy. Next: workflows/shortcuts.py.

Balanced accuracy, so that a large class is worth no more than a small one and chance is 1 / K. N pictures, K classes, G groups.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.intervals import bootstrap, group_numbers

FOLDS = 5  # that guesses come from, each by what the others taught
# Folds share most of what they learn from, so that their errors go together: the variance is that of single pictures times
# 1 + folds x judged / taught (Nadeau and Bengio 2003, Machine Learning 52:239-281, eq. for the corrected resampled t-test).
_WIDENED = math.sqrt(1 + FOLDS / (FOLDS - 1))
Name = TypeVar("Name", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancedAccuracy:
    """What guesses without the object are worth: balanced accuracy with its 95 % interval, beside chance."""

    value: float
    low: float
    high: float
    chance: float

    @property
    def tells(self) -> bool:
        """Whether that is more than chance: the whole interval lies above it."""
        return self.low > self.chance

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {name: round(getattr(self, name), 4) for name in ("value", "low", "high", "chance")}


def balanced(
    guesses: NDArray[np.integer], labels: NDArray[np.integer], groups: Sequence[str], *, class_count: int, seed: int
) -> BalancedAccuracy:
    """The mean over classes of the share that was guessed right; `guesses`, `labels`, `groups` [N], -1 for no guess.

    The guesses come from cross-validation in five folds. The interval resamples whole groups, copies of one picture among them
    (Field and Welsh 2007, see intervals.bootstrap), and is widened by what the folds have in common.
    Raises: ValueError where nothing was guessed.
    """
    judged = guesses >= 0
    if not judged.any():
        raise ValueError("nothing was guessed")
    numbers = group_numbers(np.asarray(groups)[judged], int(judged.sum()))
    hits, totals = _counts(guesses[judged] == labels[judged], labels[judged], numbers, class_count)
    once = np.ones((1, len(hits)), dtype=np.float32)
    interval = bootstrap(
        lambda counts: {"balanced": _mean_recall(counts, hits, totals)}, group_count=len(hits), seed=seed
    )["balanced"]
    value = float(_mean_recall(once, hits, totals)[0])
    low, high = (min(1.0, max(0.0, value + _WIDENED * (end - value))) for end in interval or (value, value))
    return BalancedAccuracy(value=value, low=low, high=high, chance=1 / int((totals.sum(axis=0) > 0).sum()))


def _counts(
    right: NDArray[np.bool_], labels: NDArray[np.integer], groups: NDArray[np.int64], class_count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How many of each class were right, and how many there are, float32 [G, K] both."""
    hits = np.zeros((int(groups.max()) + 1, class_count), dtype=np.float32)
    totals = np.zeros_like(hits)
    np.add.at(hits, (groups, labels), right)
    np.add.at(totals, (groups, labels), 1)
    return hits, totals


def _mean_recall(
    counts: NDArray[np.float32], hits: NDArray[np.float32], totals: NDArray[np.float32]
) -> NDArray[np.float32]:
    drawn = counts @ totals
    with np.errstate(invalid="ignore", divide="ignore"):
        recalls = np.where(drawn > 0, (counts @ hits) / drawn, np.nan)
    return np.asarray(np.nanmean(recalls, axis=1), dtype=np.float32)


def strongest(drops: Mapping[Name, float]) -> list[Name]:
    """Names by how much is lost without them, the most first; what loses less than a tenth of the most is left out."""
    most = max(drops.values(), default=0.0)
    kept = [name for name, drop in drops.items() if drop > 0 and drop >= most / 10]
    return sorted(kept, key=lambda name: -drops[name])
