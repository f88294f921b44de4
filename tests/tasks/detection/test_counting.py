"""Boxes at a threshold, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.tasks.detection.counting import best_thresholds, confusion, count, count_errors, precision_recall_f1
from tellapart.tasks.detection.matching import match
from tests.tasks.detection.made_boxes import answered, made, true

A, B, FAR = (0, 0, 10, 10), (100, 0, 110, 10), (300, 0, 310, 10)


def test_right_said_and_true_by_picture() -> None:
    answers = [answered((*A, 0.9, 0), (*B, 0.4, 0), (*FAR, 0.8, 1)), answered()]
    truths = [true((*A, 0), (*B, 0)), true((*A, 1), (*B, 1), difficult=[1])]
    found = count(match(answers, truths, 2), np.array([0.5, 0.8]))
    assert found.right.tolist() == [[1, 0], [0, 0]]
    assert found.said.tolist() == [[1, 0], [1, 0]]
    assert found.positives.tolist() == [[2, 0], [0, 1]]
    precision, recall, f1 = precision_recall_f1(
        *(part.sum(axis=1) for part in (found.right, found.said, found.positives))
    )
    assert (precision.tolist(), recall.tolist(), f1.tolist()) == ([1, 0], [0.5, 0], [pytest.approx(2 / 3), 0])


def test_how_far_numbers_are_off() -> None:
    answers = [answered((*A, 0.9, 0), (*B, 0.9, 0), (*FAR, 0.9, 0)), answered()]
    truths = [true((*A, 0)), true((*A, 0), (*B, 0), (*FAR, 0))]
    found = count(match(answers, truths, 1), np.array([0.5]))
    errors = count_errors(found, np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 0.0]]))
    assert errors["count_error"][:2].tolist() == [5 / 4, 2]
    assert errors["count_bias"][:2].tolist() == [-1 / 4, 2]
    assert errors["count_miss"][:2].tolist() == [[2.5], [2]]
    assert np.isnan(errors["count_error"][2])


def test_confusion_with_the_background() -> None:
    answers = [
        answered((*A, 0.9, 0), (*B, 0.9, 1), (*FAR, 0.9, 1), (*FAR, 0.1, 0)),
        answered((0, 0, 10, 9, 0.9, 1), (0, 0, 10, 8, 0.95, 1), (*FAR, 0.9, 0)),
    ]
    truths = [true((*A, 0), (*B, 0)), true((*A, 0), (*B, 1), (*FAR, 0), difficult=[2])]
    matches = match(answers, truths, 2)
    table = confusion(answers, truths, matches, np.array([0.5, 0.5]))
    # FoundBoxes: A. Taken for another: B of the first picture, and A of the second by the closer of two. Missed: B of the second.
    # Of nothing: FAR of the first picture, and the second of the two. What found a difficult box is nowhere.
    assert table.tolist() == [[1, 2, 0], [0, 0, 1], [0, 2, 0]]


def test_what_is_confused_is_paired_the_closest_first() -> None:
    """The surest answer is the first box itself, by a class of its own; the other covers that by 0.9, the second box by 8/9."""
    truths = [true((*A, 0), (0, 0, 10, 8, 2))]
    answers = [answered((*A, 0.9, 1), (0, 0, 10, 9, 0.8, 3))]
    table = confusion(answers, truths, match(answers, truths, 4), np.full(4, 0.5))
    assert [tuple(pair) for pair in np.argwhere(table).tolist()] == [(0, 1), (2, 3)]
    # Half is enough, and less is not.
    for bottom, cells in ((5, [(0, 1)]), (4.99, [(0, 2), (2, 1)])):
        said = [answered((0, 0, 10, bottom, 0.9, 1))]
        table = confusion(said, [true((*A, 0))], match(said, [true((*A, 0))], 2), np.full(2, 0.5))
        assert [tuple(pair) for pair in np.argwhere(table).tolist()] == cells


def test_a_difficult_box_that_is_just_found_is_in_no_cell() -> None:
    """Covered by 0.52: found at an overlap of 0.5, and not at 0.55."""
    said, truths = [answered((0, 0, 50, 26, 0.9, 0))], [true((0, 0, 50, 50, 0), difficult=[0])]
    matches = match(said, truths, 1)
    assert confusion(said, truths, matches, np.array([0.5])).tolist() == [[0, 0], [0, 0]]
    assert count(matches, np.array([0.5])).said.tolist() == [[0]]


def test_without_a_class_there_is_nothing_to_count() -> None:
    found = count([], np.zeros(0))
    assert [one.shape for one in (found.right, found.said, found.positives)] == [(0, 0)] * 3
    assert best_thresholds([]).tolist() == []


def test_numbers_of_boxes_are_whole_and_each_class_has_a_threshold() -> None:
    answers, truths = made(0)
    matches = match(answers, truths, 3)
    found = count(matches, np.full(3, 0.5))
    table = confusion(answers, truths, matches, np.full(3, 0.5))
    assert {one.dtype for one in (found.right, found.said, found.positives, table)} == {np.dtype(np.int64)}
    with pytest.raises(ValueError, match="shorter"):
        count(matches, np.full(2, 0.5))
    with pytest.raises(ValueError, match="shorter"):
        confusion(answers, truths, matches, np.full(2, 0.5))
    with pytest.raises(ValueError, match="shorter"):
        confusion(answers[:-1], truths, matches, np.full(3, 0.5))


@pytest.mark.parametrize("seed", range(3))
def test_the_table_adds_up(seed: int) -> None:
    answers, truths = made(seed)
    matches, thresholds = match(answers, truths, 3), np.array([0.2, 0.5, 0.7])
    found, table = count(matches, thresholds), confusion(answers, truths, matches, thresholds)
    assert np.diag(table)[:3].tolist() == found.right.sum(axis=1).tolist()
    assert table[:3].sum(axis=1).tolist() == found.positives.sum(axis=1).tolist()
    assert table[:, :3].sum(axis=0).tolist() == found.said.sum(axis=1).tolist()


def test_thresholds_with_the_best_f1() -> None:
    answers = [answered((*A, 0.9, 0), (*B, 0.7, 0), (*FAR, 0.3, 0), (*FAR, 0.2, 1))]
    truths = [true((*A, 0), (*B, 0), (*A, 1))]
    assert best_thresholds(match(answers, truths, 3)).tolist() == [0.5, 1.0, 1.0]


@pytest.mark.parametrize("seed", range(3))
def test_no_threshold_has_a_better_f1(seed: int) -> None:
    answers, truths = made(seed, decimals=1)
    matches = match(answers, truths, 3)

    def f1_at(thresholds: np.ndarray) -> np.ndarray:
        found = count(matches, thresholds)
        return precision_recall_f1(*(part.sum(axis=1) for part in (found.right, found.said, found.positives)))[2]

    best = f1_at(best_thresholds(matches))
    for threshold in np.linspace(-0.05, 1.05, 23):
        assert (f1_at(np.full(3, threshold)) <= best + 1e-12).all()


def test_thresholds_at_a_precision() -> None:
    answers = [answered((*A, 0.9, 0), (*FAR, 0.7, 0), (*B, 0.5, 0))]
    matches = match(answers, [true((*A, 0), (*B, 0))], 1)
    assert best_thresholds(matches, precision=0.9).tolist() == [0.8]
    assert best_thresholds(matches, precision=0.6).tolist() == [0.5]
    assert best_thresholds(matches, precision=2 / 3).tolist() == [0.5]  # two of three
    assert best_thresholds(match([answered()], [true((*A, 0))], 1), precision=0.6).tolist() == [1.0]
    assert best_thresholds(match([answered()], [true((*A, 0))], 1)).tolist() == [1.0]
    assert best_thresholds(match([answered((*FAR, 0.7, 0))], [true((*A, 0))], 1), precision=0.1).tolist() == [1.0]
