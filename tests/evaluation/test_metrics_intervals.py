"""The intervals of metrics.json, each resample scored by hand. In: made probabilities. Out: the same ends, to six digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from tellapart.evaluation.intervals import Counts, bootstrap, mean_of_proportions, wilson
from tellapart.evaluation.metrics import evaluate

Doubles = NDArray[np.float64]
NAMES = {"accuracy", "balanced_accuracy", "macro_f1", "auroc", "log_loss", "brier", "top_5"}


def made(
    classes: int, groups_a_class: int, size: int, *, seed: int
) -> tuple[Doubles, NDArray[np.int64], NDArray[np.int64]]:
    """Probabilities that are right about half of the time, labels, and groups of `size` pictures."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), groups_a_class * size)
    logits = generator.normal(size=(len(labels), classes))
    logits[np.arange(len(labels)), labels] += 1.0
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities, labels, np.arange(len(labels)) // size


def score(probabilities: Doubles, labels: NDArray[np.int64], groups: Any = None, seed: int = 0) -> dict[str, Any]:
    names = [f"c{number}" for number in range(probabilities.shape[1])]
    return evaluate(probabilities, None, labels, classes=names, groups=groups, seed=seed)


def by_hand(probabilities: Doubles, labels: NDArray[np.int64], groups: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """The intervals, from the weight that each picture has in each resample."""
    classes = probabilities.shape[1]
    hit, own = labels[:, None] == np.arange(classes), probabilities[np.arange(len(labels)), labels]
    answered = probabilities.argmax(axis=1)[:, None] == np.arange(classes)
    top = np.array([label in np.argsort(-row)[:5] for label, row in zip(labels, probabilities, strict=True)])
    squares = np.square(probabilities - hit).sum(axis=1)
    above = [probabilities[:, None, number] > probabilities[None, :, number] for number in range(classes)]

    def area(weights: Doubles, number: int) -> float:
        positive, negative = weights * hit[:, number], weights * ~hit[:, number]
        pairs = positive.sum() * negative.sum()
        return float(positive @ above[number] @ negative / pairs) if pairs else np.nan

    def statistics(counts: Counts) -> Mapping[str, Doubles]:
        weights = counts[:, groups].astype(np.float64)  # [b, N]
        total = weights.sum(axis=1)
        right, support, chosen = weights @ (hit & answered), weights @ hit, weights @ answered  # [b, K]
        with np.errstate(invalid="ignore"):
            recall, f1 = right / support, 2 * right / np.where(support > 0, support + chosen, np.nan)
        numbers = [1] if classes == 2 else range(classes)
        found = {
            "accuracy": right.sum(axis=1) / total,
            "balanced_accuracy": np.nanmean(recall, axis=1),
            "macro_f1": np.nanmean(f1, axis=1),
            "log_loss": weights @ -np.log(own) / total,
            "brier": weights @ squares / total,
            "auroc": np.array([np.mean([area(row, number) for number in numbers]) for row in weights]),
        }
        return found | ({"top_5": weights @ top / total} if classes > 5 else {})

    return bootstrap(statistics, group_count=int(groups.max()) + 1, seed=seed)


@pytest.mark.parametrize(("classes", "size", "seed"), [(2, 1, 0), (3, 2, 1), (7, 1, 2)])
def test_every_end_is_the_percentile_of_scored_resamples(classes: int, size: int, seed: int) -> None:
    probabilities, labels, groups = made(classes, 10, size, seed=seed)
    found = score(probabilities, labels, groups, seed=seed)
    expected = by_hand(probabilities, labels, groups, seed)
    assert expected.keys() == {name for name in NAMES if found[name] is not None}
    low, high = wilson(found["accuracy"]["value"] * len(labels), len(labels))
    if size == 1:
        assert (found["accuracy"]["low"], found["accuracy"]["high"]) == (low, high)
    else:
        low, high = min(low, expected["accuracy"][0]), max(high, expected["accuracy"][1])
        assert (found["accuracy"]["low"], found["accuracy"]["high"]) == pytest.approx((low, high), rel=1e-6)
    for name in expected.keys() - {"accuracy"}:
        assert (found[name]["low"], found[name]["high"]) == pytest.approx(expected[name], rel=1e-5), name
        assert found[name]["method"] == ("bootstrap" if size == 1 else "bootstrap of groups"), name


def test_a_wide_bootstrap_of_groups_is_kept_and_a_narrow_one_widened() -> None:
    labels = np.arange(80) % 2
    right = np.repeat([1, 1, 1, 0], 20).astype(bool)  # whole groups are right or wrong
    probabilities = np.where((labels ^ ~right)[:, None] == [[0, 1]], 0.8, 0.2)
    wide = score(probabilities, labels, np.arange(80) // 20)["accuracy"]
    assert (wide["low"], wide["high"]) == pytest.approx((0.25, 1.0))
    narrow = score(probabilities, labels, np.arange(80) % 20)["accuracy"]  # three of each group's four are right
    assert (narrow["low"], narrow["high"]) == wilson(60, 80)
    assert wide["method"] == narrow["method"] == "bootstrap of groups, no narrower than wilson"


def test_one_group_has_no_interval_but_the_bounds() -> None:
    probabilities, labels, _ = made(3, 10, 1, seed=3)
    found = score(probabilities, labels, np.zeros(30, dtype=int))
    none = "none: one group cannot be resampled"
    low, high = mean_of_proportions([found["per_class"][f"c{number}"]["recall"] for number in range(3)], [1, 1, 1])
    assert found["accuracy"] == {"value": found["accuracy"]["value"], "low": 0.0, "high": 1.0, "method": none}
    for name in ("log_loss", "brier"):
        assert (found[name]["low"], found[name]["high"], found[name]["method"]) == (None, None, none)
    assert (found["balanced_accuracy"]["low"], found["balanced_accuracy"]["high"]) == (low, high)
    assert found["balanced_accuracy"]["method"] == "wilson of each class, combined"
    assert found["macro_f1"]["method"] == "none: a class has 1 test picture or groups, under 10"


def test_no_resample_that_holds_every_class() -> None:
    """Forty pictures of as many classes: each resample lacks a third of them."""
    probabilities = np.full((40, 40), 0.2 / 39)
    probabilities[np.arange(40), np.arange(40)] = 0.8
    found = score(probabilities, np.arange(40))
    assert found["auroc"] == {"value": 1.0, "low": 0.0, "high": 1.0, "method": "none: no resample holds every class"}


@pytest.mark.parametrize("size", [1, 2])
def test_nothing_but_successes_is_as_sure_as_wilson_of_the_groups(size: int) -> None:
    labels = np.repeat(np.arange(7), 4)
    probabilities = np.full((28, 7), 0.1 / 6)
    probabilities[np.arange(28), labels] = 0.9
    found = score(probabilities, labels, np.arange(28) // size)
    alike = "wilson, since all resamples are alike"
    count = 28 // size
    assert found["top_5"] == {"value": 1.0, "low": wilson(count, count)[0], "high": 1.0, "method": alike}
    least = mean_of_proportions([1.0] * 7, [4 // size] * 7)[0]
    assert found["macro_f1"] == {"value": 1.0, "low": least, "high": 1.0, "method": alike}
    assert found["balanced_accuracy"]["low"] == pytest.approx(least)
    assert found["accuracy"]["low"] == pytest.approx(wilson(count, count)[0] if size > 1 else wilson(28, 28)[0])


def test_nothing_right_mirrors_it() -> None:
    labels = np.repeat(np.arange(7), 12)
    probabilities = np.full((84, 7), 1 / 6)
    probabilities[np.arange(84), labels] = 0.0
    found = score(probabilities, labels)
    alike = "wilson, since all resamples are alike"
    assert found["top_5"] == {"value": 0.0, "low": 0.0, "high": 1 - wilson(84, 84)[0], "method": alike}
    high = 1 - mean_of_proportions([1.0] * 7, [12] * 7)[0]
    for name in ("balanced_accuracy", "macro_f1"):
        assert found[name] == {"value": 0.0, "low": 0.0, "high": high, "method": alike}
    few = score(probabilities[::3], labels[::3])[
        "macro_f1"
    ]  # four of each class are enough to know that none was right
    assert (few["value"], few["low"], few["method"]) == (0.0, 0.0, alike)


def test_the_five_most_probable_are_those_that_fewer_than_five_exceed() -> None:
    probabilities = np.tile([0.3, 0.2, 0.15, 0.12, 0.1, 0.1, 0.03], (12, 1))
    labels = np.array([0, 1, 2, 3, 4, 5, 6] + [0] * 5)
    # The fifth and the sixth are equal: four exceed either, so both count.
    assert score(probabilities, labels)["top_5"]["value"] == pytest.approx(11 / 12)
    six = probabilities[:, :6] / probabilities[:, :6].sum(axis=1, keepdims=True)
    assert score(six, labels % 6)["top_5"]["value"] == 1.0
    assert score(six[:, :5] / six[:, :5].sum(axis=1, keepdims=True), labels % 5)["top_5"] is None


def test_a_class_without_test_pictures_is_left_out_of_every_resample() -> None:
    """And one that no resample predicts; scikit-learn's F1 over the classes that are there."""
    probabilities, labels, groups = made(4, 12, 1, seed=5)
    kept = labels != 2
    probabilities, labels = probabilities[kept], labels[kept]
    found = score(probabilities, labels)
    expected = f1_score(labels, probabilities.argmax(axis=1), labels=[0, 1, 3], average="macro")
    assert found["macro_f1"]["value"] == pytest.approx(expected)
    ends = by_hand(probabilities, labels, groups[: len(labels)], 0)
    for name in ("macro_f1", "balanced_accuracy", "log_loss", "brier"):
        assert (found[name]["low"], found[name]["high"]) == pytest.approx(ends[name], rel=1e-5), name
