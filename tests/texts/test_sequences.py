"""Words in order as numbers. In: small texts. Out: rows of a table, by hand."""

from __future__ import annotations

import numpy as np

from tellapart.texts.ngrams import find_grams
from tellapart.texts.sequences import (
    CHARACTERS,
    WORDS,
    WordInputs,
    learn_words,
    read_words,
    unknown_shares,
)

TEXTS = ["a film, a fine film", "fine , dull", "a dull thing"]


def number(word: str) -> int:
    (grams,) = find_grams([word], WORDS)
    (found,) = grams.numbers.tolist()
    return int(found)


def test_words_of_two_texts_are_known_the_most_frequent_ones_first() -> None:
    known = learn_words(TEXTS, WORDS, most=100)
    assert set(known.tolist()) == {number(word) for word in ("a", ",", "fine", "dull")}
    assert known.tolist() == sorted(known.tolist())
    assert len(learn_words(TEXTS, WORDS, most=2)) == 2
    rare = learn_words(TEXTS, WORDS, most=100, rare=np.array([number("thing")], dtype=np.uint64))
    assert set(rare.tolist()) - set(known.tolist()) == {number("thing")}
    assert len(learn_words(TEXTS, WORDS, most=100, single=True)) == 6


def test_a_text_is_its_words_in_order_then_nothing() -> None:
    known = np.sort(np.array([number(word) for word in ("a", "fine", "film")], dtype=np.uint64))
    inputs = WordInputs(rules=WORDS, known=known, window=4)
    row = {word: int(np.searchsorted(known, np.uint64(number(word)))) for word in ("a", "fine", "film")}
    found = inputs.encode(["A film, a\u200b FINE film", "fine x", "\U0001f600"])
    assert found.dtype == np.int32
    nothing, unknown = 3, 4
    assert found[:, 0].tolist() == [
        [row["a"], row["film"], unknown, row["a"]],  # the window ends here
        [row["fine"], unknown, nothing, nothing],
        [unknown, nothing, nothing, nothing],
    ]
    sequences = read_words(["a film, a fine film", "fine x"], inputs)
    np.testing.assert_allclose(unknown_shares(sequences, inputs), [0.25, 0.5])
    assert sequences.lengths.tolist() == [4, 2]
    chosen = sequences.of_rows(np.array([1, 0, 1]))
    assert chosen.padded(np.array([0, 1]), nothing=9).tolist() == [
        [row["fine"], unknown, 9, 9],
        [row["a"], row["film"], unknown, row["a"]],
    ]
    assert chosen.padded(np.array([2]), nothing=9).tolist() == [[row["fine"], unknown]]
    assert [inputs.beyond(text) for text in ("a film, a fine film", "a film, a", "extraordinary")] == [6, 0, 0]


def test_characters_are_read_without_blanks() -> None:
    known = learn_words(["电影 好", "电影 坏"], CHARACTERS, most=10)
    inputs = WordInputs(rules=CHARACTERS, known=known, window=9)
    (found,) = inputs.encode(["电 影好"])
    assert found[0].tolist()[2] == len(known) + 1, "one text alone has it"
    assert len(set(found[0].tolist())) == 3


def test_no_texts_are_no_rows() -> None:
    inputs = WordInputs(rules=WORDS, known=np.zeros(0, dtype=np.uint64), window=4)
    assert inputs.encode([]).shape == (0, 1, 1)
    assert inputs.encode(["so"]).tolist() == [[[1]]]
