"""Patterns of names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.errors import DataError
from tellapart.sources.braces import expand_braces, is_pattern


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("s-{08..11}.tar", ["s-08.tar", "s-09.tar", "s-10.tar", "s-11.tar"]),
        ("s-{8..10}.tar", ["s-8.tar", "s-9.tar", "s-10.tar"]),
        ("{train,val}-{0..1}.tar", ["train-0.tar", "train-1.tar", "val-0.tar", "val-1.tar"]),
        ("{one}/{a,b}{}", ["{one}/a{}", "{one}/b{}"]),
    ],
)
def test_names_come_in_the_order_of_a_shell(pattern: str, names: list[str]) -> None:
    assert is_pattern(pattern)
    assert expand_braces(pattern) == names


def test_a_file_that_is_called_so_is_no_pattern(tmp_path: Path) -> None:
    path = tmp_path / "{1..2}.tar"
    assert is_pattern(str(path))
    path.touch()
    assert not is_pattern(str(path))
    assert not is_pattern("{one}.tar")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{3..1}.tar", "counts from 3 down to 1. Write the smaller number first."),
        ("{0..999999999999}.tar", "stands for more than 100,000 files, the limit. Give a folder, or a smaller range."),
        ("{0..999}{0..999}.tar", "stands for more than 100,000 files"),
    ],
)
def test_patterns_that_are_refused(pattern: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        expand_braces(pattern)
