"""Rows of many answers. In: made answers. Out: what a row of each alone says, but for path and error."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.answers.class_rows import tells_many
from tellapart.answers.classification import ClassAnswers, Classification
from tellapart.answers.table import ANSWERINGS


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("top", [1, 2, 9])
def test_many_rows_are_those_of_each(bare: bool, top: int) -> None:
    chances = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0, 0, 1]], dtype=np.float32)
    answers = ClassAnswers(
        classes=("x", "y", "z"),
        probabilities=chances,
        labels=["y", "x", "z"],
        sets=None if bare else np.array([[False, True, True], [True, True, False], [False, False, True]]),
        unknown=None if bare else np.array([False, True, False]),
        novelty=None if bare else np.array([0.5, 1.5, 1 / 3], dtype=np.float32),
        threshold=None if bare else 0.25,
        warnings=() if bare else ("", "cut", ""),
    )
    told = Classification().rows(answers, top=top, figures=lambda values: values.astype(np.float64))
    for row, answer in zip(told, answers, strict=True):
        alone = Classification().row(answer, top=top)
        del alone["path"], alone["error"]
        assert row == alone
        assert list(row) == list(alone)


def test_who_tells_many() -> None:
    assert {name for name, one in ANSWERINGS.items() if tells_many(one)} == {"classification", "text"}
