"""Which answer finds which box, where COCO's own rules leave off."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.data.targets import Box, Boxes
from tellapart.tasks.detection.average_precision import coco_figures
from tellapart.tasks.detection.matching import TrueBoxes, box_overlaps, match, truth_of
from tests.tasks.detection.made_boxes import Answer, answered, true


def test_difficult_boxes_count_neither_way() -> None:
    truth = true((0, 0, 50, 50, 0), (100, 0, 150, 50, 0), difficult=[1])
    both = answered((0, 0, 50, 50, 0.8, 0), (100, 0, 150, 50, 0.9, 0))
    one = answered((0, 0, 50, 50, 0.8, 0))
    for said in (both, one):
        assert coco_figures(match([said], [truth], 1))["ap"] == 1.0
    [found] = match([both], [truth], 1)
    assert found.found[0].tolist() == [1, 0]
    assert found.ignored[0, 0].tolist() == [True, False]
    assert found.positives[0].tolist() == [1]


def test_a_difficult_box_is_found_once_and_a_crowd_by_many() -> None:
    twice = answered((100, 0, 150, 50, 0.9, 0), (100, 0, 150, 50, 0.8, 0))
    truth = true((100, 0, 150, 50, 0), difficult=[0])
    assert match([twice], [truth], 1)[0].ignored[0, 0].tolist() == [True, False]
    crowd = TrueBoxes(boxes=truth.boxes, labels=truth.labels, ignored=truth.ignored, crowd=truth.ignored)
    assert match([twice], [crowd], 1)[0].ignored[0, 0].tolist() == [True, True]


def test_what_counts_is_found_before_what_does_not() -> None:
    truth = true((0, 0, 50, 50, 0), (0, 0, 50, 40, 0), difficult=[0])
    [found] = match([answered((0, 0, 50, 50, 0.9, 0))], [truth], 1)
    # At 0.5 the one that counts, though it is covered less; beyond 0.8 only the other is left.
    assert found.found[:, 0].tolist() == [1] * 7 + [0] * 3


def test_places_lead_back_to_the_answers() -> None:
    said = answered((0, 0, 9, 9, 0.1, 1), (20, 20, 29, 29, 0.5, 0), (0, 0, 9, 9, 0.7, 1))
    [_, found] = match([said], [true((0, 0, 9, 9, 1))], 2)
    assert (found.source.tolist(), found.rank.tolist(), found.scores.tolist()) == ([2, 0], [0, 1], [0.7, 0.1])


def test_a_crowd_s_overlap_is_of_the_answer_alone() -> None:
    boxes, truths = np.array([[0.0, 0, 10, 10], [5, 5, 5, 9]]), np.array([[0.0, 0, 100, 100]] * 2)
    found = box_overlaps(boxes, truths, np.array([True, False]))
    np.testing.assert_allclose(found, [[1.0, 0.01], [0.0, 0.0]])


def test_what_is_found_is_numbered_among_all_true_boxes_of_the_picture() -> None:
    """Boxes of another class come first, and not all answers find one; what is found at the small range alone is not told."""
    truth = true((0, 0, 50, 50, 1), (100, 0, 150, 50, 0), (0, 0, 9, 9, 1), (200, 0, 250, 50, 0))
    said = answered(
        (200, 0, 250, 50, 0.9, 0), (300, 0, 350, 50, 0.8, 0), (100, 0, 150, 50, 0.7, 0), (0, 0, 9, 9, 0.6, 1)
    )
    first, second = match([said], [truth], 2)
    assert first.found.tolist() == [[3, -1, 1]] * 10
    assert second.found.tolist() == [[2]] * 10
    assert match([said], [true()], 1)[0].found.tolist() == [[-1, -1, -1]] * 10
    # Covered by 0.52: at 0.5 and no overlap beyond it.
    [half] = match([answered((0, 0, 50, 26, 0.9, 0))], [true((0, 0, 50, 50, 0))], 1)
    assert half.found[:, 0].tolist() == [0] + [-1] * 9


def test_both_ends_of_a_range_of_areas_are_in_it() -> None:
    """A box of 32 x 32 is small and medium, one of 96 x 96 medium and large, one without area is small."""
    for side, counted in (
        (32, [1, 1, 1, 0]),
        (33, [1, 0, 1, 0]),
        (96, [1, 0, 1, 1]),
        (97, [1, 0, 0, 1]),
        (0, [1, 1, 0, 0]),
    ):
        [found] = match([answered((0, 0, side, side, 0.9, 0))], [true((500, 500, 500 + side, 500 + side, 0))], 1)
        assert found.positives[:, 0].tolist() == counted
        assert found.ignored[:, 0, 0].tolist() == [not one for one in counted]


def test_the_whole_is_reached_but_for_the_rounding() -> None:
    [found] = match([answered((0, 0, 10, 10 - 1e-11, 0.9, 0))], [true((0, 0, 10, 10, 0))], 1, overlaps=np.array([1.0]))
    assert found.matched[0, 0].tolist() == [True]


def test_overlaps_do_not_depend_on_the_unit() -> None:
    boxes = np.array([[0.0, 0, 0.5, 0.5], [0.25, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]])
    found = box_overlaps(boxes, boxes, np.array([False, False, True]))
    np.testing.assert_allclose(found, [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
    crowd = box_overlaps(boxes[:1], np.array([[0.0, 0, 0.25, 1]]), np.array([True]))
    np.testing.assert_allclose(crowd, [[0.5]])


def test_a_target_as_arrays() -> None:
    target = Boxes(
        (
            Box("b", 1, 2, 3, 4, difficult=True),
            Box("x", 0, 0, 1, 1),
            Box("a", 5, 6, 7, 8, crowd=True),
            Box("a", 0, 0, 2, 2),
        )
    )
    found = truth_of(target, ["a", "b"])
    assert found.boxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [0, 0, 2, 2]]
    assert (found.labels.tolist(), found.ignored.tolist()) == ([1, 0, 0], [True, True, False])
    assert found.crowd.tolist() == [False, True, False]
    assert truth_of(Boxes(), ["a"]).boxes.shape == (0, 4)


def test_as_many_answers_as_truths() -> None:
    with pytest.raises(ValueError, match="answers for 1 pictures and truths of 0; they must agree"):
        match([Answer(boxes=np.empty((0, 4)), scores=np.empty(0), labels=np.empty(0, dtype=np.int64))], [], 1)


def test_more_things_than_coco_could_count_are_all_found() -> None:
    """Of a class in one picture COCO looks at 100 answers; with 130 things there it would find no more than those."""
    boxes = [(20 * n, 0, 20 * n + 12, 12) for n in range(130)]
    said = answered(*((*box, 0.9 - n / 1000, 0) for n, box in enumerate(boxes)))
    [found] = match([said], [true(*((*box, 0) for box in boxes))], 1)
    assert found.matched[0, 0].sum() == 130
    assert coco_figures([found])["ap"] == 1.0
    few = match([said], [true(*((*box, 0) for box in boxes[:100]))], 1)
    assert len(few[0].scores) == 100
