"""Everything that a test split of masks tells. In: JudgedMasks. Out: dict, metrics.json. Next: calibrating.py.

N pictures, K classes. Pixels are counted over all pictures: IoU and Dice of a class are those of all its pixels together.
Pictures are drawn again, in whole groups, for the intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError
from tellapart.evaluation.chance import BINS
from tellapart.evaluation.intervals import Counts, Groups, bootstrap, group_numbers
from tellapart.tasks.segmentation.borders import TOLERANCE
from tellapart.tasks.segmentation.judging import JudgedMask

HEADLINE = "iou"
OVERALL = ("iou", "dice", "pixel_accuracy", "precision", "recall", "boundary_f1", "hausdorff95")
OF_CLASSES = ("iou", "dice", "precision", "recall", "boundary_f1", "hausdorff95")
_METHOD = "percentile bootstrap"

Doubles = NDArray[np.float64]
_Figures = Mapping[str, NDArray[np.floating]]


def evaluate(
    judged: Sequence[JudgedMask],
    *,
    classes: Sequence[str],
    common: int,
    background: int | None,
    groups: Groups | None,
    seed: int,
) -> dict[str, Any]:
    """Score N pictures; ready for JSON, with None where a figure is not defined.

    Figures are {value, low, high, method}, with 95 % intervals over whole `groups` [N]; means are over the classes that occur
    in the truth, also of a resample. `common` is the class that is told everywhere by who looks at nothing: the most frequent
    one of the training pictures. Raises: DataError where no pixel counts.
    """
    confusion = np.array([one.confusion for one in judged]).reshape(len(judged), len(classes), len(classes))
    if not confusion.sum():
        raise DataError(
            f"{len(judged)} test pictures, without a pixel that counts; a test needs one. Add pictures whose masks name classes."
        )
    borders, distances = np.array([one.borders for one in judged]), np.array([one.distances for one in judged])
    numbers = group_numbers(groups, len(judged))

    def statistics(times: Doubles) -> dict[str, NDArray[np.floating]]:
        return _figures(times, confusion, borders, distances)

    once = {name: float(value[0]) for name, value in statistics(np.ones((1, len(judged)))).items()}
    intervals = bootstrap(_resampled(statistics, numbers), group_count=int(numbers.max()) + 1, seed=seed)
    figure = {name: _figure(value, intervals.get(name)) for name, value in once.items()}
    said = np.array([one.told_parts for one in judged])
    true = np.array([one.true_parts for one in judged])
    things = [number for number in range(len(classes)) if number != background]
    return {
        "n": len(judged),
        "groups": int(numbers.max()) + 1,
        "pixels": int(confusion.sum()),
        **{name: figure[name] for name in OVERALL},
        "boundary_tolerance": TOLERANCE,
        "count_error": float(np.abs(said - true)[:, things].sum() / max(1, true[:, things].sum())),
        "per_class": _per_class(classes, confusion, figure, _parts(true, said, background), distances),
        "confusion": confusion.sum(0).tolist(),
        "nothing_learned": nothing_learned(confusion.sum(0), common, classes),
        **calibrated(np.sum([one.certain for one in judged], axis=0)),
        "confidence": float(np.mean([one.confidence for one in judged])),
        "things": np.sum([one.things for one in judged], axis=0)[:, things].sum(1).tolist(),
    }


def picture_figures(one: JudgedMask) -> dict[str, float | None]:
    """Mean IoU and Dice of the classes that occur in one picture's truth or answer, and the share of right pixels."""
    times, confusion = np.ones((1, 1)), one.confusion[None]
    shown = (one.confusion.sum(0) + one.confusion.sum(1)) > 0
    found = _overlaps(times, confusion)
    means = {name: found[name][0][shown] for name in ("iou", "dice")}
    accuracy = float(np.trace(one.confusion) / one.counted) if one.counted else None
    return {
        **{name: float(values.mean()) if len(values) else None for name, values in means.items()},
        "accuracy": accuracy,
    }


def calibrated(certain: NDArray[np.int64]) -> dict[str, Any]:
    """How far certainties are from frequencies, over all pixels that count; `certain` [2, 256] as a JudgedMask has it.

    Expected calibration error with 15 bins of equal width, as Guo et al. 2017, arXiv 1706.04599, eq. 3, and of each bin that has
    pixels its mean certainty, the share that is right, and how many there are. Pixels of a picture are alike, so that chance does
    more than their number says; no figure by chance is told.
    """
    said = np.arange(certain.shape[1]) / (certain.shape[1] - 1)
    bins = np.minimum((said * BINS).astype(np.int64), BINS - 1)
    count, right, sums = (np.bincount(bins, weights=values, minlength=BINS) for values in (*certain, certain[0] * said))
    there = count > 0
    rows = zip(sums[there] / count[there], right[there] / count[there], count[there], strict=True)
    return {
        "calibration_error": float(np.abs(right - sums).sum() / max(1, count.sum())),
        "reliability": [[float(mean), float(share), int(pixels)] for mean, share, pixels in rows],
    }


def nothing_learned(confusion: NDArray[np.int64], common: int, classes: Sequence[str]) -> dict[str, Any]:
    """What telling one class everywhere reaches: `confusion` [K, K] of a test split, `common` the class."""
    true = confusion.sum(1)
    always = np.zeros_like(confusion)
    always[:, common] = true
    found, there = _overlaps(np.ones((1, 1)), always[None]), true + always.sum(0) > 0
    return {
        "class": classes[common],
        "iou": float(found["iou"][0][there].mean()),
        "dice": float(found["dice"][0][there].mean()),
        "pixel_accuracy": float(true[common] / true.sum()),
    }


def _figures(
    times: Doubles, confusion: NDArray[np.int64], borders: NDArray[np.int64], distances: Doubles
) -> dict[str, NDArray[np.floating]]:
    """Figures [b], in all and by class, over how often each picture is there, [b, N]."""
    by_class = _overlaps(times, confusion) | _of_borders(times, borders, distances)
    pixels = times @ confusion.sum((1, 2))
    right = times @ np.trace(confusion, axis1=1, axis2=2)
    there = times @ (confusion.sum(1) + confusion.sum(2)) > 0  # [b, K]
    found: dict[str, NDArray[np.floating]] = {"pixel_accuracy": _ratio(right, pixels)}
    for name, values in by_class.items():
        # A class that is never told has no precision, and would make the mean better by being missed.
        found[name] = _mean(np.nan_to_num(values) if name in ("precision", "recall") else values, there)
        found |= {f"{name} {number}": values[:, number] for number in range(values.shape[1])}
    return found


def mean_overlap(times: Doubles, confusion: NDArray[np.int64]) -> Doubles:
    """Mean IoU [b] of `confusion` [N, K, K], over how often each picture is there, [b, N]."""
    there = times @ (confusion.sum(1) + confusion.sum(2)) > 0
    return _mean(_overlaps(times, confusion)["iou"], there)


def _overlaps(times: Doubles, confusion: NDArray[np.int64]) -> dict[str, Doubles]:
    """IoU, Dice, precision and recall [b, K], NaN where there is nothing of a class; `confusion` [N, K, K]."""
    both = times @ np.diagonal(confusion, axis1=1, axis2=2)
    true, told = times @ confusion.sum(2), times @ confusion.sum(1)
    return {
        "iou": _ratio(both, true + told - both),
        "dice": _ratio(2 * both, true + told),
        "precision": _ratio(both, told),
        "recall": _ratio(both, true),
    }


def _of_borders(times: Doubles, borders: NDArray[np.int64], distances: Doubles) -> dict[str, Doubles]:
    """Boundary F1 of all border pixels together, and the mean of the distances of pictures that have one, [b, K]."""
    told, right, true, found = (times @ borders[:, :, part] for part in range(4))
    precision, recall = _ratio(right, told), _ratio(found, true)
    # Of a class that is told and not there, or the other way round, no border is right.
    precision, recall = np.where(told > 0, precision, 0.0), np.where(true > 0, recall, 0.0)
    f1 = np.where(told + true > 0, np.nan_to_num(_ratio(2 * precision * recall, precision + recall)), np.nan)
    known = ~np.isnan(distances)
    return {"boundary_f1": f1, "hausdorff95": _ratio(times @ np.nan_to_num(distances), times @ known)}


def _parts(true: NDArray[np.int64], told: NDArray[np.int64], background: int | None) -> list[dict[str, Any]]:
    """Of each class the connected parts [N, K], true and told; a background has none, as in answers."""
    counts = [
        {"parts": int(true[:, number].sum()), "answered_parts": int(told[:, number].sum())}
        | {"count_miss": float(np.abs(true - told)[:, number].mean())}
        for number in range(true.shape[1])
    ]
    return [dict.fromkeys(one) if number == background else one for number, one in enumerate(counts)]


def _per_class(
    classes: Sequence[str],
    confusion: NDArray[np.int64],
    figure: Mapping[str, Any],
    parts: Sequence[Mapping[str, Any]],
    distances: Doubles,
) -> dict[str, dict[str, Any]]:
    true, told = confusion.sum(2), confusion.sum(1)
    measured = (~np.isnan(distances)).sum(0)
    return {
        name: {
            "pixels": int(true[:, number].sum()),
            "answered": int(told[:, number].sum()),
            "pictures": int((true[:, number] > 0).sum()),
            **parts[number],
            "distances": int(measured[number]),
            **{what: figure[f"{what} {number}"] for what in OF_CLASSES},
        }
        for number, name in enumerate(classes)
    }


def _resampled(statistics: Callable[[Doubles], _Figures], numbers: NDArray[np.int64]) -> Callable[[Counts], _Figures]:
    return lambda counts: statistics(counts.astype(np.float64)[:, numbers])


def _mean(values: Doubles, there: NDArray[np.bool_]) -> Doubles:
    """Over the classes [b, K] that are there and whose figure is defined, [b]."""
    known = there & ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(1), known.sum(1))


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> Doubles:
    """NaN where there is nothing."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0))


def _figure(value: float, interval: tuple[float, float] | None) -> dict[str, Any] | float | None:
    """With its interval, where there is one; None where it is not defined."""
    if math.isnan(value):
        return None
    if interval is None:
        return value
    low, high = interval
    return {"value": value, "low": min(low, value), "high": max(high, value), "method": _METHOD}
