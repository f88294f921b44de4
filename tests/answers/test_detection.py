"""Boxes with classes: decided, told, read back. In: a network's arrays by hand. Out: answers. Next: test_predictor.py."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tellapart.answers.answering import OtherClasses, Placement
from tellapart.answers.box_predictions import box_cell, read_box_cell
from tellapart.answers.detection import BoxesAnswer, Detection
from tellapart.bundle import ClassificationRecord, DetectionRecord

CLASSES = ("cat", "dog", "鸟")
OWN = Detection()
RECORD = DetectionRecord(
    scales=(1.0, 1.0, 1.0),
    offsets=(0.0, 0.0, 0.0),
    thresholds=(0.5, 0.4, 0.9),
    threshold_rule="f1",
    calibrated_on=9,
    overlap=0.6,
    most=4,
    least_score=0.01,
)
# A picture of 100 x 50 pixels in the middle of a square, and one of 30 x 60.
WIDE = Placement(width=100, height=50, left=0, top=-25, right=100, bottom=75)
HIGH = Placement(width=30, height=60, left=-15, top=0, right=45, bottom=60, remark="dark")


def arrays() -> dict[str, Any]:
    """Two pictures: of the first a cat, a dog that reaches beyond it and an uncertain cat; of the second nothing but a bird."""
    boxes = np.zeros((2, 4, 4), dtype=np.float32)
    boxes[0, :3] = [[0.1, 0.25, 0.5, 0.75], [0.6, 0.5, 1.2, 0.9], [0.2, 0.3, 0.3, 0.4]]
    boxes[1, :2] = [[0.25, 0.0, 0.5, 0.5], [0.0, 0.0, 0.2, 0.5]]  # the second lies in the margin
    return {
        "boxes": boxes,
        "scores": np.array([[0.9, 0.4, 0.3, 0], [0.8, 0.6, 0, 0]], dtype=np.float32),
        "labels": np.array([[0, 1, 0, 0], [2, 0, 0, 0]], dtype=np.int64),
    }


def decided(given: dict[str, Any] | None = None) -> list[BoxesAnswer]:
    return OWN.decide(given or arrays(), [WIDE, HIGH], RECORD, classes=CLASSES)


def test_boxes_come_back_to_the_pictures_own_pixels_and_end_at_its_edge() -> None:
    first, second = decided()
    assert first.boxes is not None
    assert second.boxes is not None
    np.testing.assert_allclose(first.boxes, [[10, 0, 50, 50], [60, 25, 100, 50], [20, 5, 30, 15]], atol=1e-4)
    np.testing.assert_allclose(second.boxes, [[0, 0, 15, 30]], atol=1e-4)
    assert (second.width, second.height, second.warning) == (30, 60, "dark")


def test_a_box_is_told_from_its_classes_threshold_on() -> None:
    first, second = decided()
    assert [(name, score) for name, score, _ in first.told] == [
        ("cat", pytest.approx(0.9)),
        ("dog", pytest.approx(0.4)),
    ]
    assert first.counts == {"cat": 1, "dog": 1}
    assert second.told == []
    assert len(second.scores if second.scores is not None else ()) == 1


def test_a_file_that_gives_all_places_is_decided_here() -> None:
    boxes = np.array([[[0.1, 0.3, 0.5, 0.6], [0.1, 0.3, 0.5, 0.61], [0.6, 0.5, 0.9, 0.7]]], dtype=np.float32)
    scores = np.array([[[0.9, 0.0, 0.0], [0.8, 0.0, 0.0], [0.0, 0.7, 0.005]]], dtype=np.float32)
    (found,) = OWN.decide({"boxes": boxes, "scores": scores}, [WIDE], RECORD, classes=CLASSES)
    assert [name for name, _, _ in found.told] == ["cat", "dog"]
    assert found.scores is not None
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])


def test_a_row_says_it_and_reads_back() -> None:
    first, _ = decided()
    row = json.loads(json.dumps(OWN.row(first, top=1)))
    assert row["counts"] == {"cat": 1, "dog": 1}
    assert row["boxes"][1] == {
        "label": "dog",
        "score": pytest.approx(0.4),
        "left": pytest.approx(60),
        "top": 25,
        "right": 100,
        "bottom": 50,
    }
    again = OWN.read(row, path="a.jpg", classes=CLASSES, told={})
    assert OWN.row(again, top=1) == {**row, "path": "a.jpg"}
    with pytest.raises(OtherClasses):
        OWN.read(row, path="a.jpg", classes=("cat",), told={})
    with pytest.raises(KeyError):
        OWN.read({"boxes": [{"label": "cat"}]}, path="a.jpg", classes=CLASSES, told={})


def test_a_row_tells_what_falls_short_where_it_is_asked_for() -> None:
    first, second = decided()
    rows = OWN.row(first, top=1, least=0.3)["boxes"]
    assert [(one["label"], one["told"]) for one in rows] == [("cat", True), ("dog", True), ("cat", False)]
    assert [one["told"] for one in OWN.row(second, top=1, least=0.0)["boxes"]] == [False]
    assert OWN.row(second, top=1, least=0.9)["boxes"] == []
    assert "told" not in OWN.row(first, top=1)["boxes"][0]
    whole = OWN.row(first, top=1, least=0.0)
    assert whole["counts"] == first.counts
    again = OWN.read(whole, path="", classes=CLASSES, told={})
    assert (again.told, again.counts) == (first.told, first.counts)
    assert OWN.row(OWN.unread("cut short", classes=CLASSES), top=1, least=0.0)["boxes"] is None


def test_cells_and_lines() -> None:
    first, second = decided()
    columns = OWN.columns(CLASSES, top=1)
    assert columns == ["path", "count", "boxes", "count of cat", "count of dog", "count of 鸟", "error", "warning"]
    assert OWN.cells(first, top=1)[3:] == ["1", "1", "0", "", ""]
    assert json.loads(OWN.cells(first, top=1)[2])[1] == ["dog", 0.4, 60, 25, 100, 50]
    assert OWN.cells(second, top=1) == ["", "0", "[]", "0", "0", "0", "", "dark"]
    assert OWN.line(first, top=1).rstrip() == "1 cat, 1 dog"
    assert OWN.line(second, top=1).endswith("(warning: dark)")
    assert OWN.line(second, top=1).startswith("nothing ")


def test_a_picture_that_could_not_be_read_keeps_its_row() -> None:
    broken = OWN.unread("cut short", path="b.jpg", classes=CLASSES)
    assert OWN.row(broken, top=1) == {
        "path": "b.jpg",
        "boxes": None,
        "counts": None,
        "width": None,
        "height": None,
        "error": "cut short",
        "warning": None,
    }
    assert OWN.cells(broken, top=1) == ["b.jpg", "", "", "", "", "", "cut short", ""]
    assert "unreadable" in OWN.line(broken, top=1)
    together = OWN.collect([*decided(), broken], classes=CLASSES, told={})
    assert [len(one) for one in together.boxes] == [len(one) for one in together.scores] == [2, 0, 0]
    assert together.labels == (("cat", "dog"), (), ())
    assert together.errors == ("", "", "cut short")
    with pytest.raises(ValueError, match="^there is no class to show"):
        OWN.shown_class(broken)


def test_what_is_told_is_counted() -> None:
    assert list(OWN.tally(decided()).names) == ["cat", "dog"]
    assert OWN.shown_class(decided()[1]) == 2


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"scores": np.full((2, 4), 1.5, np.float32)}, False),
        ({"labels": np.full((2, 4), 3)}, False),
        ({"labels": np.zeros((2, 3), np.int64)}, False),
        ({"boxes": np.full((2, 4, 4), np.nan, np.float32)}, False),
        ({"boxes": np.zeros((2, 4), np.float32)}, False),
        ({"labels": None, "scores": np.zeros((2, 4, 3), np.float32)}, True),
        ({"labels": None, "scores": np.zeros((2, 4, 2), np.float32)}, False),
    ],
)
def test_arrays_that_no_detector_gives_do_not_fit(change: dict[str, Any], fits: bool) -> None:
    given = {name: value for name, value in {**arrays(), **change}.items() if value is not None}
    assert OWN.fits(given, CLASSES) is fits


def test_a_record_of_another_task_is_refused() -> None:
    with pytest.raises(ValueError, match="^a record of classification$"):
        OWN.decide(arrays(), [WIDE, HIGH], ClassificationRecord(temperature=1.0), classes=CLASSES)
    with pytest.raises(ValueError, match="^a record of classification$"):
        OWN.describe(ClassificationRecord(temperature=1.0), classes=CLASSES, outputs=())


def test_boxes_that_a_person_draws_are_read() -> None:
    truth = OWN.read_truth({"boxes": '[["dog",1,2,3,4],["cat",0,0,5.5,6],["dog",0,0,1,1]]'})
    assert truth.names == ("cat", "dog")
    assert truth.column == "boxes"
    assert OWN.read_truth({"boxes": "[]"}).names == ()
    with pytest.raises(ValueError, match="^the form has no field `boxes`"):
        OWN.read_truth({"labels": "cat"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '["cat"]',
        '[["cat",1,2,3]]',
        '[["",1,2,3,4]]',
        '[["cat",3,2,1,4]]',
        '[["cat",1,2,NaN,4]]',
        '[["cat",true,2,3,4]]',
        "[[1,1,2,3,4]]",
        "[" * 9999,
    ],
)
def test_boxes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="^the field `boxes` is no JSON list of "):
        read_box_cell(text)


def test_too_many_boxes_are_refused() -> None:
    with pytest.raises(ValueError, match="^the field `boxes` has 10,001 boxes; 10,000 are the most"):
        read_box_cell(json.dumps([["cat", 0, 0, 1, 1]] * 10_001))


def test_a_cell_of_boxes_is_json() -> None:
    assert box_cell([("a,b", 0.123456789, (0.0, 1.5, 2.0, 3.0))]) == '[["a,b",0.1234568,0.0,1.5,2.0,3.0]]'
