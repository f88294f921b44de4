"""A test of masks in words. In: metrics.json's figures. Out: lines for a terminal. Next: scoring.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart.reporter import counted, figure, percent

_SCORES = {
    "iou": "IoU, mean of classes",
    "dice": "Dice, mean of classes",
    "pixel_accuracy": "pixels that are right",
    "precision": "precision, mean",
    "recall": "recall, mean",
    "boundary_f1": "F1 of borders, mean",
}
KEPT = {
    "probe": "a pixel probe on the frozen encoder",
    "finetune": "the network trained on from the encoder's pretrained weights",
    "scratch": "a network trained from random weights",
}
_MOST_CLASSES = 20  # that the table shows


def summary(metrics: Mapping[str, Any]) -> list[str]:
    """What a person wants to know first of metrics.json: how good, on how many, and beside what."""
    test = metrics["test"]
    nothing = test["nothing_learned"]
    lines = [
        f"Mean IoU on {counted(test['n'], 'test picture')} with {test['pixels']:,} pixels that count: {_shown(test['iou'])}.",
        f"Mean Dice {_shown(test['dice'])}; {_shown(test['pixel_accuracy'])} of pixels are right.",
        (
            f"Borders within {test['boundary_tolerance']} pixels: F1 {_shown(test['boundary_f1'])}. "
            f"Hausdorff's distance of 95 %: {_pixels(test['hausdorff95'])}."
        ),
        (
            f"Telling {nothing['class']!r} everywhere would have IoU {percent(nothing['iou'])}, Dice "
            f"{percent(nothing['dice'])}, and {percent(nothing['pixel_accuracy'])} of pixels right."
        ),
    ]
    probe = metrics.get("probe_test")
    if probe is not None:
        lines.append(f"The pixel probe has IoU {_shown(probe['iou'])}, Dice {_shown(probe['dice'])}.")
    return [*lines, "", *_classes(test["per_class"])]


def _classes(per_class: Mapping[str, Any]) -> list[str]:
    """The table of classes; of many the first twenty."""
    lines = [
        f"{'class':<24}{'pixels':>12}{'IoU':>9}{'Dice':>9}{'precision':>11}{'recall':>9}{'border F1':>11}{'parts':>8}{'told':>8}"
    ]
    for name, row in list(per_class.items())[:_MOST_CLASSES]:
        cells = [_percent(row[key]) for key in ("iou", "dice", "precision", "recall", "boundary_f1")]
        lines.append(
            f"{name[:23]:<24}{row['pixels']:>12,}{cells[0]:>9}{cells[1]:>9}{cells[2]:>11}{cells[3]:>9}{cells[4]:>11}"
            f"{_count(row['parts']):>8}{_count(row['answered_parts']):>8}"
        )
    if len(per_class) > _MOST_CLASSES:
        lines.append(f"... and {len(per_class) - _MOST_CLASSES} more classes, in metrics.json")
    return lines


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def decided(metrics: Mapping[str, Any]) -> str:
    """How the decision was set, in a line of metrics.json."""
    calibration = metrics.get("calibration")
    told = "pixels    the most probable class, of the mean of the networks"  # each of which was calibrated by itself
    if calibration is not None:
        temperature = f"temperature {calibration['temperature']:.3f} by {calibration['pixels']:,} pixels"
        told = f"pixels    the most probable class; {temperature}"
    known = (metrics.get("abstention") or {}).get("known")
    return told if known is None else f"{told}; {_shown(known)} of test pictures are not unknown"


def scored(metrics: Mapping[str, Any]) -> list[str]:
    """The figures of one evaluation, a line each."""
    lines = [f"{'pictures':<26}{metrics['n']:,}", f"{'pixels':<26}{metrics['pixels']:,}"]
    lines += [f"{told:<26}{_shown(metrics[name])}" for name, told in _SCORES.items()]
    return [*lines, f"{'Hausdorff 95 %':<26}{_pixels(metrics['hausdorff95'])}"]


def _shown(found: Any) -> str:
    """A figure with its interval, where it has one."""
    if found is None:
        return "-"
    if not isinstance(found, Mapping):
        return percent(found)
    return figure("", found["value"], found["low"], found["high"])


def _pixels(found: Any) -> str:
    """A distance with its interval."""
    if found is None:
        return "-"
    return f"{found['value']:.1f} pixels ({found['low']:.1f} to {found['high']:.1f})"


def _percent(found: Any) -> str:
    if found is None:
        return "-"
    return percent(found["value"] if isinstance(found, Mapping) else found)
