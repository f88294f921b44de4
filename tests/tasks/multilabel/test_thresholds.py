"""Where a class is named from, on cases worked by hand and against all thresholds in turn. In: probabilities. Out: verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from tellapart.errors import SettingsError
from tellapart.tasks.multilabel.thresholds import choose_thresholds


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def test_the_best_f1_by_hand() -> None:
    # Named from 0.6 on: 2 right of 2, of 3 in all: F1 0.8. From 0.3: 3 of 4, F1 6/7. From 0.1: 3 of 5, F1 0.75.
    found = choose_thresholds(column(0.9, 0.6, 0.4, 0.3, 0.1), column(1, 1, 0, 1, 0))
    assert found.values.tolist() == [pytest.approx(0.2)]
    assert (found.rule, found.untold, found.short, found.warnings(["cat"])) == ("f1", (), (), [])


def test_of_equal_ones_the_nearest_to_half_of_the_f1() -> None:
    # Both lines, at 0.85 (1 of 1, of 2) and at 0.25 (2 of 4), give 2/3; half of that is 1/3.
    found = choose_thresholds(column(0.9, 0.8, 0.7, 0.3, 0.2), column(1, 0, 0, 1, 0))
    assert found.values.tolist() == [pytest.approx(0.25)]
    # The same at 0.35 and 0.1.
    found = choose_thresholds(column(0.38, 0.32, 0.3, 0.17, 0.03), column(1, 0, 0, 1, 0))
    assert found.values.tolist() == [pytest.approx(0.35)]


def test_pictures_that_are_all_told_apart_leave_the_line_in_the_middle() -> None:
    assert choose_thresholds(column(0.98, 0.9, 0.1, 0.02), column(1, 1, 0, 0)).values[0] == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(4))
def test_no_threshold_has_a_better_f1_or_a_higher_recall_at_the_precision(seed: int) -> None:
    generator = np.random.default_rng(seed)
    chances = np.round(generator.random((60, 3)), 1 if seed % 2 else 3)  # with and without ties
    targets = (generator.random((60, 3)) < chances).astype(float)
    targets[generator.random((60, 3)) < 0.1] = np.nan
    best, precise = choose_thresholds(chances, targets), choose_thresholds(chances, targets, precision=0.8)
    for number in range(3):
        known = ~np.isnan(targets[:, number])
        truth, scores = targets[known, number].astype(int), chances[known, number]
        tried = [scores >= line for line in np.unique(scores)]
        assert f1_score(truth, scores >= best.values[number]) == max(f1_score(truth, one) for one in tried)
        enough = [one for one in tried if precision_score(truth, one) >= 0.8]
        named = scores >= precise.values[number]
        if enough:
            assert precision_score(truth, named) >= 0.8
            assert recall_score(truth, named) == max(recall_score(truth, one) for one in enough)
        else:
            assert number in precise.short
            assert precision_score(truth, named) == max(precision_score(truth, one) for one in tried)
    assert precise.rule == "precision 0.8"


def test_a_precision_that_is_not_reached_is_told() -> None:
    found = choose_thresholds(column(0.9, 0.8, 0.7, 0.6), column(0, 1, 1, 0), precision=0.9)
    assert found.values.tolist() == [pytest.approx(0.65)]  # 2 of 3
    assert found.short == (0,)
    (warning,) = found.warnings(["cat"])
    assert warning.startswith("A precision 0.9 is reached at no threshold on validation for 'cat'. ")


def test_a_precision_that_is_just_reached_counts() -> None:
    chances = column(*np.linspace(0.9, 0.1, 10))
    found = choose_thresholds(chances, column(*[1] * 9, 0), precision=0.9)
    assert (found.short, found.values[0] < 0.1) == ((), True)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_class_that_validation_tells_nothing_of_gets_a_half(value: float) -> None:
    targets = np.hstack([np.full((4, 1), value), column(1, 0, 1, 0), np.full((4, 1), np.nan)])
    found = choose_thresholds(np.full((4, 3), 0.2), targets)
    assert found.untold == (0, 2)
    assert found.values[[0, 2]].tolist() == [0.5, 0.5]
    (warning,) = found.warnings(["a", "b", "c"])
    assert "for 'a', 'c': all lack it, or all have it. The threshold is 0.5." in warning


def test_where_naming_always_is_best_even_a_probability_of_zero_is_named() -> None:
    found = choose_thresholds(column(0.0, 0.0, 0.0), column(1, 0, 1))
    assert found.values.tolist() == [0.0]


def test_two_pictures_with_no_single_number_between_them_are_still_parted() -> None:
    low = np.float32(0.7)
    high = np.nextafter(low, np.float32(1))
    for first in (low, high):
        second = np.nextafter(first, np.float32(1))
        (line,) = choose_thresholds(np.array([[second], [first]]), column(1, 0)).values
        assert (np.array([second, first]) >= np.float32(line)).tolist() == [True, False]


@pytest.mark.parametrize("precision", [0.0, -1.0, 1.5])
def test_a_precision_that_is_no_share_is_refused(precision: float) -> None:
    with pytest.raises(
        SettingsError, match=r"the precision is .*; it must be above 0 and at most 1\. Give one such as 0\.9"
    ):
        choose_thresholds(column(0.1, 0.9), column(0, 1), precision=precision)
