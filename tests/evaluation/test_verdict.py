"""Whether a test split tells enough, and in what words. In: accuracies with intervals, supports. Out: verdicts."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from tellapart.bundle import Score
from tellapart.evaluation.intervals import wilson
from tellapart.evaluation.verdict import judge


def figure(right: int, count: int) -> Score:
    low, high = wilson(right, count)
    return Score(value=right / count, low=low, high=high, method="wilson")


def test_a_large_test_is_said_to_be_large_enough() -> None:
    too_small, verdict = judge(figure(930, 1000), np.array([600, 400]), ["cat", "dog"])
    assert not too_small
    assert verdict == (
        "The test is large enough: the accuracy is 93.0 % (95 %: 91.2 % to 94.4 %), "
        "above the 60.0 % of always answering 'cat'."
    )


def test_a_wide_interval_is_too_small_a_test_and_the_advice_is_about_right() -> None:
    too_small, verdict = judge(figure(45, 50), np.array([25, 25]), ["hot dog", "other"])
    assert too_small
    match = re.search(r"the interval is 17 points wide \(about (\d+) more test pictures would make it 10\)", verdict)
    assert match is not None
    with_more = 50 + int(match[1])
    low, high = wilson(0.9 * with_more, with_more)
    assert high - low == pytest.approx(0.10, abs=0.01)


def test_a_model_that_may_only_guess_the_common_class_is_not_told_apart_yet() -> None:
    too_small, verdict = judge(figure(620, 1000), np.array([600, 400]), ["cat", "dog"])
    assert too_small
    match = re.search(
        r"it may be no better than the 60\.0 % of always answering 'cat' \(about ([\d,]+) more test pictures would tell\)",
        verdict,
    )
    assert match is not None
    with_more = 1000 + int(match[1].replace(",", ""))
    assert wilson(0.62 * with_more, with_more)[0] == pytest.approx(0.60, abs=0.002)


def test_a_model_below_the_common_class_is_told_that_more_testing_will_not_help() -> None:
    too_small, verdict = judge(figure(590, 1000), np.array([600, 400]), ["cat", "dog"])
    assert too_small
    assert "better pictures or labels may help more than a larger test split" in verdict
    too_small, verdict = judge(figure(400, 1000), np.array([600, 400]), ["cat", "dog"])
    assert not too_small
    assert verdict.endswith("below the 60.0 % of always answering 'cat'.")


def test_classes_of_few_test_pictures_are_named() -> None:
    support = np.array([500, 9, 1, 0, 3, 4])
    too_small, verdict = judge(figure(500, 517), support, ["a", "b", "c", "d", "e", "f"])
    assert too_small
    assert "class 'b' has 9 test pictures (1 more would make 10)" in verdict
    assert "class 'c' has 1 test picture (9 more would make 10)" in verdict
    assert "class 'd' has 0 test pictures (10 more would make 10)" in verdict
    assert verdict.endswith("2 more classes have fewer than 10.")


@pytest.mark.parametrize(
    ("low", "high", "rare", "reasons"),
    [
        (0.0, 0.1, 10, []),  # 0.1 wide to the last bit, ten pictures of the rarest class, and below the 50 % of "cat"
        (0.0, math.nextafter(0.1, 1), 10, ["the interval is 10 points wide"]),
        (0.0, 0.1, 9, ["class 'ox' has 9 test pictures (1 more would make 10)"]),
        (0.5, 0.58, 10, ["it may be no better than the 50.0 % of always answering 'cat'"]),  # reaches it from above
        (math.nextafter(0.5, 1), 0.58, 10, []),
        (0.42, 0.5, 10, ["it may be no better than the 50.0 %"]),  # and from below
        (0.42, math.nextafter(0.5, 0), 10, []),
    ],
)
def test_what_is_just_enough(low: float, high: float, rare: int, reasons: list[str]) -> None:
    accuracy = Score(value=(low + high) / 2, low=low, high=high, method="wilson")
    too_small, verdict = judge(accuracy, np.array([500, 500 - rare, rare]), ["cat", "dog", "ox"])
    assert too_small is bool(reasons)
    assert all(reason in verdict for reason in reasons)
    assert verdict.count(";") == len(reasons)
    if not reasons:
        assert ("above" if low > 0.5 else "below") + " the 50.0 % of always answering 'cat'." in verdict


@pytest.mark.parametrize(
    ("count", "more"),
    [(2, "6"), (19, "57"), (33, "99"), (37, "120"), (411, "1,300"), (4_000, "12,000"), (41_115, "130,000")],
)
def test_how_many_more_pictures_halve_an_interval_to_two_digits(count: int, more: str) -> None:
    """Four times as many in all, thrice as many more, rounded up: 411 are 1,233, which is said as 1,300."""
    accuracy = Score(value=0.1, low=0.0, high=0.2, method="wilson")
    _, verdict = judge(accuracy, np.array([count // 2, count - count // 2]), ["cat", "dog"])
    assert f"the interval is 20 points wide (about {more} more test pictures would make it 10)" in verdict


def test_one_more_picture_is_the_least_that_is_asked_for() -> None:
    accuracy = Score(value=0.05, low=0.0, high=math.nextafter(0.1, 1), method="wilson")
    _, verdict = judge(accuracy, np.array([10, 10]), ["cat", "dog"])
    assert "about 1 more test pictures would make it 10" in verdict


def test_the_whole_sentence() -> None:
    """Everything that can be said at once, the reasons parted by semicolons, three classes by name and the others counted."""
    accuracy = Score(value=0.5, low=0.25, high=0.75, method="wilson")
    names = ["a", "b", "c", "d", "e"]
    _, verdict = judge(accuracy, np.array([20, 9, 1, 0, 10]), names)
    # A fifth of the width: 40 x (5^2 - 1) = 960 more; at the very 50 % of "a" more would not help.
    assert verdict == (
        "Too small a test to tell: the accuracy is 50.0 % (95 %: 25.0 % to 75.0 %); "
        "the interval is 50 points wide (about 960 more test pictures would make it 10); "
        "it may be no better than the 50.0 % of always answering 'a' "
        "(better pictures or labels may help more than a larger test split); "
        "class 'b' has 9 test pictures (1 more would make 10); "
        "class 'c' has 1 test picture (9 more would make 10); "
        "class 'd' has 0 test pictures (10 more would make 10)."
    )
    _, verdict = judge(accuracy, np.array([20, 9, 1, 0, 3]), names)
    assert verdict.endswith("class 'd' has 0 test pictures (10 more would make 10); 1 more class has fewer than 10.")


def test_an_accuracy_without_ends_may_be_anything() -> None:
    accuracy = Score(value=0.9, low=None, high=None, method="none")
    too_small, verdict = judge(accuracy, np.array([60, 40]), ["cat", "dog"])
    assert too_small
    assert verdict == (
        "Too small a test to tell: the accuracy is 90.0 % (95 %: 0.0 % to 100.0 %); the interval is 100 points wide (about 9,900 "
        "more test pictures would make it 10); it may be no better than the 60.0 % of always answering 'cat' (about 800 more test "
        "pictures would tell)."
    )
