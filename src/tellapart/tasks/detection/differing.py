"""How the boxes of two files differ. In: answers. Out: Difference, Resampling. Next: telling.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.boxes import overlaps
from tellapart.answers.detection import BoxesAnswer
from tellapart.bundle import DetectionRecord, Manifest
from tellapart.data.targets import Target
from tellapart.evaluation.differences import Difference, Resampling
from tellapart.evaluation.intervals import Counts
from tellapart.tasks.detection.counting import count
from tellapart.tasks.detection.evaluating import found_of, true_boxes
from tellapart.tasks.detection.matching import match
from tellapart.tasks.detection.scoring import affordable_resamples, mean_precisions

_SAME = 0.5  # IoU from which two boxes of one class are one answer


def differ(before: BoxesAnswer, after: BoxesAnswer) -> Difference:
    """Flipped is a box that is told and has no partner of its class, overlapping by half, among what the other file tells.

    The surest choose first, each the partner that it overlaps most; of those who find each other, the scores are compared.
    """
    first, second = before.told, after.told
    left = list(range(len(second)))
    largest = None
    for label, score, sides in first:
        of_class = [at for at in left if second[at][0] == label]
        if not of_class:
            continue
        shares = overlaps(np.array([sides]), np.array([second[at][2] for at in of_class]))[0]
        best = int(shares.argmax())
        if shares[best] >= _SAME:
            left.remove(of_class[best])
            largest = max(largest or 0.0, abs(score - second[of_class[best]][1]))
    pairs = len(second) - len(left)
    alone = len(first) + len(second) - 2 * pairs
    return Difference(flipped=alone, of=pairs + alone, largest=largest)


def resampled(
    manifest: Manifest, answers: Sequence[BoxesAnswer], targets: Sequence[Target], numbers: NDArray[np.int64]
) -> Resampling:
    """Average precision at an overlap of 0.5, over groups with these `numbers` [N]."""
    truths = [true_boxes(target, manifest.classes) for target in targets]
    matches = match([found_of(answer) for answer in answers], truths, len(manifest.classes))

    def precision(counts: Counts) -> NDArray[np.floating]:
        return mean_precisions(matches, counts.astype(np.int64)[:, numbers])

    return Resampling(values=precision, most=affordable_resamples(matches))


def picture_f1(manifest: Manifest, answer: BoxesAnswer, target: Target) -> float:
    """F1 of the boxes that are told, at an overlap of 0.5; 1 where there is nothing to find and nothing is told."""
    matches = match([found_of(answer)], [true_boxes(target, manifest.classes)], len(manifest.classes))
    counted = count(matches, np.array(manifest.record_of(DetectionRecord).thresholds))
    right, said, there = (float(one.sum()) for one in (counted.right, counted.said, counted.positives))
    return 2 * right / (said + there) if said + there else 1.0
