"""What a test of sets tells. In: probabilities and sets. Out: figures, equal to scikit-learn's, with intervals that hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from tellapart.errors import DataError
from tellapart.evaluation.intervals import mean_of_proportions, wilson
from tellapart.tasks.multilabel.averaging import ScoredCells, ranking_precision
from tellapart.tasks.multilabel.calibration import calibration_error
from tellapart.tasks.multilabel.scoring import affordable_resamples, evaluate, most_common_set

CLASSES = ("ant", "bee", "cat", "dog")
THRESHOLDS = np.array([0.5, 0.4, 0.6, 0.5], dtype=np.float32)


def made(count: int = 300, seed: int = 0, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities float32 [N, 4] that know something of the sets [N, 4]."""
    chance = np.random.default_rng(seed)
    targets = (chance.random((count, 4)) < [0.5, 0.3, 0.2, 0.1]).astype(np.float32)
    scores = 1 / (1 + np.exp(-(2.0 * targets - 1.2 + chance.normal(0, 1, targets.shape))))
    return (np.round(scores, 1) if ties else scores).astype(np.float32), targets


def score(probabilities: np.ndarray, targets: np.ndarray, **given: Any) -> dict[str, Any]:
    chosen = {"classes": CLASSES, "thresholds": THRESHOLDS, "common": ["ant"], "groups": None, "seed": 0} | given
    return evaluate(probabilities, None, targets, **chosen)


@pytest.mark.parametrize("ties", [False, True])
def test_every_figure_is_scikit_learns(ties: bool) -> None:
    probabilities, targets = made(ties=ties)
    found, said = score(probabilities, targets), probabilities >= THRESHOLDS
    expected = {
        "mean_average_precision": metrics.average_precision_score(targets, probabilities, average="macro"),
        "micro_f1": metrics.f1_score(targets, said, average="micro"),
        "macro_f1": metrics.f1_score(targets, said, average="macro"),
        "hamming_loss": metrics.hamming_loss(targets, said),
        "subset_accuracy": metrics.accuracy_score(targets, said),
        "label_ranking_average_precision": metrics.label_ranking_average_precision_score(targets, probabilities),
        "log_loss": np.mean([metrics.log_loss(targets[:, k], probabilities[:, k].astype(float)) for k in range(4)]),
    }
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value, abs=1e-9), name
        assert found[name]["low"] < value < found[name]["high"]
        assert found[name]["high"] - found[name]["low"] < 0.2
    assert found["mean_average_precision"]["method"] == "bootstrap"
    table = metrics.precision_recall_fscore_support(targets, said)
    for number, name in enumerate(CLASSES):
        row = found["per_class"][name]
        assert [row["precision"], row["recall"], row["f1"], row["support"]] == pytest.approx(
            [part[number] for part in table]
        )
        own = targets[:, number], probabilities[:, number]
        assert row["average_precision"] == pytest.approx(metrics.average_precision_score(*own))
        assert row["auroc"] == pytest.approx(metrics.roc_auc_score(*own))
        assert (row["negatives"], row["unknown"]) == (300 - row["support"], 0)
        assert row["threshold"] == pytest.approx(THRESHOLDS[number])
        for figure in ("precision", "recall", "f1", "average_precision", "auroc"):
            interval = row[f"{figure}_interval"]
            assert interval["low"] < row[figure] <= interval["high"] < interval["low"] + 0.5
            assert row[figure] < interval["high"] or row[figure] == 1.0


def test_a_cell_that_is_not_known_counts_neither_way() -> None:
    """Of what is left each figure is that of the known cells alone, whatever the others are said to be."""
    probabilities, targets = made()
    holes = np.random.default_rng(1).random(targets.shape) < 0.3
    holey = np.where(holes, np.nan, targets).astype(np.float32)
    other = np.where(holes, np.random.default_rng(2).random(targets.shape), probabilities).astype(np.float32)
    found, again = score(probabilities, holey), score(other, holey)
    for name in ("mean_average_precision", "micro_f1", "macro_f1", "hamming_loss", "subset_accuracy", "log_loss"):
        assert found[name] == again[name]
    assert found["per_class"] == again["per_class"]
    assert found["unknown_cells"] == int(holes.sum())
    known = ~holes
    said = probabilities >= THRESHOLDS
    assert found["hamming_loss"]["value"] == pytest.approx((said != (targets > 0))[known].mean())
    by_class = [
        metrics.average_precision_score(targets[known[:, k], k], probabilities[known[:, k], k]) for k in range(4)
    ]
    assert found["mean_average_precision"]["value"] == pytest.approx(np.mean(by_class))
    assert found["micro_f1"]["value"] == pytest.approx(metrics.f1_score(targets[known], said[known]))


def test_pictures_of_which_nothing_is_known_change_no_figure() -> None:
    probabilities, targets = made(60)
    more = np.concatenate([probabilities, probabilities[:20]]), np.concatenate([targets, np.full((20, 4), np.nan)])
    found, known = score(*more), score(probabilities, targets)
    for name in ("micro_f1", "macro_f1", "hamming_loss", "subset_accuracy", "log_loss", "mean_average_precision"):
        assert found[name]["value"] == pytest.approx(known[name]["value"]), name
    name = "label_ranking_average_precision"
    assert found[name]["value"] == pytest.approx(known[name]["value"])
    assert found["calibration_error"]["after"] == pytest.approx(known["calibration_error"]["after"])
    assert found["co_occurrence"]["true"] == known["co_occurrence"]["true"]
    rows, others = found["per_class"].values(), known["per_class"].values()
    assert [row["predicted"] for row in rows] == [row["predicted"] for row in others]


def test_groups_make_intervals_wider() -> None:
    probabilities, targets = (np.repeat(one, 4, axis=0) for one in made(75))
    alone, together = (score(probabilities, targets, groups=groups) for groups in (None, np.arange(300) // 4))
    for name in ("mean_average_precision", "micro_f1"):
        assert alone[name]["value"] == together[name]["value"]
        widths = [one[name]["high"] - one[name]["low"] for one in (alone, together)]
        assert widths[1] > 1.5 * widths[0]
    assert together["mean_average_precision"]["method"] == "bootstrap of groups"


def test_always_saying_the_same() -> None:
    probabilities, targets = made()
    found = score(probabilities, targets, common=["ant", "bee"])["baselines"]
    nothing, often = np.zeros_like(targets), np.tile([1, 1, 0, 0], (300, 1))
    for name, said in (("none", nothing), ("most_common_set", often)):
        row = found[name]
        assert row["micro_f1"] == pytest.approx(metrics.f1_score(targets, said, average="micro", zero_division=0))
        assert row["macro_f1"] == pytest.approx(metrics.f1_score(targets, said, average="macro", zero_division=0))
        assert row["hamming_loss"] == pytest.approx(metrics.hamming_loss(targets, said))
        assert row["subset_accuracy"] == pytest.approx(metrics.accuracy_score(targets, said))
        assert row["mean_average_precision"] == pytest.approx(targets.mean())
        assert row["label_ranking_average_precision"] == pytest.approx(
            metrics.label_ranking_average_precision_score(targets, said)
        )
        assert "log_loss" not in row
    assert found["most_common_set"]["set"] == ["ant", "bee"]


def test_which_classes_come_together() -> None:
    targets = np.array([[1, 1, 0, 0], [1, 0, 0, np.nan], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=np.float32)
    probabilities = np.array([[0.9, 0.1, 0, 0], [0.9, 0, 0, 0.9], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=np.float32)
    found = score(probabilities, targets)["co_occurrence"]
    assert found["true"] == [[3, 2, 1, 1], [2, 2, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    assert found["predicted"][0] == [3, 1, 1, 2]


def test_a_perfect_answer_is_not_certain() -> None:
    targets = made(40)[1]
    found = score(targets, targets)
    sizes = targets.sum(axis=0).astype(int).tolist()
    combined = mean_of_proportions([1.0] * 4, sizes)[0]
    assert found["mean_average_precision"]["low"] == found["macro_f1"]["low"] == pytest.approx(combined)
    assert found["micro_f1"]["low"] == pytest.approx(wilson(40, 40)[0])
    for name in ("mean_average_precision", "micro_f1", "macro_f1", "subset_accuracy"):
        assert found[name]["value"] == 1.0
        assert 0.5 < found[name]["low"] < 0.97
    assert (found["hamming_loss"]["value"], found["hamming_loss"]["low"]) == (0.0, 0.0)
    assert 0.03 < found["hamming_loss"]["high"] < 0.2


def test_the_order_of_equal_classes_is_the_papers() -> None:
    """Worked by hand: ranks 1 and 3 of 3 are right, (1/1 + 2/3) / 2."""
    cells = ScoredCells(
        probabilities=np.array([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1]]),
        positive=np.array([[True, False, True], [False, False, False]]),
        known=np.ones((2, 3), dtype=np.bool_),
        predicted=np.zeros((2, 3), dtype=np.bool_),
        groups=np.arange(2),
        group_count=2,
    )
    assert ranking_precision(cells).tolist() == pytest.approx([5 / 6, 1.0])


def test_calibration_by_hand() -> None:
    """Two bins: 0.95 said and half of it true, 0.05 said and none true; the cell that is not known is left out."""
    probabilities = np.array([[0.95, 0.95], [0.05, 0.05], [0.5, 0.05]])
    targets = np.array([[1, 0], [0, 0], [np.nan, 0]])
    assert calibration_error(probabilities, targets) == pytest.approx((2 * 0.45 + 3 * 0.05) / 5)


def sizes() -> Iterator[tuple[int, str]]:
    yield 30, "Too small a test to tell: the mean average precision is "
    yield 1200, "The test is large enough: the mean average precision is "


@pytest.mark.parametrize(("count", "begins"), list(sizes()))
def test_the_verdict(count: int, begins: str) -> None:
    found = score(*made(count))
    assert found["verdict"].startswith(begins)
    assert found["too_small_to_tell"] == (count == 30)
    if count == 30:
        assert "points wide" in found["verdict"]
        assert "class 'cat' is in 3 test pictures (7 more would make 10)" in found["verdict"]
        assert found["verdict"].endswith("class 'dog' is in 5 test pictures (5 more would make 10).")
    else:
        assert "of guessing." in found["verdict"]


def test_a_class_without_a_positive_has_no_figures() -> None:
    probabilities, targets = made()
    targets[:, 3] = 0
    row = score(probabilities, targets)["per_class"]["dog"]
    assert [row[name] for name in ("recall", "f1", "average_precision", "auroc")] == [None] * 4
    whole = score(probabilities, targets)
    three = [metrics.average_precision_score(targets[:, k], probabilities[:, k]) for k in range(3)]
    assert whole["mean_average_precision"]["value"] == pytest.approx(np.mean(three))
    f1 = metrics.f1_score(targets, probabilities >= THRESHOLDS, average=None, zero_division=0)
    assert f1[3] == 0
    assert whole["macro_f1"]["value"] == pytest.approx(f1[:3].mean())


def test_nothing_known_is_no_test() -> None:
    with pytest.raises(DataError, match="3 test pictures, of none of which anything is known"):
        score(np.zeros((3, 4), dtype=np.float32), np.full((3, 4), np.nan, dtype=np.float32))


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="they must agree"):
        score(np.zeros((3, 4)), np.zeros((3, 3)))


def test_intervals_of_a_class_are_wilsons_where_pictures_stand_alone() -> None:
    probabilities, targets = made()
    row = score(probabilities, targets)["per_class"]["bee"]
    said, support = int((probabilities[:, 1] >= THRESHOLDS[1]).sum()), int(targets[:, 1].sum())
    for name, count in (("precision", said), ("recall", support)):
        low, high = wilson(row[name] * count, count)
        assert row[f"{name}_interval"] == {"low": low, "high": high, "method": "wilson"}
    together = score(*(np.repeat(one, 4, axis=0) for one in (probabilities, targets)), groups=np.arange(1200) // 4)
    grouped = together["per_class"]["bee"]
    assert grouped["recall"] == row["recall"]
    assert grouped["recall_interval"]["method"] == "bootstrap of groups, no narrower than wilson"
    widths = [one["recall_interval"]["high"] - one["recall_interval"]["low"] for one in (row, grouped)]
    assert widths[1] == pytest.approx(widths[0], rel=0.2)  # though there are four times as many pictures


def test_a_class_with_few_pictures_has_no_interval_of_its_ranking() -> None:
    probabilities, targets = made()
    targets[:, 3] = 0
    targets[:4, 3] = 1
    row = score(probabilities, targets)["per_class"]["dog"]
    assert row["average_precision"] is not None
    for name in ("f1", "average_precision", "auroc"):
        assert (row[f"{name}_interval"]["low"], row[f"{name}_interval"]["high"]) == (None, None)
        assert row[f"{name}_interval"]["method"].startswith("none: 4 groups of pictures with or without")
    targets[4, 3] = 1
    assert score(probabilities, targets)["per_class"]["dog"]["auroc_interval"]["low"] is not None


def test_a_class_that_nearly_all_show_has_no_interval_of_its_ranking_either() -> None:
    probabilities, targets = made()
    targets[:, 0] = 1
    targets[:4, 0] = 0
    row = score(probabilities, targets)["per_class"]["ant"]
    assert row["auroc"] is not None
    assert row["auroc_interval"]["low"] is None
    targets[:4, 0] = np.nan
    row = score(probabilities, targets)["per_class"]["ant"]
    assert (row["average_precision"], row["auroc"], row["average_precision_interval"]) == (None, None, None)
    assert (row["support"], row["negatives"], row["unknown"]) == (296, 0, 4)
    assert row["recall_interval"]["low"] < row["recall"]


def test_groups_that_are_all_alike_do_not_make_a_share_certain() -> None:
    targets = np.ones((40, 4), dtype=np.float32)
    targets[::2] = 0
    probabilities = np.where(np.arange(40)[:, None] % 4 == 3, 0.1, targets).astype(
        np.float32
    )  # one of two in each group
    row = score(probabilities, targets, groups=np.arange(40) // 4)["per_class"]["ant"]
    low, high = wilson(10, 20)
    assert row["recall"] == 0.5
    assert (row["recall_interval"]["low"], row["recall_interval"]["high"]) == pytest.approx((low, high))


def test_a_perfect_class_is_not_certain() -> None:
    targets = made(40)[1]
    row = score(targets, targets)["per_class"]["ant"]
    for name in ("precision", "recall", "f1", "average_precision", "auroc"):
        assert row[name] == 1.0
        assert 0.6 < row[f"{name}_interval"]["low"] < 0.97
        assert row[f"{name}_interval"]["high"] == 1.0


def test_more_pictures_times_classes_get_fewer_resamples() -> None:
    assert affordable_resamples(2_000, 80) == 1000
    assert affordable_resamples(10_000, 80) == 500
    assert affordable_resamples(100_000, 1000) == 100  # and no fewer


def test_the_most_common_set() -> None:
    names = ["a", "b", "c"]
    sets = np.array([[1, 0, 1], [1, 0, 1], [0, 1, 0], [0, 1, 0], [0, 0, 0], [np.nan, 0, 0], [np.nan, 0, 0]])
    assert most_common_set(sets, names) == ["b"]  # as many as of a and c, and smaller
    assert most_common_set(sets[[0, 2]], names) == ["b"]
    assert most_common_set(np.eye(3)[[1, 0, 2]], names) == ["a"]
    assert most_common_set(np.concatenate([sets, np.zeros((2, 3))]), names) == []
    assert most_common_set(np.array([[1, np.nan], [1, np.nan], [0, np.nan]]), ["a", "b"]) == ["a"]
