"""What a test of masks tells, against scikit-learn's figures and by hand. In: made masks. Out: metrics."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score, precision_score, recall_score

from tellapart.errors import DataError
from tellapart.tasks.segmentation.judging import judge
from tellapart.tasks.segmentation.scoring import evaluate, picture_figures
from tests.tasks.segmentation.made_masks import CLASSES, answer_of, discs, spoiled

TRUTHS = [discs(seed) for seed in range(8)]
TOLD = [spoiled(mask, seed) for seed, mask in enumerate(TRUTHS)]
TRUTHS[0][:5] = 255
JUDGED = [
    judge(answer_of(told), truth, path=f"{at}.png") for at, (told, truth) in enumerate(zip(TOLD, TRUTHS, strict=True))
]


def measured(**others: Any) -> dict[str, Any]:
    own = {"classes": CLASSES, "common": 0, "background": 0, "groups": None, "seed": 0}
    return evaluate(**({"judged": JUDGED} | own | others))


def flat() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    true, told = (np.concatenate([one.reshape(-1) for one in masks]) for masks in (TRUTHS, TOLD))
    return true[true != 255], told[true != 255]


def test_figures_are_those_of_scikit_learn() -> None:
    found, (true, told) = measured(), flat()
    assert found["pixels"] == len(true) == 8 * 48 * 48 - 5 * 48
    assert found["confusion"] == confusion_matrix(true, told).tolist()
    assert found["pixel_accuracy"]["value"] == pytest.approx(accuracy_score(true, told))
    for name, score in (
        ("iou", jaccard_score),
        ("dice", f1_score),
        ("precision", precision_score),
        ("recall", recall_score),
    ):
        each = score(true, told, average=None)
        assert found[name]["value"] == pytest.approx(each.mean())
        assert [found["per_class"][one][name]["value"] for one in CLASSES] == pytest.approx(each.tolist())
        assert found[name]["low"] <= found[name]["value"] <= found[name]["high"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_mean_is_over_the_classes_that_are_there_or_told() -> None:
    truth, told = np.zeros((2, 2, 8), dtype=np.uint8)
    truth[0, :4], told[0, :2], told[1, :3] = 1, 1, 2
    found = measured(judged=[judge(answer_of(told), truth, path="a")])
    classes = found["per_class"]
    assert classes[CLASSES[2]]["iou"]["value"] == 0.0
    assert classes[CLASSES[2]]["recall"] is None
    assert classes["cell"]["iou"]["value"] == 0.5
    assert found["iou"]["value"] == pytest.approx((0.5 + 9 / 14 + 0) / 3)
    assert found["iou"]["value"] == pytest.approx(jaccard_score(truth.reshape(-1), told.reshape(-1), average="macro"))
    nothing = measured(judged=[judge(answer_of(np.zeros((2, 8), np.uint8)), truth, path="a")])
    assert nothing["per_class"]["cell"]["precision"] is None
    assert nothing["precision"]["value"] == pytest.approx(12 / 16 / 2)  # a class that is never told counts as 0


def test_borders_count_over_all_pictures() -> None:
    found = measured()
    for number, name in enumerate(CLASSES):
        told, right, true, seen = np.sum([one.borders for one in JUDGED], axis=0)[number]
        precision, recall = right / told, seen / true
        row = found["per_class"][name]
        assert row["boundary_f1"]["value"] == pytest.approx(2 * precision * recall / (precision + recall))
        distances = np.array([one.distances[number] for one in JUDGED])
        assert row["hausdorff95"]["value"] == pytest.approx(np.nanmean(distances))
        assert row["distances"] == int((~np.isnan(distances)).sum())
    assert found["boundary_tolerance"] == 2
    truth = np.zeros((9, 9), np.uint8)
    truth[2:6, 2:6] = 1
    missed = measured(judged=[judge(answer_of(np.zeros_like(truth)), truth, path="a")])
    assert missed["per_class"]["cell"]["boundary_f1"]["value"] == 0.0
    assert missed["per_class"]["cell"]["hausdorff95"] is None
    assert missed["per_class"][CLASSES[2]]["boundary_f1"] is None


def test_parts_and_things_are_counted() -> None:
    truth, told = np.zeros((2, 20, 20), dtype=np.uint8)
    truth[2:4, 2:4] = truth[10:18, 10:18] = 1  # of 4 and of 64 pixels
    told[10:18, 10:14] = told[10:18, 15:18] = 1  # the larger one is found, in two parts
    one = judge(answer_of(told), truth, path="a")
    found = measured(judged=[one])
    row = found["per_class"]["cell"]
    assert (row["parts"], row["answered_parts"], row["count_miss"]) == (2, 2, 0.0)
    ground = found["per_class"]["background"]
    assert [ground[key] for key in ("parts", "answered_parts", "count_miss")] == [None] * 3  # as in answers
    assert found["count_error"] == 0.0
    assert found["things"][0][:5] == [0, 1, 0, 1, 0]
    assert found["things"][1][:5] == [0, 0, 0, 1, 0]
    assert one.told_parts.tolist() == [1, 2, 0]
    aside = truth.copy()
    aside[:, 14:] = 255  # what is told there counts no more
    assert judge(answer_of(told), aside, path="a").told_parts.tolist() == [1, 1, 0]


def test_who_looks_at_nothing_is_told_beside() -> None:
    found, (true, _) = measured(), flat()
    always = np.zeros_like(true)
    assert found["nothing_learned"] == {
        "class": "background",
        "iou": pytest.approx(jaccard_score(true, always, average="macro")),
        "dice": pytest.approx(f1_score(true, always, average="macro")),
        "pixel_accuracy": pytest.approx((true == 0).mean()),
    }


def test_calibration_by_pixels() -> None:
    truth = np.zeros((10, 10), dtype=np.uint8)
    told = truth.copy()
    told[0] = 1  # a tenth of the pixels is wrong
    sure = measured(judged=[judge(answer_of(told, certainty=255), truth, path="a")])
    assert sure["calibration_error"] == pytest.approx(0.1)
    assert sure["reliability"] == [[1.0, 0.9, 100]]
    right = measured(judged=[judge(answer_of(told, certainty=230), truth, path="a")])
    assert right["calibration_error"] == pytest.approx(230 / 255 - 0.9, abs=1e-9)


def test_groups_are_drawn_whole() -> None:
    apart = measured()
    twice = measured(judged=[*JUDGED, *JUDGED], groups=[f"g{at}" for at in [*range(8), *range(8)]])
    assert twice["groups"] == 8
    for name in ("iou", "boundary_f1"):
        assert twice[name] == {
            key: pytest.approx(value) if key != "method" else value for key, value in apart[name].items()
        }
    alone = measured(judged=[*JUDGED, *JUDGED])
    assert alone["iou"]["high"] - alone["iou"]["low"] < twice["iou"]["high"] - twice["iou"]["low"]


def test_a_pictures_own_figures() -> None:
    truth, told = TRUTHS[3].reshape(-1), TOLD[3].reshape(-1)
    assert picture_figures(JUDGED[3]) == {
        "iou": pytest.approx(jaccard_score(truth, told, average="macro")),
        "dice": pytest.approx(f1_score(truth, told, average="macro")),
        "accuracy": pytest.approx((truth == told).mean()),
    }


def test_what_cannot_be_scored_is_said() -> None:
    ignored = np.full((4, 4), 255, dtype=np.uint8)
    nothing = judge(answer_of(np.zeros((4, 4), np.uint8)), ignored, path="a")
    assert picture_figures(nothing) == {"iou": None, "dice": None, "accuracy": None}
    assert nothing.quality == 1.0
    with pytest.raises(DataError, match="1 test pictures, without a pixel that counts"):
        measured(judged=[nothing])
    with pytest.raises(DataError, match="a.png has 4 x 4 pixels, and its mask 5 x 4; they must be the same"):
        judge(answer_of(np.zeros((4, 4), np.uint8)), np.zeros((4, 5), np.uint8), path="a.png")
    with pytest.raises(DataError, match=r"the mask of a.png has the class 3, and the model's 3 are counted from 0"):
        judge(answer_of(np.zeros((4, 4), np.uint8)), np.full((4, 4), 3, np.uint8), path="a.png")
