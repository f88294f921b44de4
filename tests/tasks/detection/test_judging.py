"""Average precision of an epoch. In: boxes at random. Out: the same as pycocotools says. Next: test_learner.py."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tellapart.answers.boxes import FoundBoxes
from tellapart.tasks.detection.judging import judge_boxes, judge_within

NAN = float("nan")
_BEYOND = 1e11  # an area outside the range of all areas: pycocotools ignores such a box


def _made(seed: int, pictures: int = 12, classes: int = 3) -> tuple[list[FoundBoxes], np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = np.full((pictures, 7, 6), NAN, dtype=np.float32)
    found = []
    for picture in range(pictures):
        count = int(generator.integers(0, 7))
        corners = generator.uniform(0, 60, (count, 2))
        boxes = np.concatenate([corners, corners + generator.uniform(8, 40, (count, 2))], axis=1)
        labels = generator.integers(0, classes, count)
        truth[picture, :count, 0], truth[picture, :count, 1:5] = labels, boxes
        truth[picture, :count, 5] = generator.random(count) < 0.2
        moved = np.repeat(boxes, 2, axis=0) + generator.normal(0, 2, (2 * count, 4))
        extra = np.concatenate([moved, [[1, 1, 20, 20], [5, 30, 50, 60]]]).astype(np.float32)
        found.append(
            FoundBoxes(
                boxes=extra,
                scores=generator.random(len(extra)).astype(np.float32),
                labels=np.concatenate([np.repeat(labels, 2), [0, 1]]),
            )
        )
    return found, truth


def _by_pycocotools(found: list[FoundBoxes], truth: np.ndarray) -> list[float]:
    boxes, answers = [], []
    for picture, rows in enumerate(truth):
        for row in rows[~np.isnan(rows[:, 0])].astype(float):
            wide, high = row[3] - row[1], row[4] - row[2]
            area = _BEYOND if row[5] else wide * high
            boxes.append(
                {
                    "id": len(boxes) + 1,
                    "image_id": picture,
                    "category_id": int(row[0]),
                    "bbox": [row[1], row[2], wide, high],
                    "area": area,
                    "iscrowd": 0,
                }
            )
        for box, score, label in zip(
            found[picture].boxes.astype(float), found[picture].scores, found[picture].labels, strict=True
        ):
            sides = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            answers.append({"image_id": picture, "category_id": int(label), "bbox": sides, "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {
            "images": [{"id": picture} for picture in range(len(truth))],
            "annotations": boxes,
            "categories": [{"id": label} for label in range(3)],
        }
        known.createIndex()
        test = COCOeval(known, known.loadRes(answers), "bbox")
        test.evaluate()
        test.accumulate()
        test.summarize()
    return [float(test.stats[place]) for place in (0, 1, 2)]


@pytest.mark.parametrize("seed", range(4))
def test_it_is_pycocotools(seed: int) -> None:
    found, truth = _made(seed)
    assert list(judge_boxes(found, truth, 3).values()) == pytest.approx(_by_pycocotools(found, truth), abs=1e-6)


def test_by_hand() -> None:
    truth = np.array([[[0, 0, 0, 10, 10, 0], [0, 20, 20, 30, 30, 0]]], dtype=np.float32)
    found = FoundBoxes(
        boxes=np.array([[0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 30, 26]], dtype=np.float32),
        scores=np.array([0.9, 0.8, 0.7], dtype=np.float32),
        labels=np.zeros(3, dtype=np.int64),
    )
    # The first is right, the second wrong, the third right at 0.5 to 0.6: precision 1 to recall 0.5, then 2/3.
    half = 51 / 101
    told = judge_boxes([found], truth, 1)
    assert told["AP50"] == pytest.approx(half + 50 / 101 * 2 / 3)
    assert told["AP75"] == pytest.approx(half)


@pytest.mark.parametrize("difficult", [False, True])
def test_without_a_box_that_counts_it_is_nothing(difficult: bool) -> None:
    truth = np.full((1, 1, 6), NAN, dtype=np.float32)
    if difficult:
        truth[0, 0] = (0, 0, 0, 5, 5, 1)
    found, _ = _made(0, pictures=1)
    assert judge_boxes(found, truth, 3) == {"AP50": 0, "AP75": 0, "AP": 0}


def test_where_nothing_was_found_it_is_nothing() -> None:
    truth = np.array([[[0, 0, 0, 10, 10, 0]]], dtype=np.float32)
    none = FoundBoxes(boxes=np.zeros((0, 4), np.float32), scores=np.zeros(0, np.float32), labels=np.zeros(0, np.int64))
    assert judge_boxes([none], truth, 1) == {"AP50": 0, "AP75": 0, "AP": 0}


def test_what_lies_beside_the_picture_is_cut_off_as_it_is_of_an_answer() -> None:
    # A picture twice as wide as high in a square of 64: rows 16 to 48. Its box reaches into the colour above and below it.
    found = FoundBoxes(
        boxes=np.array([[4.0, 2.0, 60.0, 62.0]], dtype=np.float32),
        scores=np.array([0.9], dtype=np.float32),
        labels=np.array([0]),
    )
    truth = np.array([[[0, 4, 16, 60, 48, 0]]], dtype=np.float32)
    assert judge_boxes([found], truth, 1)["AP75"] == 0
    assert judge_within(np.array([[0, 16, 64, 48]]))([found], truth, 1) == {"AP": 1.0, "AP50": 1.0, "AP75": 1.0}
