"""Whether a test of sets is large enough, at the very edges. In: a figure, supports. Out: sentences."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.bundle import Score
from tellapart.tasks.multilabel.verdict import judge

MANY = np.array([50, 10])
NAMES = ("cat", "dog")


def test_a_large_test_says_so() -> None:
    small, sentence = judge(Score(value=0.9, low=0.85, high=0.94), MANY, NAMES, 0.4)
    assert not small
    assert sentence == (
        "The test is large enough: the mean average precision is 90.0 % (95 %: 85.0 % to 94.0 %), above the 40.0 % of guessing."
    )
    assert judge(Score(value=0.2, low=0.17, high=0.24), MANY, NAMES, 0.4)[1].endswith("below the 40.0 % of guessing.")


@pytest.mark.parametrize(
    ("score", "support", "reason"),
    [
        (Score(value=0.9, low=0.82, high=0.94), MANY, "; the interval is 12 points wide."),
        (Score(value=0.43, low=0.39, high=0.47), MANY, "; it may be no better than the 40.0 % of guessing."),
        (
            Score(value=0.9, low=0.88, high=0.94),
            np.array([50, 9]),
            "; class 'dog' is in 9 test pictures (1 more would make 10).",
        ),
        (Score(value=0.9), MANY, "; the interval is 100 points wide; it may be no better than the 40.0 % of guessing."),
    ],
    ids=["wide", "no better than guessing", "few", "no interval"],
)
def test_what_makes_a_test_too_small(score: Score, support: np.ndarray, reason: str) -> None:
    small, sentence = judge(score, support, NAMES, 0.4)
    assert small
    assert sentence.startswith("Too small a test to tell: the mean average precision is ")
    assert sentence.endswith(reason)
