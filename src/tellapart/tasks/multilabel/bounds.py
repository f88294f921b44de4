"""Intervals where a bootstrap alone would say nonsense. In: values, percentiles. Out: Score, a class's bounds. Next: verdict.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from tellapart.bundle import Score
from tellapart.evaluation.intervals import mean_of_proportions, wilson
from tellapart.tasks.multilabel.averaging import Flags, ScoredCells

Interval: TypeAlias = "tuple[float, float] | None"

MEANS = ("mean_average_precision", "macro_f1")  # over classes
LOSSES = ("log_loss",)  # without an upper limit
FEWEST_RANKED = 5  # groups of pictures with a class, and without it, for its own figures to have intervals


def bound(name: str, value: float, interval: Interval, cells: ScoredCells) -> Score:
    """A figure of all classes with its interval.

    Where every resample gives a perfect score, the low end is Wilson's for as many groups; of a mean over classes, those of
    the classes' groups combined. One group alone cannot be resampled, and the interval is all that there is.
    """
    if np.isnan(value):
        return Score(value=0.0, low=0.0, high=1.0, method="none: no class has a positive and a negative picture")
    bounded = name not in LOSSES
    if cells.group_count == 1 or interval is None:
        low, high = (0.0, 1.0) if bounded else (None, None)
        return Score(value=value, low=low, high=high, method="none: one group cannot be resampled")
    low, high = interval
    if bounded and low == high and value in (0.0, 1.0):
        # Resampling nothing but successes gives nothing but successes, however few they are.
        least = _least_when_perfect(name, cells)
        low, high = (least, 1.0) if value == 1.0 else (0.0, 1 - least)
        return Score(value=value, low=low, high=high, method="wilson, since all resamples are alike")
    # Rounding of the resamples' sums must not put the value outside.
    low, high = min(low, value), max(high, value)
    return Score(value=value, low=low, high=high, method=_method(cells))


def class_bounds(
    cells: ScoredCells, number: int, figures: Mapping[str, float | None], intervals: Mapping[str, Interval]
) -> dict[str, dict[str, Any] | None]:
    """The intervals of one class's figures, NAME_interval each; None where there is no figure.

    Precision and recall are shares of pictures: Wilson's, and of grouped pictures no narrower than the bootstrap's. The
    others are the bootstrap's; with fewer than five groups that have the class, or that lack it, low and high are None.
    """
    known, positive = cells.known[:, number], cells.positive[:, number]
    trials = {"precision": cells.predicted[:, number] & known, "recall": positive}
    fewest = min(_groups(cells, positive), _groups(cells, known & ~positive))
    found: dict[str, dict[str, Any] | None] = {}
    for name, value in figures.items():
        interval = intervals.get(f"{name} {number}")
        if value is None:
            found[f"{name}_interval"] = None
        elif name in trials:
            found[f"{name}_interval"] = _of_share(value, int(trials[name].sum()), interval, cells)
        else:
            found[f"{name}_interval"] = _of_few(value, fewest, interval, cells)
    return found


def _of_share(value: float, count: int, interval: Interval, cells: ScoredCells) -> dict[str, Any]:
    low, high = wilson(value * count, count)
    if cells.group_count == len(cells.known):
        return {"low": low, "high": high, "method": "wilson"}
    if interval is not None:
        low, high = min(low, interval[0]), max(high, interval[1])
    return {"low": low, "high": high, "method": f"{_method(cells)}, no narrower than wilson"}


def _of_few(value: float, fewest: int, interval: Interval, cells: ScoredCells) -> dict[str, Any]:
    if interval is None or fewest < FEWEST_RANKED:
        reason = f"none: {fewest} groups of pictures with or without the class, under {FEWEST_RANKED}"
        return {"low": None, "high": None, "method": reason}
    low, high = interval
    if low == high and value in (0.0, 1.0):
        least = wilson(fewest, fewest)[0]
        low, high = (least, 1.0) if value == 1.0 else (0.0, 1 - least)
        return {"low": low, "high": high, "method": "wilson, since all resamples are alike"}
    return {"low": min(low, value), "high": max(high, value), "method": _method(cells)}


def _method(cells: ScoredCells) -> str:
    return "bootstrap of groups" if cells.group_count < len(cells.known) else "bootstrap"


def _least_when_perfect(name: str, cells: ScoredCells) -> float:
    """Low end for a perfect score: Wilson's over groups; of means over classes, those of the classes combined."""
    if name not in MEANS:
        return wilson(cells.group_count, cells.group_count)[0]
    sizes = [_groups(cells, cells.positive[:, number]) for number in np.flatnonzero(cells.positive.any(axis=0))]
    return mean_of_proportions([1.0] * len(sizes), sizes)[0]


def _groups(cells: ScoredCells, chosen: Flags) -> int:
    """How many groups have a picture that is `chosen` [N]."""
    return len(np.unique(cells.groups[chosen]))
