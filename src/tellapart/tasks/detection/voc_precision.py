"""Average precision, as Pascal VOC defines it. In: answers, truths. Out: figures by class. Next: scoring.py.

Unlike COCO's, an answer is held against the box that it covers most, even if that is found already; difficult boxes count
neither way. The area is that under the whole curve, as since 2010.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tellapart.tasks.detection.average_precision import Ranked, area_under_curve
from tellapart.tasks.detection.matching import Answered, Doubles, TrueBoxes, box_overlaps

_OVERLAP = 0.5  # which must be passed


def voc_precisions(answers: Sequence[Answered], truths: Sequence[TrueBoxes], class_count: int) -> Doubles:
    """Of each class, [K]; NaN for one without a true box that counts.

    Source: Everingham et al. 2010, IJCV 88:303-338, sections 4.2 and 4.4, and the development kit's VOCevaldet.m; sides are
    taken as they are, without a pixel more.
    """
    return np.array([area_under_curve(_ranked(answers, truths, number)) for number in range(class_count)])


def _ranked(answers: Sequence[Answered], truths: Sequence[TrueBoxes], number: int) -> Ranked:
    own = [np.flatnonzero(answer.labels == number) for answer in answers]
    picture = np.repeat(np.arange(len(answers)), [len(places) for places in own])
    place = np.concatenate(own)
    scores = np.concatenate([answer.scores[places] for answer, places in zip(answers, own, strict=True)])
    boxes = [np.flatnonzero(truth.labels == number) for truth in truths]
    taken: set[tuple[int, int]] = set()
    right, kept = [], []
    for index in np.argsort(-scores, kind="stable").tolist():
        page = int(picture[index])
        truth, there = truths[page], boxes[page]
        best, overlap = -1, 0.0
        if len(there):
            row = box_overlaps(
                answers[page].boxes[place[index]][None], truth.boxes[there], np.zeros(len(there), dtype=np.bool_)
            )[0]
            best, overlap = int(there[row.argmax()]), float(row.max())
        if overlap > _OVERLAP and truth.ignored[best]:
            continue
        right.append(overlap > _OVERLAP and (page, best) not in taken)
        kept.append(page)
        if right[-1]:
            taken.add((page, best))
    positives = [int((~truth.ignored[there]).sum()) for truth, there in zip(truths, boxes, strict=True)]
    return Ranked(
        right=np.array(right, dtype=np.bool_),
        picture=np.array(kept, dtype=np.int64),
        positives=np.array(positives, dtype=np.int64),
    )
