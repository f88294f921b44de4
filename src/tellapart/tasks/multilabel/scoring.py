"""Everything that a test split of sets tells. In: probabilities, targets, thresholds. Out: dict, metrics.json. Next: testing.py.

Shapes: N pictures, K classes. Targets are 1 (in the set), 0 (not) or NaN (not known); a cell that is not known counts in no figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Score
from tellapart.errors import DataError
from tellapart.evaluation.intervals import RESAMPLES, Groups, bootstrap, group_numbers, mean_of_proportions, wilson
from tellapart.tasks.multilabel.averaging import (
    Cells,
    Doubles,
    Flags,
    average_precision,
    contributions,
    precision_of_resamples,
    statistics,
)

FEWEST = 10  # test pictures that show a class, for its figures to tell something
WIDEST = 0.10  # an interval of the headline figure wider than this tells too little
HEADLINE = "mean_average_precision"
_LOSSES = ("log_loss",)  # without an upper limit
_STEPS = 400_000_000  # resamples x pictures x classes of the rankings: some seconds
_FEWEST_RESAMPLES = 100
_BINS = 15


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

    `probabilities` and `uncalibrated` are [N, K], `targets` [N, K], `thresholds` [K], `groups` [N] or None; `common` is the
    training pictures' most common set. Figures are {value, low, high, method} with 95 % intervals by percentile
    bootstrap, of whole groups where any has two pictures. The mean average precision is the macro mean over the classes
    with a known positive and a known negative; macro F1 over those with a positive; all as scikit-learn defines them.
    Raises: DataError without a picture of which anything is known.
    """
    cells = _check(probabilities, targets, thresholds, groups)
    parts = contributions(cells)
    ones = np.ones((1, cells.group_count), dtype=np.float32)
    measure = statistics(cells, parts)
    values = {HEADLINE: _mean_precision(cells), **{name: float(found[0]) for name, found in measure(ones).items()}}
    # The resamples' sums have single precision.
    values |= {name: float(part.sum() / whole.sum()) for name, (part, whole) in parts.items()}
    intervals = bootstrap(measure, group_count=cells.group_count, seed=seed) | _ranked_interval(cells, seed)
    figures = {name: _figure(name, value, intervals.get(name), cells) for name, value in values.items()}
    baselines = _baselines(cells, classes, common)
    too_small, verdict = _judge(figures[HEADLINE], cells, classes, baselines["none"][HEADLINE])
    return {
        "n": len(cells.known),
        "groups": cells.group_count,
        **{name: figure.model_dump() for name, figure in figures.items()},
        "per_class": _per_class(cells, classes, thresholds),
        "co_occurrence": {"true": _together(cells.positive), "predicted": _together(cells.predicted)},
        "calibration_error": {
            "before": None if uncalibrated is None else calibration_error(uncalibrated, targets),
            "after": calibration_error(probabilities, targets),
        },
        "baselines": baselines,
        "unknown_cells": int((~cells.known).sum()),
        "too_small_to_tell": too_small,
        "verdict": verdict,
    }


def _check(
    probabilities: NDArray[np.floating],
    targets: NDArray[np.floating],
    thresholds: NDArray[np.floating],
    groups: Groups | None,
) -> Cells:
    if probabilities.shape != targets.shape or probabilities.shape[1] != len(thresholds):
        raise ValueError(
            f"probabilities are {probabilities.shape}, targets {targets.shape}, thresholds {len(thresholds)}; they must agree"
        )
    known = np.isfinite(targets)
    if not known.any():
        raise DataError(
            f"{len(targets)} test pictures, of none of which anything is known; a test needs at least 1. "
            "Add pictures to the test split."
        )
    numbers = group_numbers(groups, len(targets))
    return Cells(
        probabilities=np.asarray(probabilities, dtype=np.float64),
        positive=np.nan_to_num(targets) > 0.5,
        known=known,
        # Compared as the answer is: with the float32 that the model gives.
        predicted=np.asarray(probabilities >= np.asarray(thresholds, dtype=probabilities.dtype)),
        groups=numbers,
        group_count=int(numbers.max()) + 1,
    )


def _mean_precision(cells: Cells) -> float:
    found = [_class_precision(cells, number) for number in cells.ranked.tolist()]
    return float(np.mean(found)) if found else float("nan")


def _class_precision(cells: Cells, number: int) -> float:
    known = cells.known[:, number]
    return average_precision(cells.probabilities[known, number], cells.positive[known, number])


def _ranked_interval(cells: Cells, seed: int) -> dict[str, tuple[float, float] | None]:
    """The mean average precision's; with fewer resamples where pictures times classes are very many."""
    if not len(cells.ranked):
        return {HEADLINE: None}
    measure = precision_of_resamples(cells)
    affordable = _STEPS // max(1, len(cells.known) * len(cells.ranked))
    resamples = max(_FEWEST_RESAMPLES, min(RESAMPLES, affordable))
    return bootstrap(
        lambda counts: {HEADLINE: measure(counts)}, group_count=cells.group_count, seed=seed, resamples=resamples
    )


def _figure(name: str, value: float, interval: tuple[float, float] | None, cells: Cells) -> Score:
    if np.isnan(value):
        return Score(value=0.0, low=0.0, high=1.0, method="none: no class has a positive and a negative picture")
    bounded = name not in _LOSSES
    if cells.group_count == 1 or interval is None:
        low, high = (0.0, 1.0) if bounded else (None, None)
        return Score(value=value, low=low, high=high, method="none: one group cannot be resampled")
    low, high = interval
    if bounded and low == high and value in (0.0, 1.0):
        # Resampling nothing but successes gives nothing but successes, however few they are.
        least = _least_when_perfect(name, cells)
        low, high = (least, 1.0) if value == 1.0 else (0.0, 1 - least)
        return Score(value=value, low=low, high=high, method="wilson, since all resamples are alike")
    grouped = cells.group_count < len(cells.known)
    # Rounding of the resamples' sums must not put the value outside.
    low, high = min(low, value), max(high, value)
    return Score(value=value, low=low, high=high, method="bootstrap of groups" if grouped else "bootstrap")


def _least_when_perfect(name: str, cells: Cells) -> float:
    """Low end for a perfect score: Wilson's over groups; of means over classes, those of the classes combined."""
    if name not in (HEADLINE, "macro_f1"):
        return wilson(cells.group_count, cells.group_count)[0]
    sizes = [
        len(np.unique(cells.groups[cells.positive[:, number]])) for number in np.flatnonzero(cells.positive.any(axis=0))
    ]
    return mean_of_proportions([1.0] * len(sizes), sizes)[0]


def calibration_error(probabilities: NDArray[np.floating], targets: NDArray[np.floating], bins: int = _BINS) -> float:
    """Expected calibration error in [0, 1] over all known cells, in bins of equal width, open below.

    `probabilities` and `targets` are [N, K]. Source: Guo et al. 2017, arXiv 1706.04599, eq. 3, of the class's own probability.
    """
    known = np.isfinite(targets)
    said, true = probabilities[known].astype(np.float64), targets[known].astype(np.float64)
    bin_of = np.digitize(said, np.linspace(0.0, 1.0, bins + 1)[1:-1], right=True)
    gaps = np.bincount(bin_of, weights=true - said, minlength=bins)
    return float(np.abs(gaps).sum() / len(said))


def _per_class(cells: Cells, classes: Sequence[str], thresholds: NDArray[np.floating]) -> dict[str, dict[str, Any]]:
    from sklearn.metrics import roc_auc_score

    ranked = set(cells.ranked.tolist())
    table = {}
    for number, name in enumerate(classes):
        known, positive = cells.known[:, number], cells.positive[:, number]
        predicted = cells.predicted[:, number] & known
        right, support, said = int((positive & predicted).sum()), int(positive.sum()), int(predicted.sum())
        both = number in ranked
        scores = cells.probabilities[known, number]
        table[name] = {
            "support": support,
            "negatives": int(known.sum()) - support,
            "unknown": int((~known).sum()),
            "predicted": said,
            "threshold": float(thresholds[number]),
            "precision": right / said if said else (0.0 if support else None),
            "recall": right / support if support else None,
            "f1": 2 * right / (support + said) if support else None,
            "average_precision": _class_precision(cells, number) if both else None,
            "auroc": float(roc_auc_score(positive[known], scores)) if both else None,
        }
    return table


def _together(sets: Flags) -> list[list[int]]:
    """How many pictures hold both of two classes, [K][K]; of a class with itself, how many hold it."""
    numbers = sets.astype(np.int64)
    counts: list[list[int]] = (numbers.T @ numbers).tolist()
    return counts


def _baselines(cells: Cells, classes: Sequence[str], common: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What always saying the same would give: nothing, and the training pictures' most common set."""
    often = np.array([name in common for name in classes])
    return {
        "none": _constant(cells, np.zeros(len(classes), dtype=np.bool_)),
        "most_common_set": {"set": list(common), **_constant(cells, often)},
    }


def _constant(cells: Cells, said: Flags) -> dict[str, float]:
    predicted = np.broadcast_to(said, cells.known.shape)
    same = Cells(
        probabilities=np.broadcast_to(said.astype(np.float64), cells.known.shape),
        positive=cells.positive,
        known=cells.known,
        predicted=predicted,
        groups=cells.groups,
        group_count=cells.group_count,
    )
    ones = np.ones((1, cells.group_count), dtype=np.float32)
    wrong = {name: pair for name, pair in contributions(same).items() if name in ("hamming_loss", "subset_accuracy")}
    figures: dict[str, float] = {name: float(found[0]) for name, found in statistics(same, wrong)(ones).items()}
    prevalence: Doubles = cells.positive.sum(axis=0) / np.maximum(cells.known.sum(axis=0), 1)
    ranked = cells.ranked
    return {HEADLINE: float(prevalence[ranked].mean()) if len(ranked) else 0.0, **figures}


def _judge(figure: Score, cells: Cells, classes: Sequence[str], baseline: float) -> tuple[bool, str]:
    """Whether the test split is too small to tell how good the model is, and a sentence that says so or not."""
    low, high = figure.low or 0.0, 1.0 if figure.high is None else figure.high
    support = cells.positive.sum(axis=0)
    reasons = []
    if high - low > WIDEST:
        reasons.append(f"the interval is {100 * (high - low):.0f} points wide")
    if low <= baseline <= high:
        reasons.append(f"it may be no better than the {_percent(baseline)} of guessing")
    few = [(classes[number], int(support[number])) for number in np.flatnonzero(support < FEWEST).tolist()]
    reasons += [
        f"class {name!r} is in {size} test picture{'' if size == 1 else 's'} ({FEWEST - size} more would make {FEWEST})"
        for name, size in few[:3]
    ]
    if len(few) > 3:
        reasons.append(f"{len(few) - 3} more classes are in fewer than {FEWEST}")
    known = f"the mean average precision is {_percent(figure.value)} (95 %: {_percent(low)} to {_percent(high)})"
    if reasons:
        return True, f"Too small a test to tell: {known}; {'; '.join(reasons)}."
    comparison = "above" if low > baseline else "below"
    return False, f"The test is large enough: {known}, {comparison} the {_percent(baseline)} of guessing."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
