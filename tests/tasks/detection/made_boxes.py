"""Made-up pictures with true and answered boxes. In: a seed. Out: Answer, TrueBoxes. Next: test_matching.py."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tellapart.tasks.detection.matching import TrueBoxes


@dataclass(frozen=True)
class Answer:
    """One picture's answers."""

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


def made(
    seed: int, *, pictures: int = 25, classes: int = 3, crowds: float = 0.1, decimals: int = 2
) -> tuple[list[Answer], list[TrueBoxes]]:
    """Boxes of all sizes, answers near and far; some pictures without either. Fewer decimals make more equal scores."""
    generator = np.random.default_rng(seed)
    answers, truths = [], []
    for _ in range(pictures):
        count = int(generator.integers(0, 12))
        corner = generator.uniform(0, 400, (count, 2))
        boxes = np.concatenate([corner, corner + np.exp(generator.uniform(1, 5.3, (count, 2)))], axis=1)
        labels = generator.integers(0, classes, count)
        crowd = generator.random(count) < crowds
        truths.append(TrueBoxes(boxes=boxes, labels=labels, ignored=crowd.copy(), crowd=crowd))
        meant = generator.integers(0, count, generator.integers(0, 25)) if count else np.zeros(0, dtype=np.int64)
        moved = boxes[meant] + generator.normal(0, 1, (len(meant), 4)) * generator.choice([1, 5, 30], (len(meant), 1))
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        said = np.where(generator.random(len(meant)) < 0.8, labels[meant], generator.integers(0, classes, len(meant)))
        scores = np.round(generator.random(len(meant)), decimals)
        answers.append(Answer(boxes=moved, scores=scores, labels=said))
    return answers, truths


def by_pycocotools(answers: Sequence[Answer], truths: Sequence[TrueBoxes], classes: int) -> COCOeval:
    """The independent evaluation."""
    truth = COCO()
    truth.dataset = {
        "images": [{"id": picture} for picture in range(1, len(truths) + 1)],
        "categories": [{"id": number} for number in range(classes)],
        "annotations": [
            {
                "image_id": picture,
                "category_id": int(label),
                "bbox": _with_sides(box),
                "area": (box[2] - box[0]) * (box[3] - box[1]),
                "iscrowd": int(crowd),
            }
            for picture, one in enumerate(truths, start=1)
            for box, label, crowd in zip(one.boxes, one.labels, one.crowd, strict=True)
        ],
    }
    for number, annotation in enumerate(truth.dataset["annotations"], start=1):
        annotation["id"] = number
    found = [
        {"image_id": picture, "category_id": int(label), "bbox": _with_sides(box), "score": float(score)}
        for picture, one in enumerate(answers, start=1)
        for box, score, label in zip(one.boxes, one.scores, one.labels, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _with_sides(box: np.ndarray) -> list[float]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def answered(*rows: tuple[float, float, float, float, float, int]) -> Answer:
    """Of rows (left, top, right, bottom, score, label)."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    return Answer(boxes=table[:, :4], scores=table[:, 4], labels=table[:, 5].astype(np.int64))


def true(*rows: tuple[float, float, float, float, int], difficult: Sequence[int] = ()) -> TrueBoxes:
    """Of rows (left, top, right, bottom, label), those at the places in `difficult` being so."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    ignored = np.isin(np.arange(len(table)), difficult)
    return TrueBoxes(
        boxes=table[:, :4], labels=table[:, 4].astype(np.int64), ignored=ignored, crowd=np.zeros_like(ignored)
    )
