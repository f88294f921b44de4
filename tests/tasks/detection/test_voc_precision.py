"""Pascal VOC's average precision: by hand where it differs from COCO's, and as its development kit defines it, at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tellapart.tasks.detection.average_precision import area_under_curve, ranked
from tellapart.tasks.detection.matching import TrueBoxes, match
from tellapart.tasks.detection.voc_precision import voc_precisions
from tests.tasks.detection.made_boxes import Answer, answered, made, true

A, B = (0, 0, 10, 10), (0, 0, 10, 6)


def test_an_answer_is_held_against_what_it_covers_most() -> None:
    # Both answers cover A most; COCO gives the second to B, which it covers by 0.6 as well.
    answers, truths = [answered((*A, 0.9, 0), (*A, 0.8, 0))], [true((*A, 0), (*B, 0))]
    assert voc_precisions(answers, truths, 1).tolist() == [0.5]
    assert area_under_curve(ranked(match(answers, truths, 1)[0])) == 1.0


def test_half_is_not_enough() -> None:
    assert voc_precisions([answered((0, 0, 10, 5, 0.9, 0))], [true((*A, 0))], 1).tolist() == [0.0]


def test_half_of_a_difficult_box_is_wrong_too() -> None:
    answers = [answered((0, 0, 10, 5, 0.9, 0), (50, 50, 60, 60, 0.8, 0))]
    assert voc_precisions(answers, [true((*A, 0), (50, 50, 60, 60, 0), difficult=[0])], 1).tolist() == [0.5]


def test_equally_sure_answers_count_in_the_order_of_the_pictures() -> None:
    """Two of three answers are right in each picture, and two scores; each right answer finds its box."""
    places = [(100 * place, 0, 100 * place + 50, 50) for place in range(3)]
    truths = [true(*((*place, 0) for place in places[:2])) for _ in range(30)]
    scores = (0.5, 0.9, 0.5)
    answers = [
        answered(*((*place, scores[(number + picture) % 3], 0) for number, place in enumerate(places)))
        for picture in range(30)
    ]
    order = [(score, picture, place) for score in (0.9, 0.5) for picture in range(30) for place in range(3)]
    right = [place < 2 for score, picture, place in order if scores[(place + picture) % 3] == score]
    precision = np.cumsum(right) / np.arange(1, 91)
    expected = np.maximum.accumulate(precision[::-1])[::-1][right].sum() / 60
    assert voc_precisions(answers, truths, 1)[0] == pytest.approx(expected, rel=1e-12)


def test_difficult_boxes_count_neither_way() -> None:
    answers = [answered((*A, 0.9, 0), (*A, 0.85, 0), (50, 50, 60, 60, 0.8, 0))]
    truths = [true((*A, 0), (50, 50, 60, 60, 0), difficult=[0])]
    assert voc_precisions(answers, truths, 1).tolist() == [1.0]


def test_a_class_without_a_box_has_none() -> None:
    found = voc_precisions([answered((*A, 0.9, 1))], [true((*A, 0))], 3)
    assert found[0] == 0.0
    assert np.isnan(found[1:]).all()


@pytest.mark.parametrize("seed", range(3))
def test_boxes_that_do_not_cover_each_other_give_the_area_under_coco_s_curve(seed: int) -> None:
    generator = np.random.default_rng(seed)
    places = [(100 * place, 0, 100 * place + 50, 50) for place in range(8)]
    truths = [true(*((*place, 0) for place in places[:5])) for _ in range(4)]
    answers = [answered(*((*place, float(generator.random()), 0) for place in places[2:])) for _ in range(4)]
    assert voc_precisions(answers, truths, 1)[0] == pytest.approx(
        area_under_curve(ranked(match(answers, truths, 1)[0]))
    )


def test_it_is_near_coco_s_on_made_pictures() -> None:
    answers, truths = made(0, crowds=0.0)
    areas = [area_under_curve(ranked(one)) for one in match(answers, truths, 3)]
    np.testing.assert_allclose(voc_precisions(answers, truths, 3), areas, atol=0.05)


def by_definition(answers: Sequence[Answer], truths: Sequence[TrueBoxes], number: int) -> float:
    """VOCevaldet.m and VOCap.m of the 2010 kit, a box at a time, in plain Python and without a pixel more to each side.

    Written from the definition, not from the code that it tests. At random no overlap is exactly half, where kit and paper differ.
    """
    said = [
        (float(answer.scores[place]), picture, [float(side) for side in answer.boxes[place]])
        for picture, answer in enumerate(answers)
        for place in range(len(answer.scores))
        if answer.labels[place] == number
    ]
    there = [
        [
            {
                "box": [float(side) for side in truth.boxes[place]],
                "difficult": bool(truth.ignored[place]),
                "found": False,
            }
            for place in range(len(truth.labels))
            if truth.labels[place] == number
        ]
        for truth in truths
    ]
    wanted = sum(not one["difficult"] for boxes in there for one in boxes)
    if not wanted:
        return float("nan")
    right = wrong = 0
    recalls, precisions = [0.0], [0.0]
    for _, picture, box in sorted(said, key=lambda one: -one[0]):
        most, hit = -1.0, None
        for one in there[picture]:
            overlap = intersection_over_union(box, one["box"])  # type: ignore[arg-type]
            if overlap > most:
                most, hit = overlap, one
        if hit is None or most <= 0.5:
            wrong += 1
        elif not hit["difficult"]:
            right, wrong = right + (not hit["found"]), wrong + bool(hit["found"])
            hit["found"] = True
        recalls.append(right / wanted)
        precisions.append(right / (right + wrong) if right + wrong else 0.0)
    recalls.append(1.0)
    precisions.append(0.0)
    for place in range(len(precisions) - 2, -1, -1):
        precisions[place] = max(precisions[place], precisions[place + 1])
    return sum(
        (recalls[place] - recalls[place - 1]) * precisions[place]
        for place in range(1, len(recalls))
        if recalls[place] != recalls[place - 1]
    )


def intersection_over_union(one: Sequence[float], other: Sequence[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


@pytest.mark.parametrize("decimals", [1, 2, 8], ids=["many equal scores", "some", "none"])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_the_development_kit_defines(seed: int, decimals: int) -> None:
    answers, truths = made(seed, pictures=40, classes=3, crowds=0.25, decimals=decimals)
    found = voc_precisions(answers, truths, 4)
    wanted = [by_definition(answers, truths, number) for number in range(4)]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert np.isnan(found[3])
    assert ((found[:3] > 0.05) & (found[:3] < 0.95)).all(), "there is something to be wrong about"
