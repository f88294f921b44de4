"""Everything that a test split tells. In: probabilities, labels, groups. Out: dict, metrics.json. Next: verdict.py.

Shapes: N pictures, K classes, G groups, b resamples of the bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Score
from tellapart.errors import DataError
from tellapart.evaluation.calibration import Surest
from tellapart.evaluation.chance import error_by_chance, expected_error
from tellapart.evaluation.exact import Exact, Rows, exact_of
from tellapart.evaluation.intervals import Counts, Groups, bootstrap, group_numbers, mean_of_proportions, wilson
from tellapart.evaluation.ranking import auroc, auroc_of_resamples
from tellapart.evaluation.totals import sum_by_group
from tellapart.evaluation.verdict import FEWEST, judge

Doubles = NDArray[np.float64]

_FEWEST_RANKED = 5  # the same for AUROC, which compares each with all the others

_TOP = 5
MOST_CROSSED = 1_000  # classes that are told apart pair by pair
_SMALLEST = float(np.finfo(np.float64).eps)  # below it a probability counts as this, as in scikit-learn's log_loss


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    """The test split, checked."""

    rows: NDArray[np.int64]  # [N], of what was given
    exact: Exact  # [N, K]
    labels: NDArray[np.int64]  # [N]
    predicted: NDArray[np.int64]  # [N]
    sure: NDArray[np.floating]  # [N], the probability of that
    groups: NDArray[np.int64]  # [N], from 0
    group_count: int  # G
    support: NDArray[np.int64]  # [K], test pictures of each class


def evaluate(
    probabilities: NDArray[np.floating],
    uncalibrated: Surest | None,
    labels: NDArray[np.integer],
    *,
    rows: Rows | None = None,
    classes: Sequence[str],
    groups: Groups | None,
    seed: int,
) -> dict[str, Any]:
    """Score a test split; ready for JSON, with None where a figure is not defined.

    `probabilities` are [M, K], `uncalibrated` what was named before they were calibrated, or None, `labels` [M] in 0..K-1,
    `groups` [M] or None; the test split is those N that `rows` names, None for all. Figures are {value, low, high, method}
    with 95 % intervals: Wilson's for the accuracy, else percentile bootstrap, of whole groups where any has two pictures, which
    then also widens the accuracy's. A class without test pictures is left out of balanced accuracy and macro averages. Brier's
    score is the sum over classes, in [0, 2], as in Brier 1950, Monthly Weather Review 78:1-3; the calibration error is
    described in chance.py, with what chance alone does to it, the AUROC in ranking.py.
    Raises: DataError without pictures.
    """
    if probabilities.shape != (len(labels), len(classes)):
        raise ValueError(f"probabilities are {probabilities.shape}; expected ({len(labels)}, {len(classes)})")
    test = _take(probabilities, labels, groups, rows)
    averages = _averages(test)
    figures = _figures(test, averages, seed)
    baseline = float(test.support.max() / len(test.labels))
    too_small, verdict = judge(figures["accuracy"], test.support, classes)
    present = test.support > 0
    return {
        "n": len(test.labels),
        "groups": test.group_count,
        **{name: figure.model_dump() for name, figure in figures.items()},
        "auroc": figures["auroc"].model_dump() if "auroc" in figures else None,
        "auroc_missing": _missing(test.support, classes),
        "top_5": figures["top_5"].model_dump() if "top_5" in figures else None,
        "macro_precision": float(averages[0][present].mean()),
        "macro_recall": float(averages[1][present].mean()),
        "per_class": _per_class(test, averages, classes),
        # The square of 10,000 classes is a hundred million numbers, of which next to all are 0.
        "confusion_matrix": None
        if len(classes) > MOST_CROSSED
        else confusions(test.labels, test.predicted, len(classes)).tolist(),
        "calibration_error": {
            "before": None
            if uncalibrated is None
            else expected_error(uncalibrated.chances[test.rows], uncalibrated.classes[test.rows] == test.labels),
            "after": expected_error(test.sure, test.predicted == test.labels),
            "by_chance": error_by_chance(test.sure, seed=seed).as_json(),
        },
        "majority_baseline": baseline,
        "too_small_to_tell": too_small,
        "verdict": verdict,
    }


def _take(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], groups: Groups | None, rows: Rows | None
) -> _Test:
    every = np.arange(len(labels)) if rows is None else rows
    if len(every) == 0:
        raise DataError("0 test pictures; a test needs at least 1. Add pictures to the test split.")
    numbers = group_numbers(None if groups is None else np.asarray(groups)[every], len(every))
    taken = np.asarray(labels, dtype=np.int64)[every]
    return _Test(
        rows=every,
        exact=exact_of(probabilities, rows),
        labels=taken,
        # Of the probabilities as given: rounding must not decide otherwise here than in predictions.csv.
        predicted=np.asarray(probabilities.argmax(axis=1), dtype=np.int64)[every],
        sure=probabilities.max(axis=1)[every],
        groups=numbers,
        group_count=int(numbers.max()) + 1,
        support=np.bincount(taken, minlength=probabilities.shape[1]),
    )


def confusions(labels: NDArray[np.integer], predicted: NDArray[np.integer], class_count: int) -> NDArray[np.int64]:
    """How many pictures of each class were taken for each, [K, K], rows by `labels` [N], columns by `predicted` [N]."""
    cells = labels.astype(np.int64) * class_count + predicted
    return np.bincount(cells, minlength=class_count**2).reshape(class_count, class_count)


def _averages(test: _Test) -> tuple[Doubles, Doubles, Doubles]:
    """Precision, recall and F1 of each class, [K] each; 0 where there is nothing to divide by, as in scikit-learn."""
    class_count = len(test.support)
    right = np.bincount(test.labels[test.labels == test.predicted], minlength=class_count)
    predicted = np.bincount(test.predicted, minlength=class_count)

    def share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Doubles:
        return np.asarray(np.divide(part, whole, out=np.zeros(class_count), where=whole > 0))

    return share(right, predicted), share(right, test.support), share(2 * right, predicted + test.support)


def _figures(test: _Test, averages: tuple[Doubles, Doubles, Doubles], seed: int) -> dict[str, Score]:
    """The headline figures with their intervals."""
    present = test.support > 0
    contributions = _contributions(test)
    values = {
        "accuracy": float((test.labels == test.predicted).mean()),
        "balanced_accuracy": float(averages[1][present].mean()),
        "macro_f1": float(averages[2][present].mean()),
        **{name: float(contribution.mean()) for name, contribution in contributions.items()},
    }
    areas = None
    if present.all():
        values["auroc"] = auroc(test.exact, test.labels)
        areas = auroc_of_resamples(test.exact, test.labels, test.groups)
    intervals = bootstrap(_statistics(test, contributions, areas), group_count=test.group_count, seed=seed)
    grouped = test.group_count < len(test.labels)
    figures = {name: _figure(name, value, intervals.get(name), test, grouped) for name, value in values.items()}
    figures["accuracy"] = _accuracy(figures["accuracy"], len(test.labels), grouped)
    for name in ("balanced_accuracy", "macro_f1", "auroc"):
        if name in figures:
            figures[name] = _with_few(figures[name], name, test, averages[1])
    return figures


def _accuracy(figure: Score, count: int, grouped: bool) -> Score:
    """Wilson's interval; of grouped pictures the bootstrap's, which is too narrow for few groups, made no narrower."""
    low, high = wilson(figure.value * count, count)
    if not grouped:
        return Score(value=figure.value, low=low, high=high, method="wilson")
    low, high = min(low, figure.low or 0.0), max(high, 1.0 if figure.high is None else figure.high)
    method = f"{figure.method}, no narrower than wilson" if figure.method.startswith("bootstrap") else figure.method
    return Score(value=figure.value, low=low, high=high, method=method)


def _contributions(test: _Test) -> dict[str, Doubles]:
    """What each picture adds to the figures that are plain means, [N] each."""
    own, squares, above = np.empty((3, len(test.labels)))
    for part, probabilities in test.exact.parts():
        of_label = np.take_along_axis(probabilities, test.labels[part, None], axis=1)
        own[part], above[part] = of_label[:, 0], (probabilities > of_label).sum(axis=1)
        squares[part] = [np.square(row).sum() for row in probabilities]
    contributions = {"log_loss": -np.log(np.clip(own, _SMALLEST, 1.0)), "brier": squares - 2 * own + 1}
    if len(test.exact) > _TOP:
        contributions["top_5"] = (above < _TOP).astype(np.float64)
    return contributions


def _statistics(
    test: _Test, contributions: Mapping[str, Doubles], areas: Callable[[Counts], Doubles] | None
) -> Callable[[Counts], dict[str, Doubles]]:
    """A function from counts [b, G] to the figures [b] of each resample, by name."""
    class_count = len(test.support)
    rows = [test.labels[test.labels == test.predicted], class_count + test.labels, 2 * class_count + test.predicted]
    rows += [np.full(len(test.labels), 3 * class_count + index) for index in range(len(contributions))]
    groups = [test.groups[test.labels == test.predicted], *[test.groups] * (2 + len(contributions))]
    values = [np.ones(len(rows[0])), *[np.ones(len(test.labels))] * 2, *contributions.values()]
    shape = (3 * class_count + len(contributions), test.group_count)
    sums = sum_by_group(np.concatenate(rows), np.concatenate(values), np.concatenate(groups), shape)

    def statistics(counts: Counts) -> dict[str, Doubles]:
        totals = sums.of(counts).astype(np.float64)
        right, support, predicted = totals[: 3 * class_count].reshape(3, class_count, -1)
        pictures = support.sum(axis=0)
        present = support > 0
        recall = np.divide(right, support, out=np.zeros_like(right), where=present)
        f1 = np.divide(2 * right, support + predicted, out=np.zeros_like(right), where=present)
        figures = {
            "accuracy": right.sum(axis=0) / pictures,
            "balanced_accuracy": recall.sum(axis=0) / present.sum(axis=0),
            "macro_f1": f1.sum(axis=0) / present.sum(axis=0),
        }
        for name, total in zip(contributions, totals[3 * class_count :], strict=True):
            figures[name] = total / pictures
        if areas is not None:
            figures["auroc"] = areas(counts)
        return figures

    return statistics


def _figure(name: str, value: float, interval: tuple[float, float] | None, test: _Test, grouped: bool) -> Score:
    bounded = name not in ("log_loss", "brier")
    if test.group_count == 1 or interval is None:
        low, high = (0.0, 1.0) if bounded else (None, None)
        reason = "one group cannot be resampled" if test.group_count == 1 else "no resample holds every class"
        return Score(value=value, low=low, high=high, method=f"none: {reason}")
    low, high = interval
    if bounded and low == high and value in (0.0, 1.0):
        # Resampling nothing but successes gives nothing but successes, however few they are.
        least = _least_when_perfect(name, test)
        low, high = (least, 1.0) if value == 1.0 else (0.0, 1 - least)
        return Score(value=value, low=low, high=high, method="wilson, since all resamples are alike")
    # Rounding of the resamples' sums must not put the value outside.
    low, high = min(low, value), max(high, value)
    return Score(value=value, low=low, high=high, method="bootstrap of groups" if grouped else "bootstrap")


def _least_when_perfect(name: str, test: _Test) -> float:
    """Low end for a perfect score: Wilson's over groups; of means over classes, those of the classes combined."""
    if name in ("accuracy", "top_5"):
        return wilson(test.group_count, test.group_count)[0]
    sizes = _groups_of_classes(test)
    return mean_of_proportions([1.0] * len(sizes), sizes)[0]


def _groups_of_classes(test: _Test) -> list[int]:
    """How many groups the test split has of each class that it has at all."""
    pairs = np.unique(np.stack([test.labels, test.groups]), axis=1)
    sizes = np.bincount(pairs[0])
    return [int(size) for size in sizes if size > 0]


def _with_few(figure: Score, name: str, test: _Test, recalls: Doubles) -> Score:
    """The figure with an interval that holds where a class has few test groups, or with none and the reason.

    A resample may then lack the class, or hold one picture of it again and again, and the bootstrap says nonsense.
    """
    sizes = _groups_of_classes(test)
    few = min(sizes)
    if name == "balanced_accuracy" and few < FEWEST:
        low, high = mean_of_proportions(recalls[test.support > 0].tolist(), sizes)
        return Score(value=figure.value, low=low, high=high, method="wilson of each class, combined")
    least = FEWEST if name == "macro_f1" else _FEWEST_RANKED
    if few < least and figure.value not in (0.0, 1.0):
        reason = f"none: a class has {few} test picture{'' if few == 1 else 's'} or groups, under {least}"
        return Score(value=figure.value, low=None, high=None, method=reason)
    return figure


def _per_class(
    test: _Test, averages: tuple[Doubles, Doubles, Doubles], classes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    predicted = np.bincount(test.predicted, minlength=len(classes))
    table = {}
    for number, name in enumerate(classes):
        precision, recall, f1 = (float(average[number]) for average in averages)
        support = int(test.support[number])
        low, high = wilson(recall * support, support)
        table[name] = {
            "precision": precision if predicted[number] or support else None,
            "recall": recall if support else None,
            "f1": f1 if support else None,
            "support": support,
            "recall_interval": {"low": low, "high": high, "method": "wilson"} if support else None,
        }
    return table


def _missing(support: NDArray[np.int64], classes: Sequence[str]) -> str | None:
    absent = [classes[number] for number in np.flatnonzero(support == 0).tolist()]
    if not absent:
        return None
    names = ", ".join(repr(name) for name in absent[:5]) + (" ..." if len(absent) > 5 else "")
    return f"AUROC needs test pictures of every class; there are none of {names}."
