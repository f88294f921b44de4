"""Thresholds that somebody asks for. In: flags, records. Out: other records, or what is wrong. Next: test_predictor.py."""

from __future__ import annotations

import pytest

from tellapart.answers.thresholds import ASKED, read_thresholds, with_thresholds
from tellapart.bundle import ClassificationRecord, DetectionRecord, MultilabelRecord
from tellapart.errors import SettingsError

CLASSES = ("cat", "dog", "a=b")
SETS = MultilabelRecord(
    scales=(1.0,) * 3, offsets=(0.0,) * 3, thresholds=(0.5, 0.4, 0.9), threshold_rule="f1", calibrated_on=9
)
BOXES = DetectionRecord(
    **SETS.model_dump(exclude={"kind", "novelty_threshold", "known"}), overlap=0.6, most=9, least_score=0.01
)


@pytest.mark.parametrize("record", [SETS, BOXES])
def test_one_for_all_or_some_by_name(record: MultilabelRecord | DetectionRecord) -> None:
    found = with_thresholds(record, CLASSES, 0.3)
    assert found == record.model_copy(update={"thresholds": (0.3, 0.3, 0.3), "threshold_rule": ASKED})
    some = with_thresholds(record, CLASSES, {"dog": 0.0, "a=b": 1.0})
    assert some.model_dump()["thresholds"] == (0.5, 0.0, 1.0)


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        ((), None),
        (("0.25",), 0.25),
        (("cat=0.25", "a=b=1", "=.5"), {"cat": 0.25, "a=b": 1.0, "": 0.5}),
    ],
)
def test_flags_are_read(texts: tuple[str, ...], read: object) -> None:
    assert read_thresholds(texts) == read


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (("high",), "^--threshold is 'high'; it must be a number, or CLASS=NUMBER. Give one such as 0.5.$"),
        (("cat=",), "^--threshold is 'cat='; it must be a number"),
        (("nan",), "^--threshold is 'nan'; it must be a number"),
        (
            ("0.1", "0.2"),
            "^--threshold is given for all classes, and once more. Give one number for all, or CLASS=NUMBER",
        ),
        (("0.1", "cat=0.2"), "^--threshold is given for all classes, and once more"),
        (("cat=0.1", "cat=0.2"), "^--threshold is given twice for 'cat'. Give one for each class.$"),
    ],
)
def test_flags_that_say_nothing_plain_are_refused(texts: tuple[str, ...], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        read_thresholds(texts)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (1.5, r"^the threshold is 1.5; it must be from 0 to 1. Give one such as 0.5.$"),
        ({"dog": -0.1}, "^the threshold is -0.1; it must be from 0 to 1"),
        (
            {"bird": 0.1},
            r"^the threshold is for 'bird', which is none of the model's classes \(cat, dog, a=b\). Name one",
        ),
    ],
)
def test_what_the_model_cannot_take_is_refused(asked: object, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        with_thresholds(BOXES, CLASSES, asked)  # type: ignore[arg-type]


def test_many_classes_are_not_all_listed() -> None:
    names = tuple(f"class {number}" for number in range(12))
    many = BOXES.model_copy(update={"thresholds": (0.5,) * 12})
    with pytest.raises(SettingsError, match=r"class 9 and 2 more\)"):
        with_thresholds(many, names, {"bird": 0.1})


def test_a_task_without_thresholds_is_refused() -> None:
    with pytest.raises(
        SettingsError, match="^the model is of the task 'classification', which decides without thresholds. Leave"
    ):
        with_thresholds(ClassificationRecord(temperature=1.0), CLASSES, 0.5)
