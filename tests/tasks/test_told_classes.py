"""A test in words. In: figures. Out: the table of classes and the confusions, up to twenty classes."""

from __future__ import annotations

from typing import Any

from tellapart.tasks.told_classes import summary


def figures(names: list[str], counts: list[list[int]]) -> dict[str, Any]:
    row = {"recall": 0.5, "precision": None, "f1": 0.25, "support": 4}
    return {
        "test": {
            "n": 8,
            "accuracy": {"value": 0.5, "low": 0.2, "high": 0.8},
            "too_small_to_tell": False,
            "majority_baseline": 0.5,
            "per_class": dict.fromkeys(names, row),
            "confusion_matrix": counts,
        }
    }


def test_the_confusions_are_shown_a_row_a_true_class() -> None:
    lines = summary(figures(["cat", "dog"], [[4, 0], [1234, 2]]), "picture")
    assert lines[-3:] == [
        "true class, told as              1     2",
        "  1 cat                          4     .",
        "  2 dog                      1,234     2",
    ]


def test_of_more_than_twenty_classes_there_is_no_table() -> None:
    names = [str(number) for number in range(21)]
    lines = summary(figures(names, [[0] * 21] * 21), "picture")
    assert not any(line.startswith("true class") for line in lines)
    assert lines[-1] == "... and 1 more classes, in metrics.json"
