"""A test of sets in words. In: metrics.json's figures. Out: lines for a terminal. Next: sections.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart.evaluation.chance import told
from tellapart.evaluation.choosing import LINEAR_KEPT
from tellapart.reporter import figure, percent

_SCORES = (
    "mean_average_precision",
    "micro_f1",
    "macro_f1",
    "subset_accuracy",
    "hamming_loss",
    "label_ranking_average_precision",
    "log_loss",
)
KEPT = LINEAR_KEPT
_MOST_CLASSES = 20  # that the table shows


def summary(metrics: Mapping[str, Any]) -> list[str]:
    """What a person wants to know first of metrics.json: how good, on how many, compared with what, and where it errs."""
    test = metrics["test"]
    score, baselines = test["mean_average_precision"], test["baselines"]
    lines = [
        f"Mean average precision on {test['n']:,} test pictures: {_shown('mean_average_precision', score)}.",
        f"F1 of the named labels: {_shown('micro_f1', test['micro_f1'])}; mean over classes {percent(test['macro_f1']['value'])}.",
    ]
    if test["too_small_to_tell"]:
        lines.append(test["verdict"])
    else:
        common = baselines["most_common_set"]
        names = " and ".join(repr(name) for name in common["set"]) or "none"
        lines.append(
            f"Guessing would give {percent(baselines['none']['mean_average_precision'])}; always naming the most common set, "
            f"{names}, an F1 of {percent(common['micro_f1'])}."
        )
    return [*lines, "", *_classes(test["per_class"])]


def _classes(per_class: Mapping[str, Any]) -> list[str]:
    """The table of classes; of many the first twenty."""
    lines = [f"{'class':<24}{'test':>6}{'threshold':>11}{'precision':>11}{'recall':>9}{'F1':>9}{'AP':>9}"]
    for name, row in list(per_class.items())[:_MOST_CLASSES]:
        cells = [
            "-" if row[key] is None else percent(row[key]) for key in ("precision", "recall", "f1", "average_precision")
        ]
        lines.append(
            f"{name[:23]:<24}{row['support']:>6}{row['threshold']:>11.3f}{cells[0]:>11}{cells[1]:>9}{cells[2]:>9}{cells[3]:>9}"
        )
    if len(per_class) > _MOST_CLASSES:
        lines.append(f"... and {len(per_class) - _MOST_CLASSES} more classes, in metrics.json")
    return lines


def decided(metrics: Mapping[str, Any]) -> str:
    """How the decision was set, and how many known pictures are kept, in a line of metrics.json."""
    rule = metrics["threshold_rule"]
    how = "best F1" if rule == "f1" else rule
    known = metrics["abstention"]["known"]
    kept = (
        "no picture is called unknown"
        if known is None
        else f"{_shown('known', known)} of test pictures are not unknown"
    )
    mean = (metrics.get("kfold") or {}).get("kept") == "ensemble"
    return f"labels    a threshold a class, for the {how} {'of all folds' if mean else 'on validation'}; {kept}"


def scored(metrics: Mapping[str, Any]) -> list[str]:
    """The figures of one evaluation, a line each."""
    lines = [f"{'pictures':<34}{metrics['n']:,}"]
    lines += [f"{name.replace('_', ' '):<34}{_shown(name, metrics[name])}" for name in _SCORES if name in metrics]
    lines.append(f"{'calibration error':<34}{told(metrics['calibration_error'])}")
    known = metrics.get("abstention", {}).get("known")
    if known is not None:
        lines.append(f"{'not unknown':<34}{_shown('known', known)}")
    return [*lines, metrics["verdict"]]


def _shown(name: str, found: Mapping[str, Any]) -> str:
    return figure(name, found["value"], found["low"], found["high"])
