"""Boxes with classes: decided, told, read back. In: a network's arrays by hand. Out: answers. Next: test_predictor.py."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tellapart.answers.answering import OtherClasses, Placement
from tellapart.answers.detection import BoxesAnswer, Detection
from tellapart.bundle import ClassificationRecord, DetectionRecord, Score

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
    given = arrays()
    given["scores"][1, 0] = 0.9  # the bird's threshold, in single precision a little less than 0.9
    assert decided(given)[1].counts == {"鸟": 1}
    given["scores"][0] = 0.0  # as a network fills up
    (nothing, _) = decided(given)
    assert nothing.boxes is not None
    assert nothing.boxes.shape == (0, 4)
    assert len(second.scores if second.scores is not None else ()) == 1


def test_a_file_that_gives_all_places_is_decided_here() -> None:
    boxes = np.array([[[0.1, 0.3, 0.5, 0.6], [0.1, 0.3, 0.5, 0.61], [0.6, 0.5, 0.9, 0.7]]], dtype=np.float32)
    scores = np.array([[[0.9, 0.0, 0.0], [0.8, 0.0, 0.0], [0.0, 0.7, 0.005]]], dtype=np.float32)
    (found,) = OWN.decide({"boxes": boxes, "scores": scores}, [WIDE], RECORD, classes=CLASSES)
    assert [name for name, _, _ in found.told] == ["cat", "dog"]
    assert found.scores is not None
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])


def test_the_record_says_how_many_boxes_how_close_and_how_sure() -> None:
    boxes = np.array([[[0, 0.3, 0.4, 0.7], [0.2, 0.3, 0.6, 0.7], [0.7, 0.3, 0.8, 0.4], [0.9, 0.3, 1, 0.4]]], np.float32)
    given = {"boxes": boxes, "scores": np.array([[[0.9], [0.8], [0.3], [0.2]]], np.float32)}

    def scores(**changes: float) -> list[float]:
        record = RECORD.model_copy(update=changes)
        (found,) = OWN.decide(given, [WIDE], record, classes=("cat",))
        assert found.scores is not None
        return [round(score, 1) for score in found.scores.tolist()]

    assert scores() == [0.9, 0.8, 0.3, 0.2]  # the first two share a third
    assert scores(overlap=0.3) == [0.9, 0.3, 0.2]
    assert scores(least_score=0.25) == [0.9, 0.8, 0.3]
    assert scores(most=2) == [0.9, 0.8]


def test_a_box_without_width_or_height_is_none() -> None:
    """A line across, a line down, a point, and the least that is more."""
    given = arrays()
    given["boxes"][0] = [[0.1, 0.5, 0.4, 0.5], [0.3, 0.4, 0.3, 0.6], [0.3, 0.4, 0.3, 0.4], [0.3, 0.4, 0.31, 0.41]]
    given["scores"][0] = [0.9, 0.8, 0.7, 0.6]
    (found, _) = decided(given)
    assert found.scores is not None
    assert found.scores.tolist() == pytest.approx([0.6])
    assert found.boxes is not None
    assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)
    assert found.labels is not None
    assert found.labels.dtype == np.int64
    assert (found.width, found.height, found.warning, found.classes) == (100, 50, "", CLASSES)


def test_counts_are_in_the_models_order_and_leave_out_what_is_not_there() -> None:
    answer = BoxesAnswer(
        classes=CLASSES,
        boxes=np.zeros((4, 4), dtype=np.float32),
        scores=np.array([0.9, 0.8, 0.7, 0.6], dtype=np.float32),
        labels=np.array([2, 0, 2, 0]),
        chosen=np.array([True, True, True, False]),
    )
    assert list(answer.counts.items()) == [("cat", 1), ("鸟", 2)]
    assert OWN.line(answer, top=1) == f"{'1 cat, 2 鸟':<40} "
    assert OWN.cells(answer, top=1)[:2] == ["", "3"]
    assert OWN.cells(answer, top=1)[3:6] == ["1", "0", "2"]


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
    assert list(row) == [
        "path",
        "boxes",
        "counts",
        "width",
        "height",
        "unknown",
        "novelty",
        "error",
        "warning",
    ]
    assert (row["path"], row["width"], row["height"], row["error"], row["warning"]) == ("", 100, 50, None, None)
    rounded = OWN.row(first, top=1, figure=lambda value: round(value, 1))["boxes"]
    assert rounded[0] == {"label": "cat", "score": 0.9, "left": 10.0, "top": 0.0, "right": 50.0, "bottom": 50.0}
    again = OWN.read(row, path="a.jpg", classes=CLASSES, told={})
    assert OWN.row(again, top=1) == {**row, "path": "a.jpg"}
    assert (again.path, again.classes, again.width, again.height) == ("a.jpg", CLASSES, 100, 50)
    assert [one.dtype for one in (again.boxes, again.scores, again.labels, again.chosen) if one is not None] == [
        *(np.float32, np.float32, np.int64, np.bool_)
    ]
    all_of_them = [{**row["boxes"][0], "label": name} for name in CLASSES]
    assert OWN.read({**row, "boxes": all_of_them}, path="", classes=CLASSES, told={}).counts.keys() == set(CLASSES)
    nothing = OWN.read({**row, "boxes": [], "warning": "dark"}, path="", classes=CLASSES, told={})
    assert (nothing.told, nothing.warning) == ([], "dark")
    assert nothing.boxes is not None
    assert nothing.boxes.shape == (0, 4)
    del row["warning"]  # as a server of an older version tells it
    assert OWN.read(row, path="", classes=CLASSES, told={}).warning == ""
    row["warning"] = None
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
    assert columns == [
        "path",
        "count",
        "boxes",
        "count of cat",
        "count of dog",
        "count of 鸟",
        "unknown",
        "novelty",
        "error",
        "warning",
    ]
    assert OWN.cells(first, top=1)[3:] == ["1", "1", "0", "", "", "", ""]
    assert json.loads(OWN.cells(first, top=1)[2])[1] == ["dog", 0.4, 60, 25, 100, 50]
    assert OWN.cells(second, top=1) == ["", "0", "[]", "0", "0", "0", "", "", "", "dark"]
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
        "unknown": None,
        "novelty": None,
        "error": "cut short",
        "warning": None,
    }
    assert OWN.cells(broken, top=1) == ["b.jpg", "", "", "", "", "", "", "", "cut short", ""]
    assert OWN.line(broken, top=1) == f"{'unreadable':<40} b.jpg  (cut short)"
    assert (broken.classes, broken.told, broken.counts) == (CLASSES, [], {})
    assert OWN.unread("cut short", classes=CLASSES).path == ""
    together = OWN.collect([*decided(), broken], classes=CLASSES, told={})
    assert (together.paths, together.classes, together.warnings) == (("", "", "b.jpg"), CLASSES, ("", "dark", ""))
    np.testing.assert_allclose(together.boxes[0], [[10, 0, 50, 50], [60, 25, 100, 50]], atol=1e-4)
    assert [one.shape for one in together.boxes] == [(2, 4), (0, 4), (0, 4)]
    assert together.scores[0].tolist() == pytest.approx([0.9, 0.4])
    assert {one.dtype for one in (*together.boxes, *together.scores)} == {np.dtype(np.float32)}
    assert [len(one) for one in together.boxes] == [len(one) for one in together.scores] == [2, 0, 0]
    assert together.labels == (("cat", "dog"), (), ())
    assert together.errors == ("", "", "cut short")
    assert together.counts == ({"cat": 1, "dog": 1}, {}, {})
    assert [(row["path"], row["label"], row["right"]) for row in together.to_rows()] == [
        ("", "cat", 50),
        ("", "dog", 100),
    ]
    assert list(together.to_rows()[1]) == ["path", "label", "score", "left", "top", "right", "bottom"]
    assert together.to_rows()[1]["score"] == pytest.approx(0.4)
    nothing_found = OWN.read({"boxes": [], "width": 1, "height": 1}, path="", classes=CLASSES, told={})
    for answer in (broken, nothing_found):
        with pytest.raises(ValueError, match="^there is no class to show") as fault:
            OWN.shown_class(answer)
        assert str(fault.value) == (
            "there is no class to show of a picture that could not be read, or in which nothing was found"
        )


def test_a_picture_that_could_not_be_read_has_tensors_of_nothing() -> None:
    first, second = decided()
    broken = OWN.unread("cut short", classes=CLASSES)
    tensors = OWN.tensors([broken, second, broken, first])
    assert np.asarray(tensors["detection_boxes"]).shape == (4, 3, 4)
    np.testing.assert_array_equal(tensors["detection_classes"], [[0, 0, 0], [3, 0, 0], [0, 0, 0], [1, 2, 1]])
    np.testing.assert_array_equal(tensors["num_detections"], [0, 1, 0, 3])
    assert np.asarray(tensors["class_scores"]).shape == (4, 3)
    alone = OWN.tensors([broken])
    assert np.asarray(alone["detection_boxes"]).shape == (1, 1, 4)
    assert [np.asarray(alone[name]).shape for name in ("num_detections", "class_scores")] == [(1,), (1, 3)]


def test_what_is_told_is_counted() -> None:
    assert list(OWN.tally(decided()).names) == ["cat", "dog"]
    assert OWN.tally(decided()).unknown == 0
    assert OWN.shown_class(decided()[1]) == 2


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"scores": np.full((2, 4), 1.5, np.float32)}, False),
        ({"scores": np.full((2, 4), 1.00005, np.float32)}, True),  # as arithmetic leaves it
        ({"scores": np.full((2, 4), -0.00005, np.float32)}, True),
        ({"scores": np.full((2, 4), 1.0002, np.float32)}, False),
        ({"scores": np.full((2, 4), -0.0002, np.float32)}, False),
        ({"scores": np.full((2, 4), np.nan, np.float32)}, False),
        ({"labels": np.full((2, 4), 2)}, True),
        ({"labels": np.full((2, 4), 3)}, False),
        ({"labels": np.full((2, 4), -1)}, False),
        ({"labels": np.zeros((2, 3), np.int64)}, False),
        ({"boxes": np.full((2, 4, 4), np.nan, np.float32)}, False),
        ({"boxes": np.zeros((2, 4), np.float32)}, False),
        ({"boxes": np.zeros((2, 4, 5), np.float32)}, False),
        ({"boxes": np.zeros((2, 3, 4), np.float32)}, False),
        ({"boxes": np.zeros((2, 4, 4, 1), np.float32)}, False),
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
    assert (truth.column, truth.cell) == ("boxes", '[["dog",1,2,3,4],["cat",0,0,5.5,6],["dog",0,0,1,1]]')
    assert OWN.read_truth({"boxes": "[]"}).names == ()
    with pytest.raises(ValueError, match="^the form has no field `boxes`") as fault:
        OWN.read_truth({"labels": "cat"})
    assert str(fault.value) == (
        "the form has no field `boxes`. Send a JSON list of [label, left, top, right, bottom], [] for none"
    )


def test_a_picture_unlike_those_trained_on_is_unknown_where_the_model_can_tell() -> None:
    given = {**arrays(), "novelty": np.array([0.5, 3.25], dtype=np.float32)}
    record = RECORD.model_copy(update={"novelty_threshold": 2.0})
    first, second = OWN.decide(given, [WIDE, HIGH], record, classes=CLASSES)
    assert [(one.unknown, one.novelty) for one in (first, second)] == [(False, 0.5), (True, 3.25)]
    row = json.loads(json.dumps(OWN.row(second, top=1)))
    assert (row["unknown"], row["novelty"]) == (True, 3.25)
    assert OWN.read(row, path="", classes=CLASSES, told={}).unknown is True
    cells = dict(zip(OWN.columns(CLASSES, top=1), OWN.cells(second, top=1), strict=True))
    assert (cells["unknown"], cells["novelty"]) == ("true", "3.25")
    assert OWN.line(second, top=1).rstrip().endswith("(unknown: unlike the pictures trained on)  (warning: dark)")
    assert OWN.tally([first, second]).unknown == 1
    tensors = OWN.tensors([first, second, OWN.unread("gone", classes=CLASSES)])
    np.testing.assert_array_equal(tensors["unknown"], [False, True, False])
    np.testing.assert_array_equal(tensors["novelty"], np.array([0.5, 3.25, np.nan], dtype=np.float32))
    described = OWN.describe(record, classes=CLASSES, outputs=(*OWN.outputs, "novelty"))
    assert set(tensors) == {one.name for one in described}
    told = {"novelty_threshold": 2.0}
    together = OWN.collect([first, second], classes=CLASSES, told=told)
    assert together.unknown is not None
    assert together.unknown.tolist() == [False, True]
    # Too few validation pictures to draw a line, or a file that does not measure it: not false, but not known.
    (first, _) = OWN.decide(given, [WIDE, HIGH], RECORD, classes=CLASSES)
    assert (first.unknown, first.novelty) == (None, 0.5)
    assert "unknown" not in OWN.tensors([first])
    assert decided()[0].novelty is None
    assert OWN.collect(decided(), classes=CLASSES, told={}).unknown is None


def test_info_tells_when_a_picture_is_unknown() -> None:
    record = RECORD.model_copy(update={"novelty_threshold": 2.0, "known": Score(value=0.95, low=0.9, high=0.98)})
    assert record.promised == ("boxes", "scores", "novelty")
    assert record.decided(CLASSES)["unknown"].startswith("a novelty above 2; ")
    assert "unknown" not in RECORD.decided(CLASSES)
    assert RECORD.promised == ("boxes", "scores")
