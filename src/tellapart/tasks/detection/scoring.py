"""Everything that a test split of boxes tells. In: answers, truths, thresholds. Out: dict, metrics.json. Next: matching.py.

Shapes: N pictures, K classes. What is difficult or a crowd counts neither way. Pictures are drawn again, in whole groups, for the
intervals; what was answered is matched once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError
from tellapart.evaluation.intervals import RESAMPLES, Counts, Groups, bootstrap, group_numbers
from tellapart.tasks.detection.average_precision import class_precisions, coco_figures
from tellapart.tasks.detection.counting import CountedBoxes, confusion, count, count_errors, precision_recall_f1
from tellapart.tasks.detection.error_kinds import error_kinds
from tellapart.tasks.detection.matching import OVERLAPS, Answered, ClassMatches, Doubles, TrueBoxes, match
from tellapart.tasks.detection.voc_precision import voc_precisions

HEADLINE = "ap50"
_METHOD = "percentile bootstrap"
_STEPS = 40_000_000  # resamples x answers x overlaps: some seconds
_FEWEST_RESAMPLES = 100

_Statistics = Callable[[Counts], Mapping[str, NDArray[np.floating]]]


def evaluate(
    answers: Sequence[Answered],
    truths: Sequence[TrueBoxes],
    *,
    classes: Sequence[str],
    thresholds: NDArray[np.floating],
    groups: Groups | None,
    seed: int,
) -> dict[str, Any]:
    """Score N pictures; ready for JSON, with None where a figure is not defined.

    `thresholds` [K], or of each picture [K, N], are the scores from which a class is answered; average precisions look at all
    answers. Figures are {value, low, high, method}, with 95 % intervals over whole `groups` [N]. Means are over the classes with
    a true box that counts.
    Raises: DataError where there is no such box; ValueError where the sequences do not agree.
    """
    matches = match(answers, truths, len(classes))
    counted = count(matches, thresholds)
    if not counted.positives.sum():
        raise DataError(
            f"{len(truths)} test pictures, without a box that counts; a test needs one. Add pictures with boxes to the test split."
        )
    numbers = group_numbers(groups, len(truths))
    group_count = int(numbers.max()) + 1
    intervals = bootstrap(_resampled(counted, numbers), group_count=group_count, seed=seed) | bootstrap(
        _precisions_resampled(matches, numbers),
        group_count=group_count,
        seed=seed,
        resamples=affordable_resamples(matches),
    )
    once = np.ones((1, len(truths)))
    at_thresholds = {name: float(value[0]) for name, value in _counts(counted, once).items() if " " not in name}
    values = {**coco_figures(matches), **at_thresholds}
    found = {name: _figure(value, intervals.get(name)) for name, value in values.items()}
    voc = voc_precisions(answers, truths, len(classes))
    return {
        "n": len(truths),
        "groups": group_count,
        "boxes": int(counted.positives.sum()),
        **found,
        "voc_ap": _known(float(np.nanmean(voc))),
        "per_class": _per_class(matches, counted, classes, thresholds, voc, intervals),
        "confusion": confusion(answers, truths, matches, thresholds).tolist(),
        "error_kinds": error_kinds(answers, truths, matches),
    }


def affordable_resamples(matches: Sequence[ClassMatches]) -> int:
    """How many resamples are ranked: 1,000, or as many as take some seconds, but no fewer than 100."""
    cells = len(OVERLAPS) * sum(len(one.scores) for one in matches)
    return max(_FEWEST_RESAMPLES, min(RESAMPLES, _STEPS // max(1, cells)))


def mean_precisions(matches: Sequence[ClassMatches], times: NDArray[np.integer]) -> Doubles:
    """Average precision at an overlap of 0.5, the mean of the classes, [b], where each picture is there so often, [b, N]."""
    return _mean(np.stack([class_precisions(one, times)[0] for one in matches]))


def _precisions_resampled(matches: Sequence[ClassMatches], numbers: NDArray[np.int64]) -> _Statistics:
    """Average precisions of resamples, in all and by class."""

    def statistics(counts: Counts) -> dict[str, NDArray[np.floating]]:
        times = counts.astype(np.int64)[:, numbers]
        by_class = np.stack([class_precisions(one, times) for one in matches])  # [K, T, b]
        found: dict[str, NDArray[np.floating]] = {
            "ap": _mean(by_class.mean(axis=1)),
            "ap50": _mean(by_class[:, 0]),
            "ap75": _mean(by_class[:, 5]),
        }
        for number, one in enumerate(by_class):
            found |= {f"ap {number}": one.mean(axis=0), f"ap50 {number}": one[0]}
        return found

    return statistics


def _resampled(counted: CountedBoxes, numbers: NDArray[np.int64]) -> _Statistics:
    """What counts boxes at the thresholds, of resamples."""

    def statistics(counts: Counts) -> Mapping[str, NDArray[np.floating]]:
        return _counts(counted, counts.astype(np.float64)[:, numbers])

    return statistics


def _counts(counted: CountedBoxes, times: Doubles) -> dict[str, NDArray[np.floating]]:
    """Figures [b] at the thresholds, in all and by class, over how often each picture is there, [b, N]."""
    parts = [times @ one.T for one in (counted.right, counted.said, counted.positives)]  # [b, K] each
    precision, recall, f1 = precision_recall_f1(*(part.sum(axis=1) for part in parts))
    errors = count_errors(counted, times)
    by_class = dict(zip(("precision", "recall", "f1"), precision_recall_f1(*parts), strict=True))
    by_class["count_miss"] = errors.pop("count_miss")
    found: dict[str, NDArray[np.floating]] = {"precision": precision, "recall": recall, "f1": f1, **errors}
    for name, values in by_class.items():
        found |= {f"{name} {number}": values[:, number] for number in range(values.shape[1])}
    return found


def _per_class(
    matches: Sequence[ClassMatches],
    counted: CountedBoxes,
    classes: Sequence[str],
    thresholds: NDArray[np.floating],
    voc: Doubles,
    intervals: Mapping[str, tuple[float, float] | None],
) -> dict[str, dict[str, Any]]:
    once = _counts(counted, np.ones((1, counted.positives.shape[1])))
    table = {}
    for number, (name, one) in enumerate(zip(classes, matches, strict=True)):
        precisions = class_precisions(one)[:, 0]
        values = {
            "ap": float(precisions.mean()),
            "ap50": float(precisions[0]),
            "precision": float(once[f"precision {number}"][0]),
            "recall": float(once[f"recall {number}"][0]),
            "f1": float(once[f"f1 {number}"][0]),
            "count_miss": float(once[f"count_miss {number}"][0]),
        }
        table[name] = {
            "boxes": int(counted.positives[number].sum()),
            "pictures": int((counted.positives[number] > 0).sum()),
            "answered": int(counted.said[number].sum()),
            "threshold": float(np.mean(thresholds[number])),
            "ap75": _known(float(precisions[5])),
            "voc_ap": _known(float(voc[number])),
            **{what: _figure(value, intervals.get(f"{what} {number}")) for what, value in values.items()},
        }
    return table


def _figure(value: float, interval: tuple[float, float] | None) -> dict[str, Any] | float | None:
    """With its interval, where there is one; None where it is not defined."""
    if math.isnan(value):
        return None
    if interval is None:
        return value
    low, high = interval
    return {"value": value, "low": min(low, value), "high": max(high, value), "method": _METHOD}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _mean(values: Doubles) -> Doubles:
    """Over the classes [K, b] that a resample has, [b]; NaN where it has none."""
    known = ~np.isnan(values)
    whole = np.where(known, values, 0.0).sum(axis=0)
    number = known.sum(axis=0)
    return np.asarray(np.divide(whole, number, out=np.full(whole.shape, np.nan), where=number > 0))
