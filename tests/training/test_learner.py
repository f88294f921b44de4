"""What a learner takes, in words. In: targets. Out: refusals. Next: test_loop.py."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tellapart.training.learner import check_targets


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        (torch.zeros(2, 8, 8, dtype=torch.int64), r"int64 \[2, 8, 8\]"),
        (torch.zeros(2), r"float32 \[2\]"),
        (torch.zeros(3, dtype=torch.int64), r"int64 \[3\]"),
        ([torch.zeros(2)], "a list"),
        ({"boxes": torch.zeros(2)}, "a dict"),
        (None, "None"),
    ],
)
def test_targets_of_another_kind_are_named(targets: Any, found: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^targets are {found}; one class a picture is int64 \[2\]\. Choose the task"
    ):
        check_targets(targets, torch.int64, (2,), "one class a picture")


def test_targets_of_this_kind_pass() -> None:
    check_targets(torch.zeros(2, dtype=torch.int64), torch.int64, (2,), "one class a picture")
    check_targets(torch.zeros(2, 3), torch.float32, (2, 3), "a set of classes")
