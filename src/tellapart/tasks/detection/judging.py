"""Average precision of an epoch. In: found and true boxes. Out: AP, AP50, AP75. Next: matching.py.

N pictures, M boxes of the picture that has most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.boxes import FoundBoxes
from tellapart.tasks.detection.average_precision import coco_figures
from tellapart.tasks.detection.matching import Answered, ClassMatches, TrueBoxes, match

# AP first, by which epochs are ranked: AP50 hardly tells one late epoch from the next, and not at all how well boxes fit.
_FIGURES = {"AP": "ap", "AP50": "ap50", "AP75": "ap75"}


def judge_boxes(found: Sequence[FoundBoxes], truth: NDArray[np.floating], class_count: int) -> dict[str, float]:
    """AP over IoUs of 0.5 to 0.95, AP50 at 0.5, AP75: means over the classes with a box that counts, 0 without any.

    `truth` [N, M, 6]: class, left, top, right, bottom, and 1 for a difficult box, which counts neither way; rows of NaN are none.
    """
    return _judged(match_found(found, truth, class_count))


def judge_within(edges: NDArray[np.floating]) -> Callable[..., dict[str, float]]:
    """The same where only a part of each square [N, 4] shows its picture: boxes are cut at its edges, as an answer's are."""

    def judge(found: Sequence[FoundBoxes], truth: NDArray[np.floating], class_count: int) -> dict[str, float]:
        low, high = edges[:, :2], edges[:, 2:]
        cut = [
            replace(one, boxes=one.boxes.reshape(-1, 2, 2).clip(low[at], high[at]).reshape(-1, 4))
            for at, one in enumerate(found)
        ]
        return judge_boxes(cut, truth, class_count)

    return judge


def judge_pictures(found: Sequence[Answered], truths: Sequence[TrueBoxes], class_count: int) -> dict[str, float]:
    """The same by the true boxes of N pictures."""
    return _judged(match(found, truths, class_count))


def _judged(matches: Sequence[ClassMatches]) -> dict[str, float]:
    figures = coco_figures(matches)
    values = {name: figures[key] for name, key in _FIGURES.items()}
    return {name: 0.0 if math.isnan(value) else value for name, value in values.items()}


def match_found(found: Sequence[FoundBoxes], truth: NDArray[np.floating], class_count: int) -> list[ClassMatches]:
    """Which found boxes of N pictures are the true ones of `truth` [N, M, 6], class by class."""
    return match(found, [_truth(rows[~np.isnan(rows[:, 0])]) for rows in truth], class_count)


def _truth(rows: NDArray[np.floating]) -> TrueBoxes:
    return TrueBoxes(
        boxes=rows[:, 1:5].astype(np.float64),
        labels=rows[:, 0].astype(np.int64),
        ignored=rows[:, 5] == 1,
        crowd=np.zeros(len(rows), dtype=np.bool_),
    )
