"""One class a picture. In: arrays by hand. Out: what is decided, and the same in every form in which it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tellapart.answers.answering import OtherClasses, Output, Placement
from tellapart.answers.classification import ClassAnswer, ClassAnswers, Classification
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
    assert TASK.columns(CLASSES, top=3) == [
        *("path", "label", "probability", "label_2", "probability_2", "label_3", "probability_3"),
        *("error", "set", "unknown", "novelty", "warning"),
    ]
    assert TASK.columns(CLASSES, top=1)[2:4] == ["probability", "error"]
    assert TASK.cells(answer, top=2) == [
        *("a.jpg", "犬, big", "0.600000", "cat", "0.300000"),
        *("", "犬, big|cat", "false", "0.75", ""),
    ]
    failed = TASK.unread("no such file", path="b.jpg", classes=CLASSES)
    assert TASK.cells(failed, top=2) == ["b.jpg", "", "", "", "", "no such file", "", "", "", ""]
    assert TASK.row(failed, top=2) == {
        "path": "b.jpg",
        "label": None,
        "probability": None,
        "classes": [],
        "error": "no such file",
        "set": None,
        "unknown": None,
        "novelty": None,
        "warning": None,
    }
    assert (failed.classes, TASK.unread("gone", classes=CLASSES).path) == (CLASSES, "")
    assert TASK.row(decide(OLD)[0], top=1)["set"] is None, "a model without sets"
    rounded = TASK.row(answer, top=1, figure=lambda value: round(value, 1))
    assert (rounded["probability"], rounded["classes"][0]["probability"], rounded["novelty"]) == (0.6, 0.6, 0.8)


def test_lines_for_a_person_stand_below_each_other() -> None:
    """Each class as wide as the longest, "犬, big", so 6 + 8 signs a class; unreadable takes the same 28."""
    answers = [replace(one, path=path) for one, path in zip(decide(), "abc", strict=True)]
    failed = TASK.unread("no such file", path="d", classes=CLASSES)
    assert [TASK.line(one, top=2) for one in (*answers, failed)] == [
        " 60.0% 犬, big  30.0% cat    a  (may be 犬, big, cat)",
        " 50.0% cat     50.0% dog    b  (may be cat, dog)",
        " 90.0% dog      5.0% cat    c  (unknown: unlike the pictures trained on)",
        "unreadable                   d  (no such file)",
    ]
    assert TASK.line(answers[0], top=1).startswith(" 60.0% 犬, big a"), "no more than asked for"
    assert TASK.line(decide(OLD)[0], top=1) == " 60.0% 犬, big ", "a model without sets has no doubts"
    long = replace(answers[0], classes=("x" * 40, "y", "z"), unknown=None, set_size=1)
    assert TASK.line(long, top=1) == f" 60.0% z{' ' * 29} a", "a long name does not widen the column beyond 30"


@pytest.mark.parametrize(
    ("size", "threshold", "doubt"),
    [
        (1, 0.1, ""),
        (2, 0.1, "  (may be a, b)"),
        (5, 0.1, "  (may be a, b, c, d, e)"),
        (6, 0.1, "  (may be a, b, c, d, e or 1 other)"),
        (7, 0.1, "  (may be a, b, c, d, e or 2 others)"),
        (8, 0.1, "  (may be a, b, c, d, e or 3 others)"),
        (8, 1.0, "  (may be a, b, c, d, e or 3 others)"),
        (8, 0.0, ""),  # every class is in every set
        (None, None, ""),
    ],
)
def test_what_else_it_may_be(size: int | None, threshold: float | None, doubt: str) -> None:
    answer = ClassAnswer(
        path="p",
        classes=tuple("abcdefgh"),
        probabilities=np.array([0.5, *[0.5 / 7] * 7], dtype=np.float32),
        ranking=np.arange(8),
        set_size=size,
        threshold=threshold,
    )
    assert TASK.line(answer, top=1) == f" 50.0% a p{doubt}"


def test_a_row_that_travelled_is_the_same_answer() -> None:
    told = RECORD.model_dump(mode="json")
    for answer in decide():
        back = TASK.read(TASK.row(answer, top=3), path="x", classes=CLASSES, told=told)
        assert TASK.row(back, top=3) == TASK.row(replace(answer, path="x"), top=3)
        assert (back.classes, back.threshold) == (CLASSES, 0.25)
        assert back.probabilities is not None
        assert back.probabilities.dtype == np.float32
        np.testing.assert_array_equal(back.probabilities, np.asarray(answer.probabilities))
    older = TASK.read(TASK.row(decide(OLD)[0], top=3), path="", classes=CLASSES, told={})
    assert (older.set_size, older.threshold) == (None, None)
    row = TASK.row(decide()[0], top=3)
    with pytest.raises(OtherClasses):
        TASK.read(row, path="", classes=("cat", "dog"), told=told)
    with pytest.raises(ValueError, match="^the set is not of the most probable classes$"):
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
    assert TASK.describe(RECORD, classes=CLASSES, outputs=("probabilities", "novelty")) == [
        Output("probabilities", "FP32", (-1, 3)),
        Output("label", "BYTES", (-1,)),
        Output("set", "BOOL", (-1, 3)),
        Output("novelty", "FP32", (-1,)),
        Output("unknown", "BOOL", (-1,)),
        Output("warning", "BYTES", (-1,)),
    ]
    without = TASK.describe(RECORD, classes=CLASSES, outputs=("probabilities",))
    assert [output.name for output in without] == ["probabilities", "label", "set", "warning"], (
        "novelty is not measured"
    )
    tensors = TASK.tensors(decide())
    assert tensors["novelty"] is ARRAYS["novelty"]
    assert tensors["warning"] == [b"", b"", b""]
    assert tensors["label"] == ["犬, big".encode(), b"cat", b"dog"]
    assert np.asarray(tensors["set"]).tolist() == [[True, False, True], [True, True, False], [False, True, False]]
    assert np.asarray(tensors["unknown"]).tolist() == [False, False, True]
    assert TASK.tally(decide()) == (["犬, big", "cat", "dog"], 1)
    assert TASK.tally(decide(CANNOT)).unknown == 0
    assert [TASK.shown_class(answer) for answer in decide()] == [2, 0, 1]


def test_all_together() -> None:
    answers = [*decide(), TASK.unread("empty file", path="d", classes=CLASSES)]
    answers[0] = replace(answers[0], path="a", warning="cut off")
    found = TASK.collect(answers, classes=CLASSES, told=RECORD.model_dump())
    assert (found.paths, found.classes) == (("a", "", "", "d"), CLASSES)
    assert (found.errors, found.warnings) == (("", "", "", "empty file"), ("cut off", "", "", ""))
    assert found.probabilities.dtype == np.float32
    np.testing.assert_array_equal(found.probabilities[:3], ARRAYS["probabilities"])
    assert np.isnan(found.probabilities[3]).all()
    assert found.labels == ("犬, big", "cat", "dog", "")
    assert found.sets == (("犬, big", "cat"), ("cat", "dog"), ("dog",), ())
    assert found.unknown is not None
    assert found.unknown.tolist() == [False, False, True, None], "of what nobody could read nothing is known"
    assert found.novelty is not None
    np.testing.assert_array_equal(found.novelty, np.array([0.75, 1.5, 2.5, np.nan], dtype=np.float32))
    cannot = TASK.collect(decide(CANNOT)[:], classes=CLASSES, told=CANNOT.model_dump())
    assert (cannot.unknown, cannot.sets) == (None, (("犬, big", "cat"), ("cat", "dog"), ("dog",)))
    older = TASK.collect(answers, classes=CLASSES, told=OLD.model_dump())
    assert (older.sets, older.unknown, older.novelty) == (None, None, None)
    nothing = TASK.collect([], classes=CLASSES, told=RECORD.model_dump())
    assert (nothing.probabilities.shape, nothing.sets) == ((0, 3), ())


def test_what_cannot_be_probabilities_of_a_classifier() -> None:
    fits = np.array([[0.2, 0.3, 0.5]], dtype=np.float32)
    assert TASK.fits({"probabilities": fits}, CLASSES)
    assert TASK.fits({"probabilities": np.repeat(fits, 4, axis=0)}, CLASSES), "of each picture, not of all together"
    assert TASK.fits({"probabilities": fits * np.float32(1.0009)}, CLASSES)
    for wrong in (fits * np.float32(1.0011), fits * 0.99, fits * np.nan, fits[:, :2], fits[0]):
        assert not TASK.fits({"probabilities": wrong}, CLASSES)


def test_the_record_of_another_task_is_a_bug() -> None:
    record = MultilabelRecord(
        scales=(1,) * 3, offsets=(0,) * 3, thresholds=(0.5,) * 3, threshold_rule="f1", calibrated_on=1
    )
    with pytest.raises(ValueError, match="a record of multilabel"):
        TASK.decide(ARRAYS, PLACES, record, classes=CLASSES)
    with pytest.raises(ValueError, match="a record of multilabel"):
        TASK.describe(record, classes=CLASSES, outputs=())
    with pytest.raises(ValueError, match="^there is no class to show of a picture that could not be read$"):
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


def test_what_a_person_says_of_a_picture_is_one_class() -> None:
    assert TASK.read_truth({"label": "犬, big", "labels": "cat"}) == ("label", "犬, big", ("犬, big",))
    assert TASK.read_truth({}) == ("label", "", ("",))
