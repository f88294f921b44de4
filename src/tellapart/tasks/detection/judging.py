"""Average precision of an epoch, as COCO defines it. In: found and true boxes. Out: AP50, AP75, AP. Next: learner.py.

Only what decides between epochs: no intervals, no sizes. N pictures, M boxes of the picture that has most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.boxes import FoundBoxes, overlaps

THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))  # IoU from which on a box is the true one
_RECALLS = np.linspace(0, 1, 101)
_NEVER = -1.0  # the overlap of a true box that is taken


def judge_boxes(found: Sequence[FoundBoxes], truth: NDArray[np.floating]) -> Mapping[str, float]:
    """AP50 at an IoU of 0.5, AP75, and AP over 0.5 to 0.95, each the mean over the classes that have a box that counts.

    `truth` [N, M, 6]: class, left, top, right, bottom, and 1 for a difficult box, which counts neither way; rows of NaN are none.
    Without any box that counts all are 0. Source: Lin et al. 2014, arXiv 1405.0312, as pycocotools computes it.
    """
    known = truth[~np.isnan(truth[..., 0])]
    classes = np.unique(known[known[:, 5] != 1, 0]).astype(int).tolist()
    by_class = [_precisions(found, truth, label) for label in classes]
    means = np.mean(by_class, axis=0) if by_class else np.zeros(len(THRESHOLDS))
    return {"AP50": float(means[0]), "AP75": float(means[5]), "AP": float(means.mean())}


def _precisions(found: Sequence[FoundBoxes], truth: NDArray[np.floating], label: int) -> NDArray[np.float64]:
    """The average precision of one class at each of THRESHOLDS."""
    scores, hits, counted, wanted = [], [], [], 0
    for one, rows in zip(found, truth, strict=True):
        chosen = np.flatnonzero(one.labels == label)
        chosen = chosen[np.argsort(-one.scores[chosen], kind="stable")]
        own = rows[rows[:, 0] == label]
        own = own[np.argsort(own[:, 5], kind="stable")]  # difficult ones last: they are taken only where no other fits
        wanted += int((own[:, 5] != 1).sum())
        hit, counts = _matched(overlaps(one.boxes[chosen], own[:, 1:5]), own[:, 5] == 1)
        scores.append(one.scores[chosen])
        hits.append(hit)
        counted.append(counts)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hit, counts = np.concatenate(hits, axis=1)[:, order], np.concatenate(counted, axis=1)[:, order]
    return np.array([_area(one[which], wanted) for one, which in zip(hit, counts, strict=True)])


def _matched(overlap: NDArray[np.float64], difficult: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of n found boxes, the most certain first, is a true one that is left, and which count: bool [10, n] each."""
    hit = np.zeros((len(THRESHOLDS), len(overlap)), dtype=np.bool_)
    counts = np.ones_like(hit)
    if not overlap.size:
        return hit, counts
    for number, threshold in enumerate(THRESHOLDS):
        left = overlap.copy()
        for place in range(len(left)):
            able = left[place] >= threshold
            able = able & ~difficult if (able & ~difficult).any() else able
            if able.any():
                taken = int(np.where(able, left[place], _NEVER).argmax())
                left[:, taken] = _NEVER
                hit[number, place], counts[number, place] = not difficult[taken], not difficult[taken]
    return hit, counts


def _area(hits: NDArray[np.bool_], wanted: int) -> float:
    """The mean precision at 101 recalls, of found boxes in order."""
    right = np.cumsum(hits)
    precision = right / np.arange(1, len(hits) + 1)
    best_after = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(right / wanted, _RECALLS, side="left")
    return float(np.where(reached < len(hits), np.append(best_after, 0.0)[reached], 0.0).mean())
