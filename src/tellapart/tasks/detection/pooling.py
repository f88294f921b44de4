"""Several tests of boxes as one. In: FoldAnswers, targets. Out: Pooled. Next: scoring.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.boxes import FoundBoxes
from tellapart.answers.detection import BoxesAnswer
from tellapart.bundle import DetectionRecord, TaskRecord
from tellapart.data.targets import Boxes, Target
from tellapart.tasks.detection.matching import truth_of
from tellapart.tasks.detection.scoring import evaluate
from tellapart.tasks.folds import FoldAnswers, Pooled, with_known


def answers_as_arrays(answers: Sequence[BoxesAnswer]) -> dict[str, NDArray[Any]]:
    """The boxes of n pictures, one after the other: how many each has [n], `boxes` [M, 4], `scores` [M], `labels` [M].

    Raises: ValueError for a picture that could not be read.
    """
    found = []
    for answer in answers:
        if answer.boxes is None or answer.scores is None or answer.labels is None:
            raise ValueError(f"{answer.path} could not be read: {answer.error}")
        found.append((answer.boxes, answer.scores, answer.labels))
    boxes, scores, labels = zip(*found, strict=True)
    return {
        "count": np.array([len(one) for one in scores], dtype=np.int64),
        "boxes": np.concatenate(boxes),
        "scores": np.concatenate(scores),
        "labels": np.concatenate(labels),
    }


def pool(
    parts: Sequence[FoldAnswers],
    targets: Sequence[Target],
    *,
    classes: tuple[str, ...],
    groups: NDArray[np.int64],
    record: TaskRecord,
    beside: Mapping[str, Any],
    seed: int,
) -> Pooled:
    """Every picture by the network that had not seen it. Average precisions rank the calibrated scores of all folds together;
    figures at a threshold count each picture's boxes by its own network's thresholds.
    """
    records = [_record(part.record) for part in parts]
    truths = [truth_of(target, classes) for target in targets if isinstance(target, Boxes)]
    metrics = evaluate(
        [answer for part in parts for answer in _answers(part)],
        truths,
        classes=classes,
        thresholds=np.concatenate(
            [
                np.tile(np.array(own.thresholds)[:, None], len(part.array("count")))
                for own, part in zip(records, parts, strict=True)
            ],
            axis=1,
        ),
        groups=groups,
        seed=seed,
    )
    if "abstention" not in beside or any("novelty" not in part.arrays for part in parts):
        return Pooled(metrics=metrics, beside={}, record=record)
    lines = [own.novelty_threshold for own in records]
    return with_known(parts, lines, _record(record), metrics=metrics, beside=beside, groups=groups, seed=seed)


def _answers(part: FoldAnswers) -> list[FoundBoxes]:
    cuts = np.cumsum(part.array("count"))[:-1]
    boxes, scores, labels = (np.split(part.array(name), cuts) for name in ("boxes", "scores", "labels"))
    return [FoundBoxes(boxes=b, scores=s, labels=n) for b, s, n in zip(boxes, scores, labels, strict=True)]


def _record(record: TaskRecord) -> DetectionRecord:
    if not isinstance(record, DetectionRecord):
        raise ValueError(f"a record of {record.kind} where boxes are pooled")
    return record
