"""Planted faults are found among boxes that are right."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tellapart.tasks.detection.box_doubts import BoxDoubt, doubt_boxes
from tellapart.tasks.detection.matching import TrueBoxes
from tests.tasks.detection.made_boxes import Answer, answered, true

A, B = (0, 0, 10, 10), (100, 0, 110, 10)


def doubts(answer: Answer, truth: TrueBoxes) -> list[tuple[str, int, int, float]]:
    return [(one.kind, one.box, one.answer, round(one.score, 6)) for one in doubt_boxes([answer], [truth], 2)]


def test_what_agrees_is_not_doubted() -> None:
    assert doubts(answered((*A, 0.9, 0), (0, 1, 10, 11, 0.6, 0)), true((*A, 0))) == []
    assert doubts(answered((*A, 0.3, 0)), true()) == []


def test_a_box_that_is_missing_is_told_once() -> None:
    found = doubts(answered((*B, 0.6, 0), (100, 0, 110, 9, 0.8, 1), (*A, 0.9, 0)), true((*A, 0)))
    assert found == [("missing", -1, 1, 0.8)]


def test_another_class() -> None:
    assert doubts(answered((*A, 0.9, 1), (*A, 0.2, 0)), true((*A, 0))) == [("class", 0, 0, 0.72)]
    assert doubts(answered((*A, 0.6, 1), (*A, 0.7, 0)), true((*A, 0))) == []


def test_badly_placed() -> None:
    assert doubts(answered((5, 0, 15, 10, 0.9, 0)), true((*A, 0))) == [("place", 0, 0, 0.6)]
    # The answer is of the box beside it.
    assert doubts(answered((5, 0, 15, 10, 0.9, 0), (*A, 0.8, 0)), true((*A, 0), (5, 0, 15, 10, 0))) == []


def test_nothing_there_counts_as_much_as_the_class_is_found() -> None:
    found = doubts(answered((*B, 0.9, 0)), true((*A, 0), (*B, 0)))
    assert found == [("nothing", 0, -1, 0.5)]
    assert doubts(answered(), true((*A, 0))) == [("nothing", 0, -1, 0.0)]


def test_difficult_boxes_are_not_doubted_and_explain_answers() -> None:
    assert doubts(answered((*A, 0.9, 1)), true((*A, 0), difficult=[0])) == []
    assert doubts(answered(), true((*A, 0), difficult=[0])) == []


def planted(seed: int) -> tuple[list[Answer], list[TrueBoxes], set[tuple[str, int, int]]]:
    """What a good detector says of 200 pictures, and a truth with 80 faults of all kinds: (kind, picture, box)."""
    generator = np.random.default_rng(seed)
    answers, truths, faults = [], [], set()
    for picture in range(200):
        places = [(x, y) for x in range(0, 400, 100) for y in range(0, 400, 100)]
        chosen = generator.permutation(len(places))[: int(generator.integers(2, 9))]
        corner = np.array([places[place] for place in chosen], dtype=np.float64) + generator.uniform(
            0, 20, (len(chosen), 2)
        )
        boxes = np.concatenate([corner, corner + generator.uniform(30, 70, (len(chosen), 2))], axis=1)
        labels = generator.integers(0, 3, len(chosen))
        # A detector is less sure where it is wrong: of another class, or of a box that it nearly overlooks; some it does not see.
        sure = generator.random(len(chosen)) < 0.95
        said = np.where(generator.random(len(chosen)) < 0.98, labels, (labels + 1) % 3)
        scores = generator.beta(8, 2, len(chosen)) * np.where(said == labels, 1.0, 0.8) * np.where(sure, 1.0, 0.4)
        seen = generator.random(len(chosen)) < 0.995
        answers.append(Answer(boxes[seen] + generator.normal(0, 2, (int(seen.sum()), 4)), scores[seen], said[seen]))
        if picture % 5 < 2:
            kind = ("missing", "class", "place", "nothing")[(picture // 5 + picture % 5) % 4]
            if kind == "missing":
                boxes, labels = boxes[1:], labels[1:]
            elif kind == "class":
                labels[0] = (labels[0] + 1) % 3
            elif kind == "place":
                boxes[0, [0, 2]] += 0.5 * (boxes[0, 2] - boxes[0, 0])
            else:
                free = places[int(generator.permutation(len(places))[0])]
                while any(np.allclose(places[place], free) for place in chosen):
                    free = places[int(generator.permutation(len(places))[0])]
                boxes = np.concatenate([[[free[0] + 10, free[1] + 10, free[0] + 60, free[1] + 60]], boxes])
                labels = np.concatenate([[0], labels])
            faults.add((kind, picture, -1 if kind == "missing" else 0))
        none = np.zeros(len(labels), dtype=np.bool_)
        truths.append(TrueBoxes(boxes=boxes, labels=labels, ignored=none, crowd=none))
    return answers, truths, faults


@pytest.mark.parametrize("seed", range(3))
def test_planted_faults_are_found(seed: int) -> None:
    answers, truths, faults = planted(seed)
    found = doubt_boxes(answers, truths, 3)
    assert found == sorted(found, key=lambda one: -one.score)
    assert all(0 <= one.score <= 1 for one in found)

    def key(one: BoxDoubt) -> tuple[str, int, int]:
        return one.kind, one.picture, one.box

    known = faults & {key(one) for one in found}
    by_kind = Counter(kind for kind, _, _ in known)
    whole = Counter(kind for kind, _, _ in faults)
    assert all(by_kind[kind] >= 0.75 * whole[kind] for kind in whole), (by_kind, whole)
    for kind, number in whole.items():
        # Of as many as were planted, the most suspicious mostly are; the detector's own faults are the rest.
        first = [key(one) for one in found if one.kind == kind][:number]
        assert sum(one in faults for one in first) >= 0.6 * number, kind
