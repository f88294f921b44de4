"""Boxes as the protocols send them. In: answers by hand. Out: arrays under TensorFlow's names and ours."""

from __future__ import annotations

import numpy as np

from tellapart.answers.box_tensors import TENSORFLOWS, box_outputs, box_tensors
from tellapart.answers.detection import Detection

from .test_detection import CLASSES, RECORD, decided

KINDS = {"FP32": np.float32, "INT32": np.int32, "BOOL": np.bool_, "BYTES": object}


def test_tensors_are_those_of_tensorflows_detectors() -> None:
    tensors = box_tensors(decided())
    boxes = np.asarray(tensors["detection_boxes"])
    np.testing.assert_allclose(boxes[0, 1], [0.5, 0.6, 1.0, 1.0], atol=1e-6)  # ymin, xmin, ymax, xmax
    np.testing.assert_array_equal(tensors["detection_classes"], [[1, 2, 1], [3, 0, 0]])  # counted from 1
    np.testing.assert_array_equal(tensors["num_detections"], [3, 1])
    np.testing.assert_allclose(np.asarray(tensors["detection_scores"]), [[0.9, 0.4, 0.3], [0.8, 0, 0]], atol=1e-6)
    assert not boxes[1, 1:].any()


def test_tensors_of_ours_say_it_in_pixels_and_names() -> None:
    tensors = box_tensors(decided())
    np.testing.assert_allclose(np.asarray(tensors["boxes"])[0, 1], [60, 25, 100, 50], atol=1e-4)
    assert np.asarray(tensors["labels"]).tolist() == [[b"cat", b"dog", b"cat"], ["鸟".encode(), b"", b""]]
    assert np.asarray(tensors["chosen"]).tolist() == [[True, True, False], [False, False, False]]
    assert np.asarray(tensors["counts"]).tolist() == [[1, 1, 0], [0, 0, 0]]
    np.testing.assert_allclose(np.asarray(tensors["class_scores"]), [[0.9, 0.4, 0], [0, 0, 0.8]], atol=1e-6)
    assert tensors["warning"] == [b"", b"dark"]


def test_tensors_are_as_they_are_described() -> None:
    for answers in (decided(), [Detection().unread("cut short", classes=CLASSES)]):
        tensors, described = box_tensors(answers), box_outputs(len(CLASSES))
        assert described == Detection().describe(RECORD, classes=CLASSES, outputs=())
        assert [one.name for one in described] == list(tensors)
        assert tuple(tensors)[: len(TENSORFLOWS)] == TENSORFLOWS
        for one in described[:-1]:
            array = np.asarray(tensors[one.name])
            assert array.dtype == KINDS[one.datatype], one.name
            assert len(array.shape) == len(one.shape)
            assert all(told in (-1, size) for told, size in zip(one.shape, array.shape, strict=True))


def test_pictures_without_boxes_have_one_row_of_nothing() -> None:
    tensors = box_tensors([Detection().unread("cut short", classes=CLASSES)])
    assert np.asarray(tensors["detection_boxes"]).tolist() == [[[0, 0, 0, 0]]]
    assert (np.asarray(tensors["labels"]).tolist(), np.asarray(tensors["num_detections"]).tolist()) == ([[b""]], [0])
    assert np.asarray(tensors["counts"]).tolist() == [[0, 0, 0]]


def test_a_picture_that_could_not_be_read_has_tensors_of_nothing() -> None:
    first, second = decided()
    broken = Detection().unread("cut short", classes=CLASSES)
    tensors = box_tensors([broken, second, broken, first])
    assert np.asarray(tensors["detection_boxes"]).shape == (4, 3, 4)
    np.testing.assert_array_equal(tensors["detection_classes"], [[0, 0, 0], [3, 0, 0], [0, 0, 0], [1, 2, 1]])
    np.testing.assert_array_equal(tensors["num_detections"], [0, 1, 0, 3])
    assert np.asarray(tensors["class_scores"]).shape == (4, 3)
    none = box_tensors([])
    shapes = [np.asarray(none[name]).shape for name in (*TENSORFLOWS, "labels", "chosen", "counts", "class_scores")]
    assert shapes == [(0, 1, 4), (0, 1), (0, 1), (0,), (0, 1), (0, 1), (0, 0), (0, 0)]
