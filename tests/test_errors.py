"""Words of messages that errors share. In: values. Out: what they are called."""

from __future__ import annotations

import pytest

from tellapart.errors import kind_of


@pytest.mark.parametrize(
    ("value", "words"), [(3, "an int"), ([], "a list"), (None, "None"), (Exception(), "an Exception")]
)
def test_what_a_value_is(value: object, words: str) -> None:
    assert kind_of(value) == words
