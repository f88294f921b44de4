"""What `tellapart check` prints of a finding."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tellapart.cli.check import _shown


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("a/x/a/1.jpg", "x/a/1.jpg"),  # a folder in it that is called like the data set stays
        ("ba/a/1.jpg", "ba/a/1.jpg"),
        (["a/a/1.jpg", "a/x/1.jpg"], "a/1.jpg = x/1.jpg"),
        ({"path": "a/a/1.jpg", "reason": "no picture of a/ a cat"}, "a/1.jpg, no picture of a/ a cat"),
        ({"paths": ["a/x/1.jpg", "a/a/1.jpg"], "labels": ["x", "a/"], "exact": True}, "x/1.jpg = a/1.jpg, x = a/"),
        (
            {"paths": ["a/x/1.jpg", "a/a/1.jpg"], "labels": ["x", "a"], "exact": False},
            "x/1.jpg = a/1.jpg, x = a, nearly the same",
        ),
        ({"paths": ["a/t/1.jpg", "a/v/1.jpg"], "splits": ["train", "test"]}, "t/1.jpg = v/1.jpg, train = test"),
    ],
)
def test_paths_lose_the_data_set_in_front_and_nothing_else(item: Any, said: str) -> None:
    def native(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("/", os.sep)
        if isinstance(value, list):
            return [native(one) for one in value]
        return {name: native(one) for name, one in value.items()} if isinstance(value, dict) else value

    assert _shown(native(item), "a") == said.replace("/", os.sep)
