"""N-grams as numbers, all at once. In: texts. Out: as many different numbers as a plain loop finds n-grams, in the same places."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tellapart.texts.cleaning import clean
from tellapart.texts.ngrams import Rules, find_grams

TEXTS = [
    clean(one)
    for one in (
        "It's a b-film, very very good!",
        "",
        "好電影 好 電影",
        "x",
        "नमस्ते दुनिया, it's",
        "It's a b-film, very very good!",
        "e\u0301te 😀😀 \u200b_a_",
    )
]
WORD = re.compile(r"[\w\u0300-\u036f\u0900-\u0963]+|\S")


def words_of(text: str, size: int) -> list[str]:
    words = WORD.findall(text)
    return [" ".join(words[place : place + size]) for place in range(len(words) - size + 1)]


def pieces_of(text: str, size: int) -> list[str]:
    """Runs of characters with a blank at their ends at most."""
    padded = f" {text} "
    found = [padded[place : place + size] for place in range(len(padded) - size + 1)]
    return [one for one in found if " " not in one[1:-1] and one.strip()]


def runs_of(text: str, size: int) -> list[str]:
    found = [text[place : place + size] for place in range(len(text) - size + 1)]
    return [one for one in found if " " not in one]


@pytest.mark.parametrize(
    ("rules", "oracle", "sizes"),
    [
        (Rules(words=(1, 2, 3)), words_of, (1, 2, 3)),
        (Rules(characters=(2, 3, 4, 5)), pieces_of, (2, 3, 4, 5)),
        (Rules(characters=(1, 2, 3), across=True), runs_of, (1, 2, 3)),
    ],
)
def test_each_text_has_the_ngrams_of_a_plain_loop(rules: Rules, oracle, sizes) -> None:  # type: ignore[no-untyped-def]
    (grams,) = find_grams(TEXTS, rules)
    name: dict[int, str] = {}
    for row, text in enumerate(TEXTS):
        wanted = Counter(one for size in sizes for one in oracle(text, size))
        own = grams.rows == row
        found = Counter(grams.numbers[own].tolist())
        assert sorted(found.values()) == sorted(wanted.values()), text
        for number, start, end in zip(
            grams.numbers[own].tolist(), grams.starts[own].tolist(), grams.ends[own].tolist(), strict=True
        ):
            written = f" {text} "[start + 1 : end + 1]
            spelt = " ".join(WORD.findall(written)) if rules.words else written
            assert name.setdefault(number, spelt) == spelt, "one number, one n-gram"
    assert len(set(name.values())) == len(name), "one n-gram, one number"


def test_a_text_has_the_same_numbers_wherever_it_stands() -> None:
    rules = Rules(words=(1, 2), characters=(2, 3))
    alone = [grams.numbers.tolist() for grams in find_grams([TEXTS[0]], rules)]
    among = [grams.numbers[grams.rows == 5].tolist() for grams in find_grams(TEXTS, rules)]
    assert alone == among
    assert [grams.block for grams in find_grams(TEXTS, rules)] == [0, 1]


def test_words_and_pieces_are_told_apart() -> None:
    words, pieces = find_grams(["ab"], Rules(words=(1,), characters=(2,), across=True))
    assert words.numbers.tolist() != pieces.numbers.tolist()


def test_a_hundred_thousand_pieces_meet_nowhere() -> None:
    text = " ".join(f"{number:05}" for number in range(20_000))
    (grams,) = find_grams([text], Rules(words=(1, 2, 3)))
    assert len(set(grams.numbers.tolist())) == 20_000 + 19_999 + 19_998
