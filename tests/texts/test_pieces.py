"""Word pieces, number by number. In: texts. Out: what the library tokenizers 0.23.3 gives for the same vocabulary."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tellapart.texts.pieces import PieceInputs, read_pieces

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "a",
    "film",
    "fine",
    "un",
    "##aff",
    "##able",
    "##a",
    "##b",
    ".",
    ",",
    "!",
    "'",
    "-",
    "cafe",
    "naive",
    "日",
    "本",
    "##s",
    "s",
    "the",
    "it",
    "t",
    "é",
    "É",
    "Film",
    "$",
    "€",
    "straße",
]
INPUTS = PieceInputs(
    pieces={word: number for number, word in enumerate(WORDS)},
    lowercase=True,
    unmarked=True,
    apart=True,
    first=2,
    last=3,
    unknown=1,
    padding=0,
    most=64,
)


# WordPiece with BertNormalizer and BertPreTokenizer; the second list is with lowercase=False.
@pytest.mark.parametrize(
    ("text", "small", "as_written"),
    [
        ("A fine film.", [4, 6, 5, 12], [1, 6, 5, 12]),
        ("unaffable, unaffables", [7, 8, 9, 13, 7, 8, 9, 21], [7, 8, 9, 13, 7, 8, 9, 21]),
        ("café NAÏVE", [17, 18], [1, 1]),
        ("日本films", [19, 20, 5, 21], [19, 20, 5, 21]),
        ("it's - the\tfilm!!", [24, 15, 22, 16, 23, 5, 14, 14], [24, 15, 22, 16, 23, 5, 14, 14]),
        ("un\u00adaff\u200bable\0", [7, 8, 9], [7, 8, 9]),
        ("x" * 101, [1], [1]),
        ("$€ film€", [29, 30, 1], [29, 30, 1]),
        ("STRASSE straße", [1, 31], [1, 31]),
        ("e\u0301 É", [1, 1], [1, 27]),
        ("a\u2028film\u3000a\x85a", [4, 5, 4, 10], [4, 5, 4, 10]),
        ("zzz", [1], [1]),
        ("", [], []),
    ],
)
def test_texts_are_cut_as_by_the_library(text: str, small: list[int], as_written: list[int]) -> None:
    assert INPUTS.numbers(text) == [2, *small, 3]
    other = replace(INPUTS, lowercase=False, unmarked=False, _kept={})
    assert other.numbers(text) == [2, *as_written, 3]


def test_half_a_surrogate_pair_and_a_private_character_are_nothing() -> None:
    assert INPUTS.numbers("a\ud800 \ue000film") == [2, 4, 5, 3]


def test_what_comes_after_the_most_is_left_out() -> None:
    assert replace(INPUTS, most=5, _kept={}).numbers("unaffable film film") == [2, 7, 8, 9, 3]
    assert len(INPUTS.numbers("a " * 1_000_000)) == 64


def test_shorter_texts_are_filled_up() -> None:
    assert INPUTS.encode(["a film", "a"]).tolist() == [[[2, 4, 5, 3]], [[2, 4, 3, 0]]]
    assert INPUTS.encode(["", ""]).tolist() == [[[2, 3]], [[2, 3]]]


def test_a_vocabulary_is_read_as_it_was_written() -> None:
    assert read_pieces(INPUTS.written()) == INPUTS.pieces
