"""Words of messages that errors share. In: values. Out: what they are called."""

from __future__ import annotations

import pytest

from tellapart.errors import kind_of, one_line


@pytest.mark.parametrize(
    ("value", "words"), [(3, "an int"), ([], "a list"), (None, "None"), (Exception(), "an Exception")]
)
def test_what_a_value_is(value: object, words: str) -> None:
    assert kind_of(value) == words


def test_what_another_library_says_ends_with_a_word() -> None:
    assert one_line(ValueError("two\n  lines")) == "two lines"
    assert one_line(KeyError()) == "KeyError"
    long = "Please check your connection and try again. " * 5
    assert one_line(long, most=50) == "Please check your connection and try again.…"
    assert one_line("x" * 300, most=50) == "x" * 49 + "…"
