"""A test of boxes in words. In: metrics.json's figures. Out: lines for a terminal. Next: sections.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart.reporter import figure, percent

_SCORES = {
    "ap50": "AP at IoU 0.5",
    "ap75": "AP at IoU 0.75",
    "ap": "AP at IoU 0.5 to 0.95",
    "precision": "precision of told boxes",
    "recall": "recall of told boxes",
    "f1": "F1 of told boxes",
    "count_error": "error of counts",
}
_KINDS = {
    "class": "of another class",
    "place": "badly placed",
    "both": "both",
    "copy": "told twice",
    "background": "where nothing is",
    "missed": "missed",
}
KEPT = {
    "probe": "a detector on the frozen backbone",
    "finetune": "the first answer's detector, trained on with the upper stages of its backbone",
    "scratch": "a detector trained from random weights",
}
_MOST_CLASSES = 20  # that the table shows
_LEAST_LOST = 0.005  # of average precision, that a kind of error is told for


def summary(metrics: Mapping[str, Any]) -> list[str]:
    """What a person wants to know first of metrics.json: how good, on how many, and where it errs."""
    test = metrics["test"]
    lines = [
        f"Average precision at IoU 0.5 on {test['n']:,} test pictures with {test['boxes']:,} boxes: {_shown(test['ap50'])}.",
        f"At 0.75 {_shown(test['ap75'])}; mean of 0.5 to 0.95 {_shown(test['ap'])}.",
        f"Boxes told: {_shown(test['precision'])} are right. True ones: {_shown(test['recall'])} are found.",
        f"Counts are off by {_shown(test['count_error'])}.",
    ]
    lost = {_KINDS[kind]: one["lost"] for kind, one in test["error_kinds"].items() if one["lost"] >= _LEAST_LOST}
    if lost:
        worst = sorted(lost, key=lambda kind: -lost[kind])[:3]
        told = ", ".join(f"{kind} {percent(lost[kind])}" for kind in worst)
        lines.append(f"Average precision lost to boxes that are: {told}.")
    return [*lines, "", *_classes(test["per_class"])]


def _classes(per_class: Mapping[str, Any]) -> list[str]:
    """The table of classes; of many the first twenty."""
    lines = [f"{'class':<24}{'boxes':>6}{'threshold':>11}{'precision':>11}{'recall':>9}{'F1':>9}{'AP50':>9}{'AP':>9}"]
    for name, row in list(per_class.items())[:_MOST_CLASSES]:
        cells = [_percent(row[key]) for key in ("precision", "recall", "f1", "ap50", "ap")]
        lines.append(
            f"{name[:23]:<24}{row['boxes']:>6}{row['threshold']:>11.3f}{cells[0]:>11}"
            + "".join(f"{cell:>9}" for cell in cells[1:])
        )
    if len(per_class) > _MOST_CLASSES:
        lines.append(f"... and {len(per_class) - _MOST_CLASSES} more classes, in metrics.json")
    return lines


def decided(metrics: Mapping[str, Any]) -> str:
    """How the decision was set, in a line of metrics.json."""
    rule = metrics["threshold_rule"]
    told = f"boxes     a threshold a class, for the {'best F1' if rule == 'f1' else rule} on validation"
    known = (metrics.get("abstention") or {}).get("known")
    return told if known is None else f"{told}; {_shown(known)} of test pictures are not unknown"


def scored(metrics: Mapping[str, Any]) -> list[str]:
    """The figures of one evaluation, a line each."""
    lines = [f"{'pictures':<26}{metrics['n']:,}", f"{'boxes':<26}{metrics['boxes']:,}"]
    return [*lines, *(f"{told:<26}{_shown(metrics[name])}" for name, told in _SCORES.items() if name in metrics)]


def _shown(found: Any) -> str:
    """A figure with its interval, where it has one."""
    if found is None:
        return "-"
    if not isinstance(found, Mapping):
        return percent(found)
    return figure("", found["value"], found["low"], found["high"])


def _percent(found: Any) -> str:
    if found is None:
        return "-"
    return percent(found["value"] if isinstance(found, Mapping) else found)
