"""The whole of a test: figures, intervals, classes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tellapart.errors import DataError
from tellapart.tasks.detection.average_precision import class_precisions, coco_figures
from tellapart.tasks.detection.counting import confusion, count
from tellapart.tasks.detection.error_kinds import error_kinds
from tellapart.tasks.detection.matching import TrueBoxes, match
from tellapart.tasks.detection.scoring import HEADLINE, affordable_resamples, evaluate
from tellapart.tasks.detection.voc_precision import voc_precisions
from tests.tasks.detection.made_boxes import Answer, answered, made, true

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


def of_class(answers: list[Answer], truths: list[TrueBoxes], number: int) -> tuple[list[Answer], list[TrueBoxes]]:
    """What is answered and true of one class, which is then the only one."""
    said = [
        Answer(boxes=one.boxes[own], scores=one.scores[own], labels=np.zeros(own.sum(), dtype=np.int64))
        for one, own in ((one, one.labels == number) for one in answers)
    ]
    there = [
        TrueBoxes(
            boxes=one.boxes[own],
            labels=np.zeros(own.sum(), dtype=np.int64),
            ignored=one.ignored[own],
            crowd=one.crowd[own],
        )
        for one, own in ((one, one.labels == number) for one in truths)
    ]
    return said, there


def test_a_class_is_scored_as_if_it_were_the_only_one() -> None:
    """With its intervals, since the same pictures are drawn."""
    answers, truths = made(3)
    groups = [str(number // 2) for number in range(25)]
    together = evaluate(answers, truths, classes=CLASSES, thresholds=THRESHOLDS, groups=groups, seed=4)
    voc = voc_precisions(answers, truths, 3)
    for number, name in enumerate(CLASSES):
        alone = evaluate(
            *of_class(answers, truths, number),
            classes=["it"],
            thresholds=THRESHOLDS[number : number + 1],
            groups=groups,
            seed=4,
        )
        found = together["per_class"][name]
        assert list(found) == [
            *("boxes", "pictures", "answered", "threshold", "ap75", "voc_ap"),
            *("ap", "ap50", "precision", "recall", "f1", "count_miss"),
        ]
        for figure in ("ap", "ap50", "precision", "recall", "f1"):
            assert found[figure] == alone[figure]
            assert found[figure]["method"] == "percentile bootstrap"
            assert found[figure]["low"] < found[figure]["value"] < found[figure]["high"]
        assert found == alone["per_class"]["it"]
        assert found["ap75"] == alone["ap75"]["value"]
        assert found["voc_ap"] == alone["voc_ap"] == voc[number]
        assert (found["boxes"], found["threshold"]) == (alone["boxes"], THRESHOLDS[number])
    assert together["voc_ap"] == pytest.approx(voc.mean())


def test_what_is_counted_in_all_is_what_the_parts_count() -> None:
    answers, truths = made(4)
    found = evaluate(answers, truths, classes=CLASSES, thresholds=THRESHOLDS, groups=None, seed=0)
    matches = match(answers, truths, 3)
    counted = count(matches, THRESHOLDS)
    off = counted.said - counted.positives
    whole = counted.positives.sum()
    assert found["boxes"] == whole
    assert found["precision"]["value"] == pytest.approx(counted.right.sum() / counted.said.sum())
    assert found["recall"]["value"] == pytest.approx(counted.right.sum() / whole)
    assert found["count_error"]["value"] == pytest.approx(np.abs(off).sum() / whole)
    assert found["count_bias"]["value"] == pytest.approx(off.sum() / whole)
    assert "count_miss" not in found
    for number, one in enumerate(found["per_class"].values()):
        assert one["count_miss"]["value"] == pytest.approx(np.abs(off[number]).mean())
        assert one["pictures"] == (counted.positives[number] > 0).sum()
        assert (one["answered"], one["boxes"]) == (counted.said[number].sum(), counted.positives[number].sum())
        assert one["ap75"] == class_precisions(matches[number])[5, 0]
    assert found["confusion"] == confusion(answers, truths, matches, THRESHOLDS).tolist()
    assert found["error_kinds"] == error_kinds(answers, truths, matches)


def test_intervals_are_of_the_mean_over_the_classes_that_a_resample_has() -> None:
    """One picture of each of two classes, one found and one not: drawn are both (1/2), or one of them twice (1 or 0)."""
    answers = [answered((0, 0, 9, 9, 0.9, 0)), answered((50, 50, 59, 59, 0.9, 1))]
    truths = [true((0, 0, 9, 9, 0)), true((0, 0, 9, 9, 1))]
    found = evaluate(answers, truths, classes=["a", "b"], thresholds=np.array([0.5, 0.5]), groups=None, seed=0)
    for name in ("ap", "ap50", "ap75"):
        assert found[name] == {"value": 0.5, "low": 0.0, "high": 1.0, "method": "percentile bootstrap"}
    assert [found["per_class"][name]["ap50"]["low"] for name in "ab"] == [1.0, 0.0]
    assert [found["per_class"][name]["ap50"]["high"] for name in "ab"] == [1.0, 0.0]


def test_a_box_covered_by_0_76_is_found_at_three_quarters_in_every_resample() -> None:
    answers, truths = [answered((0, 0, 100, 76, 0.9, 0))] * 3, [true((0, 0, 100, 100, 0))] * 3
    found = evaluate(answers, truths, classes=["a"], thresholds=np.array([0.5]), groups=None, seed=0)
    assert found["ap75"] == {"value": 1.0, "low": 1.0, "high": 1.0, "method": "percentile bootstrap"}
    assert found["ap"]["value"] == found["ap"]["low"] == found["ap"]["high"] == pytest.approx(0.6)


@pytest.mark.parametrize("rare_are_found", [False, True])
def test_an_interval_holds_its_value(rare_are_found: bool) -> None:
    """Ten classes of one picture each: one resample in a hundred has all of them, and their mean is like nearly no resample's."""
    place = (0, 0, 9, 9)
    answers = [answered((*place, 0.9, number if rare_are_found else 0)) for number in range(1, 11)]
    truths = [true((*place, 0), (*place, number)) for number in range(1, 11)]
    names = [f"c{number}" for number in range(11)]
    found = evaluate(answers, truths, classes=names, thresholds=np.full(11, 0.5), groups=None, seed=0)["ap50"]
    assert found["value"] == pytest.approx(10 / 11 if rare_are_found else 1 / 11)
    assert found["high" if rare_are_found else "low"] == found["value"]
    assert found["low"] < found["high"]


def test_one_group_has_no_spread() -> None:
    answers = [answered((0, 0, 9, 9, 0.9, 0))] * 2
    truths = [true((0, 0, 9, 9, 0)), true((0, 0, 9, 9, 0), (50, 50, 59, 59, 0))]
    found = evaluate(answers, truths, classes=["a"], thresholds=np.array([0.5]), groups=["g", "g"], seed=0)
    assert found["groups"] == 1
    assert found["recall"] == {"value": 2 / 3, "low": 2 / 3, "high": 2 / 3, "method": "percentile bootstrap"}


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
    fewer = match(many[:80], [true()] * 80, 1)
    assert affordable_resamples(fewer) == 500  # 40 million over ten overlaps and 8,000 answers
    assert affordable_resamples(match(many[:77], [true()] * 77, 1)) == 519  # whole ones
    assert affordable_resamples(match(many[:1], [true()], 2)) == 1_000
    assert affordable_resamples([*fewer, *fewer]) == 250
