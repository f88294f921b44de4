"""Boxes out of what a detector says. In: boxes at random. Out: the same as torchvision's. Next: test_detection.py."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms, box_iou

from tellapart.answers.boxes import find_boxes, overlaps


def _given(seed: int, places: int = 200, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    corners = generator.uniform(0, 40, (places, 2))
    boxes = np.concatenate([corners, corners + generator.uniform(5, 30, (places, 2))], axis=1).astype(np.float32)
    return boxes, generator.beta(0.5, 3, (places, classes)).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_suppression_is_torchvisions(seed: int) -> None:
    boxes, scores = _given(seed)
    found = find_boxes(boxes, scores, most=1000, overlap=0.5, least=0.05)
    places, labels = np.nonzero(scores > 0.05)
    kept = batched_nms(
        torch.from_numpy(boxes[places]), torch.from_numpy(scores[places, labels]), torch.from_numpy(labels), 0.5
    ).numpy()
    np.testing.assert_array_equal(found.scores, scores[places, labels][kept])
    np.testing.assert_array_equal(found.labels, labels[kept])
    np.testing.assert_array_equal(found.boxes, boxes[places][kept])


def test_the_most_certain_come_first_and_no_more_than_asked_for() -> None:
    boxes, scores = _given(7)
    all_of_them, some = (find_boxes(boxes, scores, most=most) for most in (1000, 5))
    assert len(some.scores) == 5
    np.testing.assert_array_equal(some.scores, all_of_them.scores[:5])
    assert (np.diff(all_of_them.scores) <= 0).all()


def test_boxes_of_other_classes_may_lie_on_each_other() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10]], dtype=np.float32)
    scores = np.array([[0.9, 0.1], [0.8, 0.7]], dtype=np.float32)
    found = find_boxes(boxes, scores)
    assert found.labels.tolist() == [0, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])


def test_where_nothing_is_certain_enough_there_are_no_boxes() -> None:
    boxes, scores = _given(1)
    found = find_boxes(boxes, scores, least=1.0)
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == found.labels.shape == (0,)


def test_overlaps_are_torchvisions() -> None:
    boxes, _ = _given(2)
    expected = box_iou(torch.from_numpy(boxes[:50]).double(), torch.from_numpy(boxes[50:]).double())
    np.testing.assert_allclose(overlaps(boxes[:50], boxes[50:]), expected.numpy(), atol=1e-12)
    assert overlaps(np.zeros((1, 4), np.float32), np.zeros((1, 4), np.float32)).tolist() == [[0.0]]


def test_only_what_covers_more_than_that_is_left_out() -> None:
    """Half of the first box is the second one: an overlap of 0.5 to the last bit; a third lies apart."""
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30]], dtype=np.float32)
    scores = np.array([[0.9], [0.8], [0.7]], dtype=np.float32)
    assert find_boxes(boxes, scores, overlap=0.5).scores.tolist() == pytest.approx([0.9, 0.8, 0.7])
    found = find_boxes(boxes, scores, overlap=0.499)
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])
    assert found.boxes.tolist() == [[0, 0, 10, 10], [20, 20, 30, 30]]


def test_what_is_left_out_leaves_nothing_else_out() -> None:
    """The second is covered by the first; the third by the second alone."""
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], dtype=np.float32)
    found = find_boxes(boxes, np.array([[0.9], [0.8], [0.7]], dtype=np.float32), overlap=0.4)
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])


def test_a_box_must_be_more_certain_than_the_least() -> None:
    boxes = np.array([[0, 0, 1, 1], [5, 5, 6, 6]], dtype=np.float32)
    scores = np.array([[0.25], [np.nextafter(np.float32(0.25), np.float32(1))]], dtype=np.float32)
    assert find_boxes(boxes, scores, least=0.25).boxes.tolist() == [[5, 5, 6, 6]]


def test_equally_certain_ones_stand_by_class_then_by_place() -> None:
    """As many as there are, since a sort that is not stable keeps the order of few."""
    corners = 20.0 * np.arange(60)
    boxes = np.stack([corners, corners, corners + 10, corners + 10], axis=1).astype(np.float32)
    scores = np.tile(np.array([[0.5, 0.25, 0.5], [0.25, 0.5, 0.5]], dtype=np.float32), (30, 1))
    found = find_boxes(boxes, scores, most=1000)
    certain = [(label, place) for label in range(3) for place in range(60) if scores[place, label] == 0.5]
    doubtful = [(label, place) for label in range(3) for place in range(60) if scores[place, label] == 0.25]
    assert found.labels.tolist() == [label for label, _ in certain + doubtful]
    assert found.boxes[:, 0].tolist() == [20 * place for _, place in certain + doubtful]
    few = find_boxes(boxes, scores, most=70)
    assert (few.labels.tolist(), few.boxes.tolist()) == (found.labels[:70].tolist(), found.boxes[:70].tolist())
    assert (found.boxes.dtype, found.scores.dtype, found.labels.dtype) == (np.float32, np.float32, np.int64)


def test_boxes_apart_or_turned_over_share_nothing() -> None:
    first = np.array([[0, 0, 10, 10], [10, 10, 0, 0]], dtype=np.float32)
    second = np.array([[20, 20, 30, 30], [10, 0, 20, 10], [-30, 2, -20, 8]], dtype=np.float32)
    assert overlaps(first, second).tolist() == [[0, 0, 0]] * 2
    assert overlaps(first, first).tolist() == [[1, 0], [0, 0]]
    assert overlaps(second[:0], second).shape == (0, 3)


def test_an_overlap_is_a_share_whatever_the_unit_and_the_type() -> None:
    """In pixels as in shares of a picture's side, and in double precision."""
    boxes, _ = _given(3, places=60)
    exact = box_iou(*(torch.from_numpy(boxes).double() for _ in range(2))).numpy()
    np.testing.assert_allclose(overlaps(boxes / 1024, boxes / 1024), exact, rtol=1e-12)
    np.testing.assert_array_equal(overlaps(boxes, boxes.astype(np.float64)), overlaps(boxes.astype(np.float64), boxes))
    assert overlaps(boxes, boxes).dtype == np.float64
