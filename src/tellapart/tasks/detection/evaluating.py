"""A detector's file against pictures with boxes. In: answers, targets. Out: figures, JSON lines. Next: scoring.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.detection import BoxesAnswer
from tellapart.answers.predictions import write_lines
from tellapart.bundle import DetectionRecord, Manifest
from tellapart.data.examples import Entry, Example
from tellapart.data.targets import Boxes, Target
from tellapart.evaluation.intervals import Groups
from tellapart.tasks.detection.matching import TrueBoxes, truth_of
from tellapart.tasks.detection.scoring import evaluate

_DIGITS = 7  # a float32 carries so many
_DIFFICULT, _CROWD = 1, 2  # marks of a true box; 0 for others


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GivenBoxes:
    """What was answered for one picture, told or not."""

    boxes: NDArray[np.float32]  # [M, 4], in pixels of the picture
    scores: NDArray[np.float32]  # [M]
    labels: NDArray[np.int64]  # [M]


def score(
    manifest: Manifest,
    answers: Sequence[BoxesAnswer],
    targets: Sequence[Target],
    *,
    groups: Groups | None,
    seed: int,
) -> dict[str, Any]:
    """What a model file says of n pictures that could be read, against their true boxes, in pixels; ready for JSON.

    Average precisions look at every box that the file gives, figures at a threshold at those that the model's own thresholds tell.
    Raises: DataError where there is no true box that counts.
    """
    return evaluate(
        [found_of(answer) for answer in answers],
        [true_boxes(target, manifest.classes) for target in targets],
        classes=manifest.classes,
        thresholds=np.array(manifest.record_of(DetectionRecord).thresholds),
        groups=groups,
        seed=seed,
    )


def write_answers(path: Path, manifest: Manifest, entries: Sequence[Entry], answers: Sequence[BoxesAnswer]) -> None:
    """What a model file says of n pictures that could be read, as a run's predictions.jsonl has it. Raises: StorageError."""
    write_lines(path, map(box_row, entries, answers))


def box_row(picture: Entry | Example, answer: BoxesAnswer) -> dict[str, Any]:
    """One picture as predictions.jsonl has it; sides in pixels of the upright picture.

    `truth` is [label, left, top, right, bottom, mark] each, the mark 1 of a difficult box, 2 of a crowd's, else 0; `answer` is
    [label, score, left, top, right, bottom] of every box that the file gives, the most certain first.
    """
    found = found_of(answer)
    return {
        "path": str(picture.path),
        "width": answer.width,
        "height": answer.height,
        "truth": [
            [box.label, box.left, box.top, box.right, box.bottom, _CROWD if box.crowd else _DIFFICULT * box.difficult]
            for box in _boxes(picture.target).boxes
        ],
        "answer": [
            [answer.classes[label], *(float(f"{value:.{_DIGITS}g}") for value in (certainty, *sides))]
            for label, certainty, sides in zip(
                found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True
            )
        ],
    }


def found_of(answer: BoxesAnswer) -> GivenBoxes:
    """What is matched with true boxes. Raises: ValueError for an unread picture, which was not to be scored."""
    if answer.boxes is None or answer.scores is None or answer.labels is None:
        raise ValueError(f"{answer.path} could not be read: {answer.error}")
    return GivenBoxes(boxes=answer.boxes, scores=answer.scores, labels=answer.labels)


def true_boxes(target: Target, classes: Sequence[str]) -> TrueBoxes:
    """What is true of a picture. Raises: ValueError for another task's target."""
    return truth_of(_boxes(target), classes)


def _boxes(target: Target) -> Boxes:
    if not isinstance(target, Boxes):
        raise ValueError(f"a target of {type(target).__name__} where boxes are scored")
    return target
