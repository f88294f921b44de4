"""A set of classes a picture. In: arrays by hand. Out: what is decided, and the same in every form in which it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tellapart.answers.answering import OtherClasses, Output, Placement
from tellapart.answers.multilabel import LabelsAnswer, LabelsAnswers, Multilabel
from tellapart.bundle import ClassificationRecord, MultilabelRecord

CLASSES = ("cat", "dog|wolf", "red\\blue")
RECORD = MultilabelRecord(
    scales=(1.0, 1.0, 1.0),
    offsets=(0.0, 0.0, 0.0),
    thresholds=(0.5, 0.2, 0.8),
    threshold_rule="f1",
    novelty_threshold=1.5,
    calibrated_on=40,
)
CANNOT = RECORD.model_copy(update={"novelty_threshold": None})
ARRAYS = {
    "probabilities": np.array([[0.9, 0.2, 0.1], [0.4, 0.1, 0.7], [0.5, 0.95, 0.8]], dtype=np.float32),
    "novelty": np.array([0.75, 1.5, 2.5], dtype=np.float32),
}
PLACES = [Placement(width=1, height=1, left=0, top=0, right=1, bottom=1)] * 3
TASK = Multilabel()


def decide(record: MultilabelRecord = RECORD, arrays: dict[str, Any] = ARRAYS) -> LabelsAnswers:
    return TASK.decide(arrays, PLACES, record, classes=CLASSES)


def test_what_is_decided() -> None:
    some, none, all_ = decide()
    assert some.labels == ("cat", "dog|wolf")
    assert none.labels == ()
    assert all_.labels == CLASSES
    assert [one.unknown for one in decide()] == [False, False, True]
    assert [one.unknown for one in decide(CANNOT)] == [None, None, None]
    without = decide(RECORD, {"probabilities": ARRAYS["probabilities"]})[0]
    assert (without.unknown, without.novelty) == (None, None)
    assert [one.labels for one in decide()[:2]] == [("cat", "dog|wolf"), ()]


def test_rows_cells_and_lines() -> None:
    some, none, all_ = (replace(one, path=path) for one, path in zip(decide(), "abc", strict=True))
    failed = TASK.unread("no such file", path="d", classes=CLASSES)
    assert list(TASK.row(some, top=1)) == ["path", "labels", "probabilities", "unknown", "novelty", "error", "warning"]
    assert TASK.row(some, top=1) == {
        "path": "a",
        "labels": ["cat", "dog|wolf"],
        "probabilities": {name: pytest.approx(value) for name, value in zip(CLASSES, (0.9, 0.2, 0.1), strict=True)},
        "unknown": False,
        "novelty": 0.75,
        "error": None,
        "warning": None,
    }
    assert TASK.row(none, top=1)["labels"] == [], "none of them is an answer"
    assert TASK.row(failed, top=1) == {
        "path": "d",
        "labels": None,
        "probabilities": None,
        "unknown": None,
        "novelty": None,
        "error": "no such file",
        "warning": None,
    }
    assert (failed.classes, TASK.unread("gone", classes=CLASSES).path) == (CLASSES, "")
    assert TASK.columns(CLASSES, top=1) == [
        *("path", "labels", "unknown", "novelty"),
        *("probability of cat", "probability of dog|wolf", "probability of red\\blue", "error", "warning"),
    ]
    assert TASK.cells(all_, top=1) == [
        *("c", "cat|dog\\|wolf|red\\\\blue", "true", "2.5"),
        *("0.500000", "0.950000", "0.800000", "", ""),
    ]
    assert TASK.cells(failed, top=1) == ["d", "", "", "", "", "", "", "no such file", ""]
    assert [TASK.line(one, top=1) for one in (some, none, all_, failed)] == [
        f"{'cat 90.0%, dog|wolf 20.0%':<40} a",
        f"{'none of them':<40} b",
        "dog|wolf 95.0%, red\\blue 80.0%, cat 50.0% c  (unknown: unlike the pictures trained on)",
        f"{'unreadable':<40} d  (no such file)",
    ]


def test_classes_that_are_equally_probable_are_named_in_the_model_s_order() -> None:
    """As many as there are, since a sort that is not stable keeps the order of few."""
    names = tuple(f"n{index:03d}" for index in range(100))
    probabilities = np.tile(np.array([0.5, 0.75], dtype=np.float32), 50)
    answer = LabelsAnswer(classes=names, probabilities=probabilities, chosen=np.ones(100, dtype=bool))
    order = [*names[1::2], *names[::2]]
    assert [part.split()[0] for part in TASK.line(answer, top=1).split(", ")] == order


def test_a_row_that_travelled_is_the_same_answer() -> None:
    told = RECORD.model_dump(mode="json")
    for answer in (*decide(), *decide(CANNOT), *decide(RECORD, {"probabilities": ARRAYS["probabilities"]})):
        back = TASK.read(TASK.row(answer, top=1), path="x", classes=CLASSES, told=told)
        assert TASK.row(back, top=1) == TASK.row(replace(answer, path="x"), top=1)
        assert back.classes == CLASSES
        assert back.probabilities is not None
        assert back.probabilities.dtype == np.float32
        np.testing.assert_array_equal(back.probabilities, np.asarray(answer.probabilities))
        assert (back.chosen is not None and back.chosen.dtype) == np.bool_
    nothing = TASK.read(TASK.row(decide()[0], top=1) | {"labels": []}, path="", classes=CLASSES, told=told)
    assert nothing.labels == ()
    with pytest.raises(OtherClasses):
        TASK.read(TASK.row(decide()[0], top=1), path="", classes=("cat", "dog"), told=told)


def test_tensors_are_the_arrays_and_are_described() -> None:
    outputs = TASK.describe(RECORD, classes=CLASSES, outputs=("probabilities", "embedding", "novelty"))
    assert outputs == [
        Output("probabilities", "FP32", (-1, 3)),
        Output("labels", "BYTES", (-1,)),
        Output("chosen", "BOOL", (-1, 3)),
        Output("novelty", "FP32", (-1,)),
        Output("unknown", "BOOL", (-1,)),
        Output("warning", "BYTES", (-1,)),
    ]
    tensors = TASK.tensors(decide())
    assert set(tensors) == {output.name for output in outputs}
    assert tensors["labels"] == [b"cat|dog\\|wolf", b"", b"cat|dog\\|wolf|red\\\\blue"]
    assert np.asarray(tensors["chosen"]).tolist() == [[True, True, False], [False] * 3, [True] * 3]
    assert np.asarray(tensors["unknown"]).tolist() == [False, False, True]
    for record, given in ((CANNOT, ("probabilities", "novelty")), (RECORD, ("probabilities",))):
        names = [output.name for output in TASK.describe(record, classes=CLASSES, outputs=given)]
        assert "unknown" not in names
        assert ("novelty" in names) == ("novelty" in given)
    assert TASK.tally(decide()) == (["cat", "dog|wolf", *CLASSES], 1)
    assert TASK.tally(decide(CANNOT)).unknown == 0
    assert [TASK.shown_class(answer) for answer in decide()] == [0, 2, 1]


def test_all_together() -> None:
    answers = [*decide(), TASK.unread("empty file", path="d", classes=CLASSES)]
    answers[0] = replace(answers[0], path="a", warning="cut off")
    found = TASK.collect(answers, classes=CLASSES, told=RECORD.model_dump())
    assert (found.paths, found.classes) == (("a", "", "", "d"), CLASSES)
    assert found.warnings == ("cut off", "", "", "")
    assert found.label_sets == (("cat", "dog|wolf"), (), CLASSES, ())
    assert found.errors == ("", "", "", "empty file")
    assert found.probabilities.dtype == np.float32
    np.testing.assert_array_equal(found.probabilities[:3], ARRAYS["probabilities"])
    assert np.isnan(found.probabilities[3]).all()
    assert found.unknown is not None
    assert found.unknown.tolist() == [False, False, True, None], "of what nobody could read nothing is known"
    assert found.novelty is not None
    np.testing.assert_array_equal(found.novelty, np.array([0.75, 1.5, 2.5, np.nan], dtype=np.float32))
    cannot = TASK.collect(decide(CANNOT)[:], classes=CLASSES, told=CANNOT.model_dump())
    assert cannot.unknown is None
    assert cannot.novelty is not None
    assert cannot.novelty.dtype == np.float32
    some = TASK.collect(
        [decide(CANNOT)[0], replace(decide(CANNOT)[1], novelty=None)], classes=CLASSES, told=CANNOT.model_dump()
    )
    np.testing.assert_array_equal(some.novelty, np.array([0.75, np.nan], dtype=np.float32))
    nothing = TASK.collect([], classes=CLASSES, told=CANNOT.model_dump())
    assert (nothing.probabilities.shape, nothing.label_sets, nothing.novelty) == ((0, 3), (), None)


def test_what_cannot_be_probabilities_of_its_classes() -> None:
    fits = np.array([[0.2, 1.0, 0.0]], dtype=np.float32)
    assert TASK.fits({"probabilities": fits}, CLASSES)
    for wrong in (fits * 1.01, fits - 0.01, fits * np.nan, fits[:, :2], fits[0]):
        assert not TASK.fits({"probabilities": wrong}, CLASSES)


def test_the_record_of_another_task_is_a_bug() -> None:
    with pytest.raises(ValueError, match="a record of classification"):
        TASK.decide(ARRAYS, PLACES, ClassificationRecord(temperature=1.0), classes=CLASSES)
    with pytest.raises(ValueError, match="a record of classification"):
        TASK.describe(ClassificationRecord(temperature=1.0), classes=CLASSES, outputs=())
    with pytest.raises(ValueError, match="^there is no class to show of a picture that could not be read$"):
        TASK.shown_class(TASK.unread("gone", classes=CLASSES))


def test_how_a_picture_was_read_is_told_in_every_way() -> None:
    places = [replace(PLACES[0], remark="cut off"), *PLACES[1:]]
    answers = TASK.decide(ARRAYS, places, RECORD, classes=CLASSES)
    assert [one.warning for one in answers] == ["cut off", "", ""]
    assert TASK.tensors(answers)["warning"] == [b"cut off", b"", b""]
    assert TASK.tensors(decide())["warning"] == [b"", b"", b""]
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


def test_what_a_person_says_of_a_picture_is_any_number_of_classes() -> None:
    """Sorted, each once, and a | in a name is marked as in a table."""
    assert TASK.read_truth({"labels": "red|cat|dog\\|wolf|cat"}) == (
        "labels",
        "cat|dog\\|wolf|red",
        ("cat", "dog|wolf", "red"),
    )
    assert TASK.read_truth({"labels": ""}) == ("labels", "", ())
    with pytest.raises(ValueError, match="the form has no field") as fault:
        TASK.read_truth({"label": "cat"})
    assert str(fault.value) == (
        "the form has no field `labels`. Send the names of the classes joined by |, nothing for none"
    )
