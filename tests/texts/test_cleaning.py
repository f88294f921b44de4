"""A text without what nobody sees. In: str. Out: the same str for all that reads alike."""

from __future__ import annotations

import random
import re
import unicodedata

import pytest

from tellapart.texts.cleaning import MOST_LETTERS, CleanTexts, as_utf8, clean, in_parts


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


def step_by_step(text: str) -> str:
    """The same without a shorter way for texts that are plain."""
    unseen = "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
    text = re.sub(unseen, "", re.sub("[\ud800-\udfff]", "\ufffd", text))
    text = re.sub("[\x00-\x1f\x7f-\x9f]", " ", unicodedata.normalize("NFKC", text))
    return re.sub(r"\s+", " ", text.casefold()).strip()


def test_the_short_way_of_plain_texts_ends_where_the_long_one_does() -> None:
    chance = random.Random(0)
    alphabet = [*map(chr, range(0x20, 0x250)), *"\u3000\u2028\ufdfa\u00a8\u1e9e\ufe0f\u0130\u03a3\u212b日本 한 "]
    for _ in range(3000):
        text = "".join(chance.choices(alphabet, k=chance.randrange(1, 9)))
        assert clean(text) == step_by_step(text), text
    for code in range(0, 0x110000, 7):
        text = f"a {chr(code)}b"
        assert clean(text) == step_by_step(text), hex(code)


def test_texts_are_cleaned_as_they_are_asked_for() -> None:
    texts = CleanTexts(["A", "B ", "\tC", "D"], [2, 1, 3])
    assert (len(texts), texts[0], texts[-1], texts[1:], list(texts)) == (3, "c", "d", ["b", "d"], ["c", "b", "d"])


def test_parts_are_of_so_many_texts_or_letters() -> None:
    texts = ["a", "b", "cccc", "d", "ffffffff", "e"]
    assert list(in_parts(texts, most=2, letters=100)) == [["a", "b"], ["cccc", "d"], ["ffffffff", "e"]]
    assert list(in_parts(texts, most=9, letters=5)) == [["a", "b"], ["cccc", "d"], ["ffffffff"], ["e"]]
    assert list(in_parts([])) == [[]]


@pytest.mark.parametrize("text", ["fine", "\ud83d fine", "fine\udc00", "😀 fine", "\ufeff\0"])
def test_bytes_are_those_of_what_is_cleaned_alike(text: str) -> None:
    assert clean(as_utf8(text).decode()) == clean(text)
