"""Labels that may be meant for another task. In: labels. Out: a question, a note, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.label_shapes import check_labels
from tellapart.errors import DataError

PATH = Path("table.csv")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (
            ["cat|dog", "dog|cow", "cow", "cat"],
            "such as 'cat|dog'. Did you mean --task multilabel? --task classification takes",
        ),
        (
            ["cat, dog", "dog, cow", "cow", "cat"],
            "such as 'cat, dog'. Did you mean --task multilabel --label-separator ','?",
        ),
        (["cat", "dog", "cat|dog"], "such as 'cat|dog'. Did you mean --task multilabel? --task classification takes"),
        (["cat", "cat, dog", "dog"], "such as 'cat, dog'. Did you mean --task multilabel --label-separator ','?"),
        (["a;b", "b;a"], "such as 'a;b'. Did you mean --task multilabel --label-separator ';'?"),
        (["['cat']", "['cat', 'dog']"], "such as \"['cat']\". Did you mean --task multilabel?"),
        (["猫、狗", "狗、牛", "猫", "牛"], "such as '猫、狗'. Did you mean --task multilabel --label-separator '、'?"),
        (["cat", "cat/dog", "dog"], "such as 'cat/dog'. Did you mean --task multilabel --label-separator '/'?"),
        (
            ["cat & dog", "dog & cow", "cat", "cow"],
            "such as 'cat & dog'. Did you mean --task multilabel --label-separator '&'?",
        ),
        (["1,2", "2,3", "1,3", "3", "2", "1"], "such as '1,2'. Did you mean --task multilabel --label-separator ','?"),
        (
            ["0,5", "0,25", "1,75", "2,5", "3,25", "1"],
            "are 6 different numbers such as 0,5, which looks like something",
        ),
        (
            [f"{number / 7:.3f}" for number in range(1, 40)] * 3,
            "are 39 different numbers such as 0.143, which looks like something",
        ),
        (
            ["0.5", "0.25", "1.75", "2.5", "3.25", "1"],
            "are 6 different numbers such as 0.5, which looks like something",
        ),
    ],
)
def test_what_looks_like_another_task_is_asked(labels: list[str], words: str) -> None:
    with pytest.raises(DataError) as caught:
        check_labels(PATH, labels)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "labels",
    [
        ["cat", "dog"],
        ["tench, Tinca tinca", "goldfish, Carassius auratus"],
        ["New York, USA", "Boston, USA"],
        ["x|y"],
        ["x|y", "x", "z"],
        ["A+", "B+", "A", "B"],
        ["n/a", "salt & pepper", "1/2"],
        ["1.0", "2.0", "3.0"],
        ["0.5", "1.5"],
        ["0.5", "1.5", "2.5", "3.5", "4.5"] * 2,  # a scale: half of the pictures share their step
        ["0.5", "0.25", "1.75", "2.5"],
        [str(number) for number in range(100)],
        ["[]", "[other"],
        ["hot dog", "hot cat", "banana"],
    ],
)
def test_names_are_names(labels: list[str]) -> None:
    assert check_labels(PATH, labels) == ""


def test_words_of_other_labels_are_told() -> None:
    assert check_labels(PATH, ["scab", "rust", "rust scab", "scab rust", "rust healthy", "healthy scab"]) == (
        "table.csv: labels such as 'rust scab' are read as one class each. If they are several, give --task multilabel "
        "--label-separator ' '."
    )
