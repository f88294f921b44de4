"""A test of one class an item in words. In: metrics.json's figures. Out: lines for a terminal. Next: classification/telling.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tellapart.evaluation.abstention import most_useful
from tellapart.evaluation.chance import told
from tellapart.reporter import figure, percent

_SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "top_5", "auroc", "log_loss", "brier")
_MOST_CLASSES = 20  # that the table shows


def summary(metrics: Mapping[str, Any], item: str) -> list[str]:
    """What a person wants to know first of metrics.json: how good, on how many, compared with what, and where it errs."""
    test = metrics["test"]
    score = test["accuracy"]
    return [
        f"Accuracy on {test['n']:,} test {item}s: {figure('accuracy', score['value'], score['low'], score['high'])}.",
        _worded(test["verdict"], item)
        if test["too_small_to_tell"]
        else f"Always saying the most common class would give {percent(test['majority_baseline'])}.",
        "",
        *_classes(test["per_class"]),
        *_confusion(test),
    ]


def _classes(per_class: Mapping[str, Any]) -> list[str]:
    """The table of classes; of many the first twenty."""
    lines = [f"{'class':<24}{'test':>6}{'recall':>9}{'precision':>11}{'F1':>8}"]
    for name, row in list(per_class.items())[:_MOST_CLASSES]:
        cells = [("-" if row[key] is None else percent(row[key])) for key in ("recall", "precision", "f1")]
        lines.append(f"{name[:23]:<24}{row['support']:>6}{cells[0]:>9}{cells[1]:>11}{cells[2]:>8}")
    if len(per_class) > _MOST_CLASSES:
        lines.append(f"... and {len(per_class) - _MOST_CLASSES} more classes, in metrics.json")
    return lines


def _confusion(metrics: Mapping[str, Any]) -> list[str]:
    """How often each class was taken for which, a row a true class; of more than twenty classes none."""
    names, counts = list(metrics["per_class"]), metrics.get("confusion_matrix")
    if counts is None or len(names) > _MOST_CLASSES:
        return []
    width = max(4, *(len(f"{count:,}") for row in counts for count in row)) + 1
    numbers = "".join(f"{number:>{width}}" for number in range(1, len(names) + 1))
    lines = ["", f"{'true class, told as':<28}{numbers}"]
    for number, (name, row) in enumerate(zip(names, counts, strict=True), 1):
        cells = "".join(f"{f'{count:,}' if count else '.':>{width}}" for count in row)
        lines.append(f"{number:>3} {name[:23]:<24}{cells}")
    return lines


def decided(metrics: Mapping[str, Any], item: str) -> str:
    """How often the set of likely classes held the true one, in a line of metrics.json."""
    measured = metrics["abstention"]
    found, size = measured["coverage"], measured["mean_set_size"]
    useless = ", too many to be of use" if size > most_useful(len(measured["per_class"])) else ""
    return (
        f"sets      hold the true class of {figure('coverage', found['value'], found['low'], found['high'])}; "
        f"wanted {percent(measured['wanted'])}; {size:.2f} classes a {item} on average{useless}"
    )


def scored(metrics: Mapping[str, Any], item: str) -> list[str]:
    """The figures of one evaluation, a line each."""
    lines = [f"{item + 's':<20}{metrics['n']:,}"]
    for name in _SCORES:
        found = metrics.get(name)
        if isinstance(found, dict) and found.get("value") is not None:
            lines.append(f"{name.replace('_', ' '):<20}{figure(name, found['value'], found['low'], found['high'])}")
    lines.append(f"{'calibration error':<20}{told(metrics['calibration_error'])}")
    if "abstention" in metrics:
        lines += _abstention(metrics["abstention"])
    lines.append(_worded(metrics["verdict"], item))
    if "per_class" in metrics:
        lines += ["", *_classes(metrics["per_class"]), *_confusion(metrics)]
    return lines


def _abstention(measured: Mapping[str, Any]) -> list[str]:
    found, known = measured["coverage"], measured["known"]
    held = figure("coverage", found["value"], found["low"], found["high"])
    wanted = f"wanted {percent(measured['wanted'])}; {measured['mean_set_size']:.3g} classes a set"
    lines = [f"{'true class in set':<20}{held}; {wanted}"]
    if known is not None:
        lines.append(f"{'not unknown':<20}{figure('known', known['value'], known['low'], known['high'])}")
    return lines


def _worded(verdict: str, item: str) -> str:
    """The verdict of a test, of whatever is tested."""
    return verdict if item == "picture" else re.sub(r"\btest picture", f"test {item}", verdict)
