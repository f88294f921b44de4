"""A text without what nobody sees. In: str. Out: the same str for all that reads alike."""

from __future__ import annotations

import pytest

from tellapart.texts.cleaning import MOST_LETTERS, clean


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("  Good\t\nFILM ", "good film"),
        ("a\0b", "a b"),
        ("half \ud83d pair", "half \ufffd pair"),
        ("zero\u200bwidth \u202eturned\u202c \ufeff", "zerowidth turned"),
        ("\uff26\uff35\uff2c\uff2c\u3000width", "full width"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05dc\u05d5\u05dd"),
        ("❤️", "❤"),
        ("\u200b\u200e", ""),
    ],
)
def test_what_is_left(text: str, left: str) -> None:
    assert clean(text) == left
    assert clean(left) == left


def test_ten_megabytes_are_cut() -> None:
    assert len(clean("word " * 2_000_000)) <= MOST_LETTERS
