"""The whole of a test: figures, intervals, classes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tellapart.errors import DataError
from tellapart.tasks.detection.average_precision import coco_figures
from tellapart.tasks.detection.matching import match
from tellapart.tasks.detection.scoring import HEADLINE, affordable_resamples, evaluate
from tests.tasks.detection.made_boxes import answered, made, true

CLASSES = ["a", "b", "c"]
THRESHOLDS = np.array([0.3, 0.4, 0.5])


def test_figures_hold_their_intervals_and_are_ready_for_json() -> None:
    answers, truths = made(0)
    found = json.loads(
        json.dumps(evaluate(answers, truths, classes=CLASSES, thresholds=THRESHOLDS, groups=None, seed=0))
    )
    figures = coco_figures(match(answers, truths, 3))
    assert (found["n"], found["groups"]) == (25, 25)
    for name in ("ap", HEADLINE, "ap75"):
        assert found[name]["value"] == pytest.approx(figures[name])
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]
    assert found["ar100"] == pytest.approx(figures["ar100"])
    assert found["f1"]["low"] < found["f1"]["value"] < found["f1"]["high"]
    assert not [name for name in found if " " in name]
    mean = np.mean([one["ap50"]["value"] for one in found["per_class"].values()])
    assert mean == pytest.approx(found["ap50"]["value"])
    assert sum(one["boxes"] for one in found["per_class"].values()) == found["boxes"]
    assert np.sum(found["confusion"]) >= found["boxes"]


def test_groups_are_drawn_whole() -> None:
    answers, truths = made(1, pictures=20)
    alone = evaluate(answers, truths, classes=CLASSES, thresholds=THRESHOLDS, groups=None, seed=0)
    groups = [str(number // 10) for number in range(20)]
    grouped = evaluate(answers, truths, classes=CLASSES, thresholds=THRESHOLDS, groups=groups, seed=0)
    assert (grouped["groups"], grouped["ap50"]["value"]) == (2, alone["ap50"]["value"])
    assert (grouped["ap50"]["low"], grouped["ap50"]["high"]) != (alone["ap50"]["low"], alone["ap50"]["high"])


def test_the_same_seed_gives_the_same_intervals() -> None:
    answers, truths = made(2)
    one, again, other = (
        evaluate(answers, truths, classes=CLASSES, thresholds=THRESHOLDS, groups=None, seed=seed)["ap50"]
        for seed in (0, 0, 1)
    )
    assert one == again != other


def test_a_class_without_a_box_has_no_figures() -> None:
    found = evaluate(
        [answered((0, 0, 9, 9, 0.9, 0)), answered()],
        [true((0, 0, 9, 9, 0)), true()],
        classes=["a", "b"],
        thresholds=np.array([0.5, 0.5]),
        groups=None,
        seed=0,
    )
    assert found["ap50"]["value"] == 1.0
    assert found["per_class"]["b"]["ap50"] is None
    assert found["per_class"]["b"]["voc_ap"] is None
    assert found["ap_large"] is None
    json.dumps(found, allow_nan=False)


def test_no_box_to_find() -> None:
    truths = [true((0, 0, 9, 9, 0), difficult=[0])]
    with pytest.raises(DataError, match="1 test pictures, without a box that counts; a test needs one. Add pictures"):
        evaluate([answered()], truths, classes=["a"], thresholds=np.array([0.5]), groups=None, seed=0)


def test_many_answers_are_drawn_less_often() -> None:
    answers, truths = made(0)
    assert affordable_resamples(match(answers, truths, 3)) == 1_000
    many = [answered(*((0, 0, 9, 9, score, 0) for score in np.linspace(0, 1, 100)))] * 2_000
    assert affordable_resamples(match(many, [true()] * 2_000, 1)) == 100
