"""What Unicode says of characters, as lines. In: this Python's tables. Out: forms worked out from the lines alone."""

from __future__ import annotations

import unicodedata

from tellapart.export.text_lines import golden_as_lines, steps_as_lines
from tellapart.export.text_specification import text_specification
from tellapart.export.unicode_table import ranges, unicode_table
from tellapart.texts.cleaning import UNSEEN
from tellapart.texts.inputs import TextInputs
from tellapart.texts.sequences import WORDS, WordInputs, learn_words


def lines(name: str) -> list[list[str]]:
    return [line.split()[1:] for line in unicode_table().splitlines() if line.split()[0] == name]


def text_of(codes: list[str]) -> str:
    return "".join(chr(int(one, 16)) for one in codes)


def test_every_form_and_small_letter_that_is_another_is_told() -> None:
    canonical, compatible = (
        {text_of(line[:1]): text_of(line[1:]) for line in lines(name)} for name in ("canonical", "compatible")
    )
    fold, lower = ({text_of(line[:1]): text_of(line[1:]) for line in lines(name)} for name in ("fold", "lower"))
    for code in (*range(0x600), *range(0x1E00, 0x2200), *range(0xF900, 0x10000), 0x1D7CE, 0x2F800):
        one = chr(code)
        assert canonical.get(one, one) == unicodedata.normalize("NFD", one)
        assert compatible.get(one, canonical.get(one, one)) == unicodedata.normalize("NFKD", one)
        assert (fold.get(one, one), lower.get(one, one)) == (one.casefold(), one.lower())
    assert ["301", "230"] in lines("order")


def test_what_becomes_one_is_told_but_for_what_unicode_leaves_apart() -> None:
    found = {text_of(line[:2]): text_of(line[2:]) for line in lines("compose")}
    assert found["e\u0301"] == "\u00e9"
    assert "\u0915\u093c" not in found  # left apart by Unicode, though U+0958 is made of them
    assert all(unicodedata.normalize("NFC", two) == one for two, one in found.items())


def test_runs_of_characters() -> None:
    every = [chr(code) for code in range(10)]
    assert list(ranges(every, lambda one: ord(one) in (0, 1, 3, 9))) == [(0, 1), (3, 3), (9, 9)]
    assert list(ranges(every, lambda one: False)) == []
    assert ["1c", "20"] in lines("blank")
    assert ["300", "36f"] in lines("mark")
    assert ["21", "2f"] in lines("sign")


def test_steps_and_golden_texts_as_lines() -> None:
    part = WordInputs(rules=WORDS, known=learn_words(["a b", "a b"], WORDS, most=9), window=7)
    told = steps_as_lines(text_specification(("x", "y"), TextInputs(parts=(part,)))).splitlines()
    assert "unseen ad ad" in told
    assert told.count("unseen 200b 200f") == UNSEEN.count("\u200b-\u200f")
    assert (
        told[-6:]
        == ["part words words.bin", "rows 1", "padding 2", "words 1", "characters", "across 0", "window 7"][-6:]
    )
    golden = {
        "text": "A",
        "cleaned": "",
        "parts": [{"kind": "pieces", "found": [["ab", "c"]], "tokens": [[1, 2]]}],
        "probabilities": [0.25, 0.75],
        "novelty": 0.5,
    }
    assert golden_as_lines([golden]).splitlines() == [
        "text 41",
        "cleaned ",
        "part pieces",
        "found 61.62 63",
        "tokens 1 2",
        "probabilities 0.25 0.75",
        "novelty 0.5",
    ]
