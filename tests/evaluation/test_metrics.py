"""Everything that metrics.json says of a test split, worked by hand. In: made probabilities. Out: verdicts."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
    top_k_accuracy_score,
)

from tellapart.errors import DataError
from tellapart.evaluation.calibration import Surest
from tellapart.evaluation.intervals import wilson
from tellapart.evaluation.metrics import MOST_CROSSED, confusions, evaluate

THREE = ("ant", "bee", "wasp")
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 1, 2, 2, 0, 0])


def certain(predicted: NDArray[np.int64], classes: int, share: float = 0.8) -> NDArray[np.float32]:
    """Probabilities [N, K] with `share` on the predicted class and the rest spread evenly."""
    probabilities = np.full((len(predicted), classes), (1 - share) / (classes - 1), dtype=np.float32)
    probabilities[np.arange(len(predicted)), predicted] = share
    return probabilities


def random_test(count: int, classes: int, *, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, count)
    logits = generator.normal(size=(count, classes))
    logits[np.arange(count), labels] += 1.5
    exponentials = np.exp(logits)
    return (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32), labels


def score(
    probabilities: NDArray[Any],
    labels: NDArray[Any],
    classes: int | tuple[str, ...],
    *,
    groups: Any = None,
    seed: int = 0,
) -> dict[str, Any]:
    names = classes if isinstance(classes, tuple) else tuple(f"c{number}" for number in range(classes))
    return evaluate(probabilities, None, labels, classes=names, groups=groups, seed=seed)


def test_ten_pictures_by_hand() -> None:
    found = score(certain(PREDICTED, 3), LABELS, THREE)
    assert found["n"] == found["groups"] == 10
    assert found["confusion_matrix"] == [[3, 1, 0], [0, 2, 1], [2, 0, 1]]
    assert found["accuracy"]["value"] == pytest.approx(6 / 10)
    assert found["balanced_accuracy"]["value"] == pytest.approx((3 / 4 + 2 / 3 + 1 / 3) / 3)
    assert found["macro_recall"] == pytest.approx((3 / 4 + 2 / 3 + 1 / 3) / 3)
    assert found["macro_precision"] == pytest.approx((3 / 5 + 2 / 3 + 1 / 2) / 3)
    assert found["macro_f1"]["value"] == pytest.approx((2 / 3 + 2 / 3 + 2 / 5) / 3)
    assert found["log_loss"]["value"] == pytest.approx(-(6 * np.log(0.8) + 4 * np.log(0.1)) / 10, rel=1e-6)
    # Right: 0.2^2 + 2 x 0.1^2 = 0.06. Wrong: 0.8^2 + 0.9^2 + 0.1^2 = 1.46.
    assert found["brier"]["value"] == pytest.approx((6 * 0.06 + 4 * 1.46) / 10, rel=1e-6)
    # Of ten answers of 80 % by chance so many are right: 7 or 9 (0.1) in 0.2013 + 0.2684 of all tests, 8 in 0.3020, ...
    by_chance = {"mean": pytest.approx(0.0967, abs=0.01), "high": pytest.approx(0.2, abs=1e-6)}
    assert found["calibration_error"] == {"before": None, "after": pytest.approx(0.2, rel=1e-6), "by_chance": by_chance}
    assert found["majority_baseline"] == pytest.approx(4 / 10)
    assert found["top_5"] is None
    assert list(found["per_class"]) == list(THREE)
    assert found["per_class"]["wasp"] == {
        "precision": pytest.approx(1 / 2),
        "recall": pytest.approx(1 / 3),
        "f1": pytest.approx(2 / 5),
        "support": 3,
        "recall_interval": {"low": wilson(1, 3)[0], "high": wilson(1, 3)[1], "method": "wilson"},
    }


def test_pictures_without_companions_get_wilsons_interval() -> None:
    found = score(certain(PREDICTED, 3), LABELS, 3)["accuracy"]
    # Newcombe's method 3 for 6 of 10: 0.3127 to 0.8318.
    assert (found["low"], found["high"]) == pytest.approx((0.3127, 0.8318), abs=1e-4)
    assert found["method"] == "wilson"
    assert score(certain(PREDICTED, 3), LABELS, 3, groups=[""] * 10)["accuracy"] == found


@pytest.mark.parametrize("classes", [2, 7])
def test_the_figures_are_scikit_learns_and_lie_in_their_intervals(classes: int) -> None:
    probabilities, labels = random_test(400, classes, seed=classes)
    predicted = probabilities.argmax(axis=1)
    found = score(probabilities, labels, classes)
    assert found["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert found["macro_f1"]["value"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    if classes == 2:
        expected = roc_auc_score(labels, probabilities[:, 1])
        assert found["top_5"] is None
    else:
        exact = probabilities.astype(np.float64)
        exact /= exact.sum(axis=1, keepdims=True)
        expected = roc_auc_score(labels, exact, multi_class="ovr")
        assert found["top_5"]["value"] == pytest.approx(top_k_accuracy_score(labels, probabilities, k=5))
    assert found["auroc"]["value"] == pytest.approx(expected)
    assert found["auroc_missing"] is None
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "log_loss", "brier", "top_5"):
        if found[name] is not None:
            assert found[name]["low"] < found[name]["value"] < found[name]["high"]
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):  # of even classes all three vary alike
        width = found[name]["high"] - found[name]["low"]
        assert width == pytest.approx(found["accuracy"]["high"] - found["accuracy"]["low"], rel=0.25)


@pytest.mark.parametrize("classes", [2, 3, 12])
@pytest.mark.parametrize("absent", [0, 1], ids=["every class", "one that is neither tested nor named"])
def test_each_class_has_scikit_learns_figures(classes: int, absent: int) -> None:
    probabilities, labels = random_test(90, classes, seed=9)
    names = classes + absent
    probabilities = np.pad(probabilities, [(0, 0), (0, absent)])
    probabilities[0] = np.eye(names)[(labels[0] + 1) % classes]  # the true class has probability 0
    predicted = probabilities.argmax(axis=1)
    found = score(probabilities, labels, names)
    numbers = np.arange(names)
    expected = precision_recall_fscore_support(labels, predicted, labels=numbers, zero_division=0.0)
    for number, figures in enumerate(list(found["per_class"].values())[:classes]):
        values = [figures[name] for name in ("precision", "recall", "f1", "support")]
        assert values == pytest.approx([float(column[number]) for column in expected], rel=1e-12)
    assert found["confusion_matrix"] == confusion_matrix(labels, predicted, labels=numbers).tolist()
    assert found["accuracy"]["value"] == pytest.approx(accuracy_score(labels, predicted), rel=1e-12)
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    assert found["log_loss"]["value"] == pytest.approx(log_loss(labels, exact, labels=numbers), rel=1e-12)


def test_confusions_by_hand() -> None:
    found = confusions(np.array([0, 0, 1, 2], dtype=np.int32), np.array([0, 2, 1, 0]), 3)
    assert found.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_the_intervals_of_means_are_as_wide_as_theory_says() -> None:
    probabilities, labels = random_test(900, 3, seed=1)
    found = score(probabilities, labels, 3)
    losses = -np.log(probabilities[np.arange(900), labels].astype(np.float64))
    half = 1.96 * losses.std() / 30
    assert (found["log_loss"]["low"], found["log_loss"]["high"]) == pytest.approx(
        (losses.mean() - half, losses.mean() + half), abs=0.2 * half
    )
    squares = np.square(probabilities - np.eye(3)[labels]).sum(axis=1)
    half = 1.96 * squares.std() / 30
    assert (found["brier"]["low"], found["brier"]["high"]) == pytest.approx(
        (squares.mean() - half, squares.mean() + half), abs=0.2 * half
    )


def test_copies_make_no_interval_narrower() -> None:
    probabilities, labels = random_test(200, 3, seed=2)
    single = score(probabilities, labels, 3)
    groups = [f"g{number}" for number in range(200)] * 4
    copied = score(np.tile(probabilities, (4, 1)), np.tile(labels, 4), 3, groups=groups)
    assert (copied["n"], copied["groups"]) == (800, 200)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "log_loss", "brier"):
        assert copied[name]["value"] == pytest.approx(single[name]["value"])
        width = copied[name]["high"] - copied[name]["low"]
        assert width == pytest.approx(single[name]["high"] - single[name]["low"], rel=0.15)
    assert copied["accuracy"]["method"] == "bootstrap of groups, no narrower than wilson"
    assert copied["log_loss"]["method"] == "bootstrap of groups"


def test_few_groups_make_the_accuracys_interval_no_narrower_than_wilsons() -> None:
    labels = np.arange(30) % 2
    predicted = labels.copy()
    predicted[0] = 1
    found = score(certain(predicted, 2), labels, 2, groups=np.arange(30) // 2)["accuracy"]
    assert found["low"] <= wilson(29, 30)[0]
    assert found["high"] >= wilson(29, 30)[1]


def test_a_perfect_score_is_no_proof_of_perfection() -> None:
    labels = np.arange(40) % 2
    found = score(certain(labels, 2), labels, 2)
    squared = 1.959963984540054**2
    assert found["accuracy"]["low"] == pytest.approx(40 / (40 + squared))
    # Of each class 20 of 20: each recall may be squared / (20 + squared) lower; the mean of two, sqrt(2) / 2 of that.
    for name in ("balanced_accuracy", "macro_f1", "auroc"):
        assert found[name]["value"] == found[name]["high"] == 1.0
        assert found[name]["low"] == pytest.approx(1 - squared / (20 + squared) / np.sqrt(2))
    grouped = score(certain(labels, 2), labels, 2, groups=np.arange(40) // 4)
    assert grouped["accuracy"]["low"] == pytest.approx(10 / (10 + squared))


def test_nothing_right_is_no_proof_of_failure() -> None:
    labels = np.arange(40) % 2
    found = score(certain(1 - labels, 2), labels, 2)
    assert found["balanced_accuracy"]["low"] == 0.0
    assert 0.05 < found["balanced_accuracy"]["high"] < 0.2


def test_one_group_alone_tells_nothing() -> None:
    found = score(certain(PREDICTED, 3), LABELS, 3, groups=["film"] * 10)
    assert (found["accuracy"]["low"], found["accuracy"]["high"]) == (0.0, 1.0)
    assert (found["log_loss"]["low"], found["log_loss"]["high"]) == (None, None)
    assert found["log_loss"]["method"] == "none: one group cannot be resampled"
    assert found["too_small_to_tell"]
    json.dumps(found, allow_nan=False)


def test_a_class_without_test_pictures_is_left_out_and_named() -> None:
    labels = np.array([0, 0, 1, 1, 1, 0] * 4)
    predicted = np.array([0, 1, 1, 1, 2, 0] * 4)
    found = score(certain(predicted, 4), labels, ("ant", "bee", "wasp", "fly"))
    assert found["auroc"] is None
    assert found["auroc_missing"] == "AUROC needs test pictures of every class; there are none of 'wasp', 'fly'."
    assert found["balanced_accuracy"]["value"] == pytest.approx(2 / 3)
    assert found["macro_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["per_class"]["wasp"] == {
        "precision": 0.0,  # four times answered, never right
        "recall": None,
        "f1": None,
        "support": 0,
        "recall_interval": None,
    }
    assert found["per_class"]["fly"]["precision"] is None
    assert np.array(found["confusion_matrix"]).shape == (4, 4)
    json.dumps(found, allow_nan=False)


def test_a_class_that_is_never_answered_has_precision_zero() -> None:
    labels = np.array([0, 1] * 5)
    found = score(certain(np.zeros(10, dtype=np.int64), 2), labels, 2)
    assert found["per_class"]["c1"]["precision"] == found["per_class"]["c1"]["f1"] == 0.0
    assert found["macro_precision"] == pytest.approx(0.25)


def test_a_probability_of_zero_leaves_the_loss_finite() -> None:
    found = score(np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32), np.array([0, 1, 1, 1]), 2)
    assert found["log_loss"]["value"] == pytest.approx(-np.log(np.finfo(np.float64).eps) / 4)
    json.dumps(found, allow_nan=False)


def test_the_calibration_error_is_given_before_and_after() -> None:
    before = certain(PREDICTED, 3, share=0.9)
    found = evaluate(
        certain(PREDICTED, 3, share=0.6),
        Surest(before.max(axis=1), before.argmax(axis=1)),
        LABELS,
        classes=THREE,
        groups=None,
        seed=0,
    )
    assert found["calibration_error"]["before"] == pytest.approx(0.3, rel=1e-5)
    assert found["calibration_error"]["after"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("grouped", [False, True])
def test_some_of_the_pictures_are_scored_as_if_there_were_no_others(grouped: bool) -> None:
    probabilities, labels = random_test(120, 7, seed=5)
    rows = np.flatnonzero(np.arange(120) % 3)
    groups = np.arange(120) // 5 if grouped else None
    before = Surest(probabilities.max(axis=1) ** 2, probabilities.argmin(axis=1))
    names = [f"c{number}" for number in range(7)]
    found = evaluate(probabilities, before, labels, rows=rows, classes=names, groups=groups, seed=0)
    alone = evaluate(
        probabilities[rows],
        Surest(before.chances[rows], before.classes[rows]),
        labels[rows],
        classes=names,
        groups=None if groups is None else groups[rows],
        seed=0,
    )
    assert found == alone
    assert found["n"] == 80
    with pytest.raises(DataError, match="0 test pictures"):
        evaluate(probabilities, before, labels, rows=rows[:0], classes=names, groups=groups, seed=0)


def test_a_seed_repeats_every_number() -> None:
    probabilities, labels = random_test(100, 3, seed=3)
    first = score(probabilities, labels, 3)
    assert score(probabilities, labels, 3) == first
    assert score(probabilities, labels, 3, seed=1)["log_loss"] != first["log_loss"]


def test_an_empty_test_is_refused() -> None:
    with pytest.raises(DataError, match="0 test pictures; a test needs at least 1. Add pictures to the test split"):
        score(np.zeros((0, 2)), np.zeros(0, dtype=np.int64), 2)
    with pytest.raises(ValueError, match=r"probabilities are \(1, 3\); expected \(1, 2\)"):
        score(np.ones((1, 3)), np.zeros(1, dtype=np.int64), 2)


def test_few_pictures_of_a_class_leave_no_bootstrap_of_it() -> None:
    """A constant answer on 38 of one class and 2 of the other: Wilson's limits of both recalls, combined by hand."""
    labels = np.array([0] * 38 + [1] * 2)
    probabilities = np.tile(np.array([0.9, 0.1]), (40, 1))
    found = evaluate(probabilities, None, labels, classes=("a", "b"), groups=None, seed=0)
    balanced = found["balanced_accuracy"]
    assert balanced["value"] == 0.5
    assert balanced["method"] == "wilson of each class, combined"
    # Wilson: 38 of 38 gives [0.9082, 1], 0 of 2 gives [0, 0.6576]; sqrt(0.0918^2) / 2 below, 0.6576 / 2 above.
    assert balanced["low"] == pytest.approx(0.5 - 0.0918 / 2, abs=1e-3)
    assert balanced["high"] == pytest.approx(0.5 + 0.6576 / 2, abs=1e-3)
    assert found["macro_f1"]["low"] is None
    assert found["macro_f1"]["method"] == "none: a class has 2 test pictures or groups, under 10"
    assert found["auroc"]["low"] is None


def test_one_test_picture_a_class_gives_no_interval_of_the_area() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(300)
    probabilities = generator.dirichlet(np.ones(300), 300)
    found = evaluate(probabilities, None, labels, classes=[str(number) for number in labels], groups=None, seed=0)
    assert 0.4 < found["auroc"]["value"] < 0.6
    assert found["auroc"]["low"] is None
    assert found["auroc"]["method"] == "none: a class has 1 test picture or groups, under 5"


@pytest.mark.parametrize("few", [4, 5, 9, 10])
@pytest.mark.parametrize("grouped", [False, True])
def test_ten_pictures_of_a_class_are_enough_and_five_for_the_area(few: int, grouped: bool) -> None:
    """Groups count, where pictures come in groups: two pictures of each group then."""
    labels = np.repeat([0, 1], [30, few])
    probabilities = random_test(30 + few, 2, seed=3)[0]
    groups = None
    if grouped:
        labels, probabilities, groups = (
            np.repeat(labels, 2),
            np.repeat(probabilities, 2, axis=0),
            np.arange(2 * len(labels)) // 2,
        )
    found = score(probabilities, labels, 2, groups=groups)
    resampled = "bootstrap of groups" if grouped else "bootstrap"
    none = f"none: a class has {few} test pictures or groups, under"
    assert found["balanced_accuracy"]["method"] == ("wilson of each class, combined" if few < 10 else resampled)
    assert found["macro_f1"]["method"] == (f"{none} 10" if few < 10 else resampled)
    assert found["auroc"]["method"] == (f"{none} 5" if few < 5 else resampled)
    assert (found["auroc"]["low"] is None) == (found["auroc"]["high"] is None) == (few < 5)


def test_the_answer_is_that_of_the_probabilities_as_given() -> None:
    """Two that differ in the last bit and no longer do once divided by their sum: predictions.csv names the larger one."""
    lower = np.linspace(0.85, 0.95, 2_000)
    pairs = np.stack([lower, np.nextafter(lower, 1), np.full(2_000, 0.8)], axis=1)
    scaled = pairs / pairs.sum(axis=1, keepdims=True)
    equal = pairs[scaled[:, 0] == scaled[:, 1]][:10]
    assert len(equal) == 10
    found = score(equal, np.ones(10, dtype=np.int64), 3)
    assert found["accuracy"]["value"] == 1.0
    assert found["confusion_matrix"] == [[0, 0, 0], [0, 10, 0], [0, 0, 0]]


def test_what_metrics_json_holds_by_name() -> None:
    found = score(certain(PREDICTED, 3), LABELS, THREE, groups=np.arange(10) // 2)
    assert list(found) == [
        *(
            "n",
            "groups",
            "accuracy",
            "balanced_accuracy",
            "macro_f1",
            "log_loss",
            "brier",
            "auroc",
            "auroc_missing",
            "top_5",
        ),
        *("macro_precision", "macro_recall", "per_class", "confusion_matrix", "calibration_error", "majority_baseline"),
        *("too_small_to_tell", "verdict"),
    ]
    assert (found["n"], found["groups"]) == (10, 5)
    assert found["auroc_missing"] is None
    assert set(found["brier"]) == {"value", "low", "high", "method"}
    assert found["verdict"].startswith("Too small a test to tell: the accuracy is 60.0 %")
    assert "'wasp'" in found["verdict"]


@pytest.mark.parametrize(
    ("absent", "names"), [(5, "'c1', 'c2', 'c3', 'c4', 'c5'"), (6, "'c1', 'c2', 'c3', 'c4', 'c5' ...")]
)
def test_five_classes_that_are_not_tested_are_named(absent: int, names: str) -> None:
    found = score(certain(np.zeros(4, dtype=np.int64), absent + 1), np.zeros(4, dtype=np.int64), absent + 1)
    assert found["auroc_missing"] == f"AUROC needs test pictures of every class; there are none of {names}."


def test_probabilities_that_do_not_quite_sum_to_one_are_scaled() -> None:
    """Seven digits in a file: the log loss is of the probabilities as they were."""
    exact, labels = random_test(60, 3, seed=8)
    exact = exact.astype(np.float64) / exact.astype(np.float64).sum(axis=1, keepdims=True)
    found, scaled = score(exact, labels, 3), score(exact * 1.00001, labels, 3)
    for name in ("log_loss", "brier", "auroc"):
        assert scaled[name]["value"] == pytest.approx(found[name]["value"], rel=1e-12)
    assert found["log_loss"]["value"] == pytest.approx(-np.log(exact[np.arange(60), labels]).mean(), rel=1e-12)


@pytest.mark.parametrize(("class_count", "crossed"), [(MOST_CROSSED, True), (MOST_CROSSED + 1, False)])
def test_of_very_many_classes_no_square_is_written(class_count: int, crossed: bool) -> None:
    probabilities = np.full((20, class_count), 1e-9)
    probabilities[np.arange(20), np.arange(20)] = 1.0
    labels = np.arange(20)
    found = evaluate(
        probabilities, None, labels, classes=[str(number) for number in range(class_count)], groups=None, seed=0
    )
    assert (found["confusion_matrix"] is not None) == crossed
    assert found["accuracy"]["value"] == 1.0
