"""Sets that hold the true class as often as wanted. In: probabilities by hand and drawn. Out: thresholds, coverage."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.answers.deciding import prediction_sets
from tellapart.evaluation.abstention import (
    Thresholds,
    fewest_pictures,
    find_thresholds,
    measure_abstention,
    most_useful,
)
from tellapart.evaluation.intervals import wilson


def of_two(own: list[float]) -> np.ndarray:
    """Probabilities [n, 2] whose first class, the true one, has those of `own`."""
    first = np.array(own, dtype=np.float32)
    return np.stack([first, 1 - first], axis=1)


def thresholds(probability: float, novelty: float | None = None) -> Thresholds:
    return Thresholds(coverage=0.9, probability=probability, novelty=novelty, calibrated_on=50)


@pytest.mark.parametrize(("coverage", "fewest"), [(0.95, 19), (0.9, 9), (0.8, 4), (0.99, 99), (0.75, 3), (0.999, 999)])
def test_how_many_pictures_a_coverage_takes(coverage: float, fewest: int) -> None:
    assert fewest_pictures(coverage) == fewest
    zeros = np.zeros(fewest, dtype=np.int64)
    enough = find_thresholds(of_two([0.7] * fewest), zeros, None, coverage=coverage)
    assert enough.probability == np.float32(0.7)
    short = find_thresholds(of_two([0.7] * (fewest - 1)), zeros[1:], np.ones(fewest - 1), coverage=coverage)
    assert (short.probability, short.novelty, short.calibrated_on) == (0.0, None, fewest - 1)


def test_the_threshold_by_hand() -> None:
    # 9 pictures at 80 %: the ceil(10 x 0.8) = 8th smallest of 1 - p, so the 2nd smallest p.
    own = [0.99, 0.2, 0.9, 0.3, 0.8, 0.7, 0.95, 0.6, 0.85]
    strange = np.array([5, 1, 9, 2, 3, 4, 8, 6, 7], dtype=np.float32)
    found = find_thresholds(of_two(own), np.zeros(9, dtype=np.int64), strange, coverage=0.8)
    assert found.probability == pytest.approx(0.3)
    assert found.novelty == 8.0
    assert (found.coverage, found.calibrated_on) == (0.8, 9)
    assert find_thresholds(of_two(own), np.zeros(9, dtype=np.int64), None, coverage=0.8).novelty is None


def test_the_threshold_is_that_of_the_paper() -> None:
    # Angelopoulos and Bates 2021, section 1: the ceil((n + 1)(1 - alpha)) / n empirical quantile of the scores.
    generator = np.random.default_rng(0)
    for count, coverage in ((50, 0.9), (137, 0.95), (500, 0.8), (1000, 0.99)):
        probabilities = generator.dirichlet(np.ones(5), size=count)
        labels = generator.integers(5, size=count)
        scores = 1 - probabilities[np.arange(count), labels]
        limit = np.quantile(scores, math.ceil((count + 1) * coverage) / count, method="inverted_cdf")
        found = find_thresholds(probabilities, labels, None, coverage=coverage)
        assert found.probability == pytest.approx(1 - limit, abs=1e-12)


def test_new_pictures_are_covered_as_often_as_wanted() -> None:
    # The paper's theorem 1: between 1 - alpha and 1 - alpha + 1 / (n + 1), over draws of both splits.
    generator = np.random.default_rng(1)
    count, coverage, covered, kept = 29, 0.9, [], []
    for _ in range(2000):
        probabilities = generator.dirichlet(np.full(4, 0.5), size=count + 40)
        labels = np.array([generator.choice(4, p=row) for row in probabilities])
        novelty = generator.normal(size=count + 40)
        found = find_thresholds(probabilities[:count], labels[:count], novelty[:count], coverage=coverage)
        held = probabilities[np.arange(count, count + 40), labels[count:]] >= found.probability
        covered.append(held.mean())
        assert found.novelty is not None
        kept.append((novelty[count:] <= found.novelty).mean())
    for shares in (covered, kept):
        error = 4 * np.std(shares) / math.sqrt(len(shares))
        assert coverage - error <= np.mean(shares) <= coverage + 1 / (count + 1) + error


def test_the_most_probable_class_is_always_in_the_set() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.4, 0.3, 0.3], [1 / 3, 1 / 3, 1 / 3]], dtype=np.float32)
    found = prediction_sets(probabilities, 0.45)
    np.testing.assert_array_equal(found, [[True, False, False], [True, False, False], [True, False, False]])
    assert prediction_sets(probabilities, 0.0).all()
    assert prediction_sets(np.zeros((0, 3), dtype=np.float32), 0.5).shape == (0, 3)


def test_a_picture_on_the_threshold_is_covered() -> None:
    own = np.random.default_rng(2).uniform(0.05, 0.5, size=19).astype(np.float32)
    probabilities = np.stack([own, 1 - own], axis=1)
    labels = np.zeros(19, dtype=np.int64)
    found = find_thresholds(probabilities, labels, own, coverage=0.95)
    assert prediction_sets(probabilities, found.probability)[:, 0].all()
    # Through JSON, as the manifest keeps it.
    assert prediction_sets(probabilities, json.loads(json.dumps(found.probability)))[:, 0].all()
    assert (own <= found.novelty).all()


def test_what_is_measured_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.2, 0.35, 0.45], [0.1, 0.2, 0.7]], dtype=np.float32)
    labels = np.array([0, 1, 0, 2])
    found = measure_abstention(
        probabilities,
        np.array([1, 2, 3, 4]),
        labels,
        thresholds(0.3, novelty=3.0),
        classes=["a", "b", "c", "d"][:3],
        groups=None,
        seed=0,
    )
    # Sets: {a}, {a, b}, {b, c}, {c}; the third misses its a.
    assert found["coverage"]["value"] == 0.75
    assert (found["coverage"]["low"], found["coverage"]["high"]) == wilson(3, 4)
    assert found["mean_set_size"] == 1.5
    assert found["set_sizes"] == {"1": 2, "2": 2}
    assert found["known"]["value"] == 0.75
    assert (found["wanted"], found["threshold"], found["novelty_threshold"], found["n"]) == (0.9, 0.3, 3.0, 4)
    assert found["per_class"]["a"]["coverage"]["value"] == 0.5
    assert found["per_class"]["a"]["mean_set_size"] == 1.5
    assert found["per_class"]["b"] == {
        "n": 1,
        "coverage": {"value": 1.0, "low": wilson(1, 1)[0], "high": 1.0, "method": "wilson"},
        "mean_set_size": 2.0,
    }


def test_what_cannot_be_measured_is_none() -> None:
    found = measure_abstention(
        of_two([0.9, 0.8]),
        np.array([1.0, 2.0]),
        np.array([0, 0]),
        thresholds(0.0),
        classes=["a", "b"],
        groups=None,
        seed=0,
    )
    assert found["known"] is None
    assert found["mean_set_size"] == 2.0
    assert found["per_class"]["b"] == {"n": 0, "coverage": None, "mean_set_size": None}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_pictures_in_groups_have_a_wider_interval() -> None:
    # Ten groups of ten, each all covered or all missed: as uncertain as ten pictures, not as a hundred.
    own = np.repeat([0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9], 10)
    probabilities = np.stack([own, (1 - own) / 2, (1 - own) / 2], axis=1)
    labels, groups = np.zeros(100, dtype=np.int64), np.repeat(np.arange(10), 10)
    alone, grouped = (
        measure_abstention(probabilities, None, labels, thresholds(0.5), classes=["a", "b", "c"], groups=given, seed=0)[
            "coverage"
        ]
        for given in (None, groups)
    )
    assert alone["value"] == grouped["value"] == 0.8
    assert alone["high"] - alone["low"] < 0.17
    assert 0.3 < grouped["high"] - grouped["low"] < 0.7
    assert grouped["method"] == "bootstrap, no narrower than wilson"


def measured(own: list[float], groups: list[int], novelty: list[float] | None = None) -> dict[str, Any]:
    """One of three classes is the true one, with these probabilities; it is in the set from 0.5 on."""
    first = np.array(own)
    probabilities = np.stack([first, (1 - first) / 2, (1 - first) / 2], axis=1)
    strange = None if novelty is None else np.array(novelty)
    return measure_abstention(
        probabilities,
        strange,
        np.zeros(len(own), dtype=np.int64),
        thresholds(0.5, novelty=1.0),
        classes=["a", "b", "c"],
        groups=np.array(groups),
        seed=0,
    )


def test_the_interval_of_groups_by_hand() -> None:
    # Of two groups one is held and one is not: resamples hold none, half or all.
    found = measured([0.9] * 6 + [0.1] * 6, [0] * 6 + [1] * 6)["coverage"]
    assert (found["value"], found["low"], found["high"]) == (0.5, 0.0, 1.0)
    # Of each group one picture of two is held, so every resample holds half: Wilson's interval is the wider one.
    found = measured([0.9, 0.1] * 5, [number // 2 for number in range(10)])["coverage"]
    assert (found["value"], found["low"], found["high"]) == (0.5, *wilson(5, 10))
    assert found["method"] == "bootstrap, no narrower than wilson"
    # A large group and three small ones: a resample's share is of its pictures, not of its groups.
    found = measured([0.9] * 9 + [0.1] * 3, [0] * 9 + [1, 2, 3])["coverage"]
    assert (found["value"], found["low"], found["high"]) == (0.75, 0.0, pytest.approx(1.0, abs=0.1))
    single = measured([0.9, 0.9, 0.1], [0, 1, 2])["coverage"]
    assert single["method"] == "wilson"
    assert (single["low"], single["high"]) == wilson(2, 3)


def test_a_picture_on_the_limit_of_novelty_is_known() -> None:
    found = measured([0.9] * 4, [0, 1, 2, 3], novelty=[0.5, 1.0, 1.0 + 1e-9, 2.0])
    assert found["known"] == {"value": 0.5, "low": wilson(2, 4)[0], "high": wilson(2, 4)[1], "method": "wilson"}
    assert measured([0.9], [0], novelty=[2.0])["known"]["value"] == 0.0


def test_groups_and_seed_decide_both_intervals() -> None:
    """Known pictures come in groups too: whether a group of five is known is one chance, not five."""
    generator = np.random.default_rng(4)
    own = np.repeat(generator.choice([0.9, 0.1], size=30, p=[0.8, 0.2]), 5)
    groups = np.repeat(np.arange(30), 5)
    probabilities = np.stack([own, (1 - own) / 2, (1 - own) / 2], axis=1)
    labels, limits = np.zeros(150, dtype=np.int64), thresholds(0.5, novelty=1.0)

    def both(seed: int, groups: NDArray[np.int64] | None) -> tuple[dict[str, Any], dict[str, Any]]:
        found = measure_abstention(
            probabilities, 1.5 - own, labels, limits, classes=["a", "b", "c"], groups=groups, seed=seed
        )
        return found["coverage"], found["known"]

    first, known = both(3, groups)
    assert first == known  # the same pictures are missed and called unknown
    assert both(3, groups) == (first, known)
    assert both(4, groups)[0] != first
    assert both(4, groups)[1] != known
    alone = both(3, None)[1]
    assert known["high"] - known["low"] > 1.5 * (alone["high"] - alone["low"])


def test_the_report_of_one_measurement() -> None:
    found = measured([0.9, 0.4, 0.1], [0, 1, 2])
    assert found["set_sizes"] == {"1": 3}  # at 0.4 the first is the most probable still; at 0.1 another one is
    assert found["coverage"]["value"] == pytest.approx(2 / 3)
    figures = {"coverage", "mean_set_size", "set_sizes", "known", "per_class"}
    assert set(found) == {"wanted", "threshold", "novelty_threshold", "calibrated_on", "n", *figures}
    assert (found["wanted"], found["calibrated_on"], found["n"], found["known"]) == (0.9, 50, 3, None)
    low, high = wilson(2, 3)
    assert found["per_class"]["a"] == {
        "n": 3,
        "coverage": {"value": pytest.approx(2 / 3), "low": low, "high": high, "method": "wilson"},
        "mean_set_size": 1.0,
    }


@pytest.mark.parametrize(("class_count", "most"), [(2, 2), (3, 2), (4, 2), (5, 2.5), (10, 5), (20, 10), (1000, 10)])
def test_how_large_a_set_helps(class_count: int, most: float) -> None:
    assert most_useful(class_count) == most
