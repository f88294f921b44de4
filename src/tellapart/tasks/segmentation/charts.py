"""Charts of the report of masks. In: metrics.json's figures, a MaskTable. Out: Charts. Next: shown_masks.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tellapart.reporting.facts import Chart
from tellapart.reporting.figures import draw_reliability, draw_stacked
from tellapart.reporting.phrases import Phrases
from tellapart.runs.answered_masks import MaskLine
from tellapart.tasks.segmentation.judging import SIZES

_RANGES = 10  # of a picture's IoU


def reliability_chart(test: Mapping[str, Any], phrases: Phrases) -> Chart:
    """How often pixels are right against how certain they are."""
    points = [(mean, share, share, share) for mean, share, _ in test["reliability"]]
    return Chart(
        title="reliability",
        svg=draw_reliability([], points, x=phrases("masks_certainty"), y=phrases("masks_share_right")),
        lead=("masks_reliability_lead", {"error": f"{test['calibration_error']:.3f}"}),
    )


def sizes_chart(test: Mapping[str, Any], phrases: Phrases) -> Chart | None:
    """How many true parts of each range of sizes were found; None where there is none."""
    whole, found = np.array(test["things"])
    there = np.flatnonzero(whole)
    if not len(there):
        return None
    ranges = range(int(there[0]), int(there[-1]) + 1)
    return Chart(
        title="masks_sizes",
        svg=draw_stacked(
            [_range_name(one) for one in ranges],
            [int(found[one]) for one in ranges],
            [int(whole[one] - found[one]) for one in ranges],
            x=phrases("masks_size"),
            y=phrases("masks_parts"),
        ),
        legend=[(phrases("boxes_found"), 1, False), (phrases("boxes_missed_short"), 4, False)],
        lead=("masks_sizes_lead", {}),
    )


def pictures_chart(lines: Sequence[MaskLine], phrases: Phrases) -> Chart:
    """How many pictures have which mean IoU."""
    values = np.array([line.iou for line in lines if line.iou is not None], dtype=np.float64)
    counts = np.bincount(np.minimum((values * _RANGES).astype(np.int64), _RANGES - 1), minlength=_RANGES)
    names = [f"≥ {number / _RANGES:g}" for number in range(_RANGES)]
    first = int(np.flatnonzero(counts)[0]) if len(values) else 0
    return Chart(
        title="masks_pictures",
        svg=draw_stacked(
            names[first:], counts[first:].tolist(), [0] * (_RANGES - first), x="IoU", y=phrases("pictures")
        ),
        lead=("masks_pictures_lead", {}),
    )


def _range_name(place: int) -> str:
    """Sides of squares of as many pixels: 1, up to 2, up to 4 and so on."""
    if place == 0:
        return "1"
    return f"> {2 ** (place - 1)}" if place == SIZES - 1 else f"≤ {2**place}"
