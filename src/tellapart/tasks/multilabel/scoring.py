"""Everything that a test split of sets tells. In: probabilities, targets, thresholds. Out: dict, metrics.json. Next: averaging.py.

Shapes: N pictures, K classes. Targets are 1 (in the set), 0 (not) or NaN (not known). A cell that is not known is left out: of
its class's figures, of the cells that are pooled, and of what a picture's set must agree in; a picture of which nothing is
known counts nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError
from tellapart.evaluation.chance import error_by_chance
from tellapart.evaluation.intervals import RESAMPLES, Counts, Groups, bootstrap, group_numbers
from tellapart.tasks.multilabel.averaging import Doubles, Flags, ScoredCells, contributions, quotients, statistics
from tellapart.tasks.multilabel.bounds import Interval, bound, class_bounds
from tellapart.tasks.multilabel.calibration import calibration_error
from tellapart.tasks.multilabel.ranking import auroc, average_precision, mean_of_present, rankings_of_resamples
from tellapart.tasks.multilabel.verdict import judge

HEADLINE = "mean_average_precision"
_STEPS = 400_000_000  # resamples x pictures x classes of the rankings: some seconds
_FEWEST_RESAMPLES = 100


def evaluate(
    probabilities: NDArray[np.floating],
    uncalibrated: NDArray[np.floating] | None,
    targets: NDArray[np.floating],
    *,
    classes: Sequence[str],
    thresholds: NDArray[np.floating],
    common: Sequence[str],
    groups: Groups | None,
    seed: int,
) -> dict[str, Any]:
    """Score a test split; ready for JSON, with None where a figure is not defined.

    `probabilities` and `uncalibrated` are [N, K], `targets` [N, K], `thresholds` [K] or of each picture [N, K], `groups` [N] or
    None; `common` is the training pictures' most common set. Figures are {value, low, high, method} with 95 % intervals by
    percentile bootstrap, of whole groups where any has two pictures; bounds.py says what is done where that cannot hold. The mean
    average precision is the macro mean over the classes with a known positive and a known negative; macro F1 over those
    with a positive; all as scikit-learn defines them. A resample that lacks a class leaves it out of its means.
    Raises: DataError without a picture of which anything is known.
    """
    cells = scored_cells(probabilities, targets, thresholds, groups)
    parts = contributions(cells)
    precisions = np.array([_rank(average_precision, cells, number) for number in cells.ranked.tolist()])
    mean = float(precisions.mean()) if len(precisions) else float("nan")
    values = {HEADLINE: mean, **quotients(cells, parts)}
    intervals = bootstrap(statistics(cells, parts), group_count=cells.group_count, seed=seed) | _ranked(cells, seed)
    figures = {name: bound(name, value, intervals.get(name), cells) for name, value in values.items()}
    baselines = _baselines(cells, classes, common)
    support = cells.positive.sum(axis=0)
    too_small, verdict = judge(figures[HEADLINE], support, classes, baselines["none"][HEADLINE])
    return {
        "n": len(cells.known),
        "groups": cells.group_count,
        **{name: figure.model_dump() for name, figure in figures.items()},
        "per_class": _per_class(cells, classes, thresholds, intervals),
        "co_occurrence": {"true": _together(cells.positive), "predicted": _together(cells.predicted)},
        "calibration_error": {
            "before": None if uncalibrated is None else calibration_error(uncalibrated, targets),
            "after": calibration_error(probabilities, targets),
            "by_chance": error_by_chance(probabilities[cells.known], seed=seed).as_json(),
        },
        "baselines": baselines,
        "unknown_cells": int((~cells.known).sum()),
        "too_small_to_tell": too_small,
        "verdict": verdict,
    }


def most_common_set(targets: NDArray[np.floating], classes: Sequence[str]) -> list[str]:
    """The set that most pictures of `targets` [N, K] have, of equal ones the smallest, then the first by the classes.

    Of pictures of which all is known; where there is none, what is not known counts as not there. N must not be 0.
    """
    known = ~np.isnan(targets).any(axis=1)
    sets, counts = np.unique(targets[known] if known.any() else targets == 1, axis=0, return_counts=True)
    sizes = sets.sum(axis=1)
    # Rows are sorted rising, and the set with the first class sorts last.
    best = np.lexsort((-np.arange(len(sets)), sizes, -counts))[0]
    return [classes[number] for number in np.flatnonzero(sets[best]).tolist()]


def scored_cells(
    probabilities: NDArray[np.floating],
    targets: NDArray[np.floating],
    thresholds: NDArray[np.floating],
    groups: Groups | None,
) -> ScoredCells:
    """Of a split as `evaluate` takes it. Raises: DataError without a picture of which anything is known; ValueError."""
    if probabilities.shape != targets.shape or probabilities.shape[1] != np.shape(thresholds)[-1]:
        raise ValueError(
            f"probabilities are {probabilities.shape}, targets {targets.shape}, thresholds {np.shape(thresholds)}; they must agree"
        )
    known = np.isfinite(targets)
    if not known.any():
        raise DataError(
            f"{len(targets)} test pictures, of none of which anything is known; a test needs at least 1. "
            "Add pictures to the test split."
        )
    numbers = group_numbers(groups, len(targets))
    return ScoredCells(
        probabilities=np.asarray(probabilities, dtype=np.float64),
        positive=np.nan_to_num(targets) > 0.5,
        known=known,
        # Compared as the answer is: with the float32 that the model gives.
        predicted=np.asarray(probabilities >= np.asarray(thresholds, dtype=probabilities.dtype)),
        groups=numbers,
        group_count=int(numbers.max()) + 1,
    )


def _rank(figure: Any, cells: ScoredCells, number: int) -> float:
    known = cells.known[:, number]
    return float(figure(cells.probabilities[known, number], cells.positive[known, number]))


def _ranked(cells: ScoredCells, seed: int) -> dict[str, Interval]:
    """Intervals of what ranks pictures."""
    if not len(cells.ranked):
        return {}
    measure = rankings_of_resamples(cells)

    def rankings(counts: Counts) -> dict[str, Doubles]:
        precisions, areas = measure(counts)
        found = {HEADLINE: mean_of_present(precisions)}
        for number, precision, area in zip(cells.ranked.tolist(), precisions, areas, strict=True):
            found |= {f"average_precision {number}": precision, f"auroc {number}": area}
        return found

    resamples = affordable_resamples(len(cells.known), len(cells.ranked))
    return bootstrap(rankings, group_count=cells.group_count, seed=seed, resamples=resamples)


def affordable_resamples(pictures: int, classes: int) -> int:
    """How many resamples are ranked: 1,000, or as many as take some seconds, but no fewer than 100."""
    return max(_FEWEST_RESAMPLES, min(RESAMPLES, _STEPS // max(1, pictures * classes)))


def _per_class(
    cells: ScoredCells, classes: Sequence[str], thresholds: NDArray[np.floating], intervals: dict[str, Interval]
) -> dict[str, dict[str, Any]]:
    ranked = set(cells.ranked.tolist())
    table = {}
    for number, name in enumerate(classes):
        known, positive = cells.known[:, number], cells.positive[:, number]
        predicted = cells.predicted[:, number] & known
        right, support, said = int((positive & predicted).sum()), int(positive.sum()), int(predicted.sum())
        both = number in ranked
        figures = {
            "precision": right / said if said else (0.0 if support else None),
            "recall": right / support if support else None,
            "f1": 2 * right / (support + said) if support else None,
            "average_precision": _rank(average_precision, cells, number) if both else None,
            "auroc": _rank(auroc, cells, number) if both else None,
        }
        table[name] = {
            "support": support,
            "negatives": int(known.sum()) - support,
            "unknown": int((~known).sum()),
            "predicted": said,
            "threshold": float(np.mean(thresholds[..., number])),
            **figures,
            **class_bounds(cells, number, figures, intervals),
        }
    return table


def _together(sets: Flags) -> list[list[int]]:
    """How many pictures hold both of two classes, [K][K]; of a class with itself, how many hold it."""
    numbers = sets.astype(np.int64)
    counts: list[list[int]] = (numbers.T @ numbers).tolist()
    return counts


def _baselines(cells: ScoredCells, classes: Sequence[str], common: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What always saying the same would give: nothing, and the training pictures' most common set."""
    often = np.array([name in common for name in classes])
    return {
        "none": _constant(cells, np.zeros(len(classes), dtype=np.bool_)),
        "most_common_set": {"set": list(common), **_constant(cells, often)},
    }


def _constant(cells: ScoredCells, said: Flags) -> dict[str, float]:
    """The same figures, but for the log loss: who is sure and wrong once has none."""
    same = ScoredCells(
        probabilities=np.broadcast_to(said.astype(np.float64), cells.known.shape),
        positive=cells.positive,
        known=cells.known,
        predicted=np.broadcast_to(said, cells.known.shape),
        groups=cells.groups,
        group_count=cells.group_count,
    )
    parts = {name: pair for name, pair in contributions(same).items() if name != "log_loss"}
    # Where all pictures have one place, the precision at it is the share that shows the class.
    prevalence: Doubles = cells.positive.sum(axis=0) / np.maximum(cells.known.sum(axis=0), 1)
    ranked = cells.ranked
    return {HEADLINE: float(prevalence[ranked].mean()) if len(ranked) else 0.0, **quotients(same, parts)}
