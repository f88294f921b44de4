"""One class a picture. In: arrays by hand. Out: what is decided, and the same in every form in which it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tellapart.answers.answering import OtherClasses, Output, Placement
from tellapart.answers.classification import ClassAnswers, Classification
from tellapart.bundle import AbstentionRecord, ClassificationRecord, MultilabelRecord, Score

CLASSES = ("cat", "dog", "犬, big")
ABSTENTION = AbstentionRecord(
    coverage=0.9,
    threshold=0.25,
    novelty_threshold=1.5,
    calibrated_on=40,
    measured_coverage=Score(value=0.9),
    mean_set_size=1.2,
)
RECORD = ClassificationRecord(temperature=1.0, abstention=ABSTENTION)
CANNOT = ClassificationRecord(temperature=1.0, abstention=ABSTENTION.model_copy(update={"novelty_threshold": None}))
OLD = ClassificationRecord(temperature=1.0)
ARRAYS = {
    "probabilities": np.array([[0.3, 0.1, 0.6], [0.5, 0.5, 0.0], [0.05, 0.9, 0.05]], dtype=np.float32),
    "novelty": np.array([0.75, 1.5, 2.5], dtype=np.float32),
}
PLACES = [Placement(width=1, height=1, left=0, top=0, right=1, bottom=1)] * 3
TASK = Classification()


def decide(record: ClassificationRecord = RECORD, arrays: dict[str, Any] = ARRAYS) -> ClassAnswers:
    return TASK.decide(arrays, PLACES, record, classes=CLASSES)


def test_what_is_decided() -> None:
    first, tied, strange = decide()
    assert (first.members, first.unknown, first.novelty) == ((2, 0), False, 0.75)
    assert (tied.members, tied.unknown) == ((0, 1), False), (
        "of equal ones the first goes first; a novelty may be the limit"
    )
    assert (strange.members, strange.unknown) == ((1,), True)
    assert decide().labels == ["犬, big", "cat", "dog"]
    assert [one.members for one in decide()[1:]] == [(0, 1), (1,)]
    with pytest.raises(IndexError):
        decide()[3]


def test_what_a_model_cannot_tell_is_none_and_never_false() -> None:
    """The two ways that there once were disagreed here: false in one, null in the other."""
    for record, arrays, sets in (
        (CANNOT, ARRAYS, True),
        (OLD, ARRAYS, False),
        (OLD, {"probabilities": ARRAYS["probabilities"]}, False),
    ):
        answer = decide(record, arrays)[2]
        assert answer.unknown is None
        assert (answer.members is not None) == sets
        row = TASK.row(answer, top=1)
        assert row["unknown"] is None
        assert "unknown" not in TASK.tensors(decide(record, arrays))
        cells = dict(zip(TASK.columns(CLASSES, top=1), TASK.cells(answer, top=1), strict=True))
        assert cells["unknown"] == ""
        told = record.model_dump()
        assert TASK.read(TASK.row(answer, top=3), path="", classes=CLASSES, told=told).unknown is None
        assert TASK.collect([answer], classes=CLASSES, told=told).unknown is None


def test_rows_cells_and_lines() -> None:
    answer = replace(decide()[0], path="a.jpg")
    assert TASK.row(answer, top=2) == {
        "path": "a.jpg",
        "label": "犬, big",
        "probability": pytest.approx(0.6),
        "classes": [
            {"label": "犬, big", "probability": pytest.approx(0.6)},
            {"label": "cat", "probability": pytest.approx(0.3)},
        ],
        "error": None,
        "set": ["犬, big", "cat"],
        "unknown": False,
        "novelty": 0.75,
        "warning": None,
    }
    assert TASK.columns(CLASSES, top=2)[3:5] == ["label_2", "probability_2"]
    assert TASK.cells(answer, top=2) == [
        *("a.jpg", "犬, big", "0.600000", "cat", "0.300000"),
        *("", "犬, big|cat", "false", "0.75", ""),
    ]
    failed = TASK.unread("no such file", path="b.jpg", classes=CLASSES)
    assert TASK.cells(failed, top=2) == ["b.jpg", "", "", "", "", "no such file", "", "", "", ""]
    assert {name: value for name, value in TASK.row(failed, top=2).items() if value} == {
        "path": "b.jpg",
        "error": "no such file",
    }


def test_a_row_that_travelled_is_the_same_answer() -> None:
    told = RECORD.model_dump(mode="json")
    for answer in decide():
        back = TASK.read(TASK.row(answer, top=3), path="x", classes=CLASSES, told=told)
        assert TASK.row(back, top=3) == TASK.row(replace(answer, path="x"), top=3)
        assert back.threshold == 0.25
    row = TASK.row(decide()[0], top=3)
    with pytest.raises(OtherClasses):
        TASK.read(row, path="", classes=("cat", "dog"), told=told)
    with pytest.raises(ValueError, match="most probable"):
        TASK.read(row | {"set": ["dog"]}, path="", classes=CLASSES, told=told)


def test_tensors_are_the_arrays_and_are_described() -> None:
    for record, names in (
        (RECORD, ["probabilities", "label", "set", "novelty", "unknown", "warning"]),
        (CANNOT, ["probabilities", "label", "set", "novelty", "warning"]),
        (OLD, ["probabilities", "label", "warning"]),
    ):
        outputs = TASK.describe(record, classes=CLASSES, outputs=("probabilities", "embedding", "novelty"))
        assert [output.name for output in outputs] == names
        tensors = TASK.tensors(decide(record))
        assert set(names) <= set(tensors)
        assert tensors["probabilities"] is ARRAYS["probabilities"]
    assert outputs[0] == Output("probabilities", "FP32", (-1, 3))
    tensors = TASK.tensors(decide())
    assert tensors["label"] == ["犬, big".encode(), b"cat", b"dog"]
    assert np.asarray(tensors["set"]).tolist() == [[True, False, True], [True, True, False], [False, True, False]]
    assert np.asarray(tensors["unknown"]).tolist() == [False, False, True]
    assert TASK.tally(decide()) == (["犬, big", "cat", "dog"], 1)
    assert [TASK.shown_class(answer) for answer in decide()] == [2, 0, 1]


def test_all_together() -> None:
    answers = [*decide(), TASK.unread("empty file", path="d", classes=CLASSES)]
    found = TASK.collect(answers, classes=CLASSES, told=RECORD.model_dump())
    assert found.labels == ("犬, big", "cat", "dog", "")
    assert found.sets == (("犬, big", "cat"), ("cat", "dog"), ("dog",), ())
    assert found.unknown is not None
    assert found.unknown.tolist() == [False, False, True, None], "of what nobody could read nothing is known"
    assert found.novelty is not None
    np.testing.assert_array_equal(found.novelty, np.array([0.75, 1.5, 2.5, np.nan], dtype=np.float32))
    older = TASK.collect(answers, classes=CLASSES, told=OLD.model_dump())
    assert (older.sets, older.unknown, older.novelty) == (None, None, None)
    nothing = TASK.collect([], classes=CLASSES, told=RECORD.model_dump())
    assert (nothing.probabilities.shape, nothing.sets) == ((0, 3), ())


def test_what_cannot_be_probabilities_of_a_classifier() -> None:
    fits = np.array([[0.2, 0.3, 0.5]], dtype=np.float32)
    assert TASK.fits({"probabilities": fits}, CLASSES)
    for wrong in (fits * 1.01, fits * np.nan, fits[:, :2], fits[0]):
        assert not TASK.fits({"probabilities": wrong}, CLASSES)


def test_the_record_of_another_task_is_a_bug() -> None:
    record = MultilabelRecord(
        scales=(1,) * 3, offsets=(0,) * 3, thresholds=(0.5,) * 3, threshold_rule="f1", calibrated_on=1
    )
    with pytest.raises(ValueError, match="a record of multilabel"):
        TASK.decide(ARRAYS, PLACES, record, classes=CLASSES)
    with pytest.raises(ValueError, match="a record of multilabel"):
        TASK.describe(record, classes=CLASSES, outputs=())
    with pytest.raises(ValueError, match="could not be read"):
        TASK.shown_class(TASK.unread("gone", classes=CLASSES))


def test_how_a_picture_was_read_is_told_in_every_way() -> None:
    places = [replace(PLACES[0], remark="cut off"), *PLACES[1:]]
    answers = TASK.decide(ARRAYS, places, RECORD, classes=CLASSES)
    assert [one.warning for one in answers] == ["cut off", "", ""]
    told = RECORD.model_dump(mode="json")
    for answer, warning in zip(answers, ("cut off", None, None), strict=True):
        row = TASK.row(answer, top=3)
        assert row["warning"] == warning
        assert TASK.read(row, path="", classes=CLASSES, told=told).warning == answer.warning
        del row["warning"]  # as a server of an older version tells it
        assert TASK.read(row, path="", classes=CLASSES, told=told).warning == ""
    assert TASK.cells(answers[0], top=1)[TASK.columns(CLASSES, top=1).index("warning")] == "cut off"
    assert TASK.line(answers[0], top=1).endswith("  (warning: cut off)")
    assert "warning" not in TASK.line(answers[1], top=1)
