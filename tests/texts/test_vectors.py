"""Vectors of words from files, as tools write them and as they go wrong. In: small files. Out: rows, messages."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from tellapart.errors import DataError
from tellapart.texts import vectors
from tellapart.texts.ngrams import find_grams
from tellapart.texts.sequences import WORDS
from tellapart.texts.vectors import read_vectors


def known(*words: str) -> np.ndarray:
    return np.sort(np.concatenate([next(find_grams([word], WORDS)).numbers for word in words]))


def written(folder: Path, text: str | bytes, name: str = "words.vec") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("header", ["", "4 3\n"])
def test_known_words_alone_are_kept_with_and_without_a_header(header: str, tmp_path: Path) -> None:
    path = written(tmp_path, header + "the 1 2 3\nFilm 0.5 -1e-2 7\nother 9 9 9\nfilm 8 8 8\n")
    found = read_vectors(path, known=known("the", "film", "dull"), rules=WORDS)
    assert (found.width, found.lines, found.bad_count) == (3, 4, 0)
    by_word = dict(zip(found.words.tolist(), found.vectors.tolist(), strict=True))
    assert by_word[int(known("the")[0])] == [1, 2, 3]
    np.testing.assert_allclose(by_word[int(known("film")[0])], [0.5, -0.01, 7], rtol=1e-6)  # the first of two
    assert len(by_word) == 2


def test_bad_lines_are_told_by_number(tmp_path: Path) -> None:
    lines = [
        "the 1 2",
        "film 1",
        "film 1 2 3",
        "fine 1 x",
        "fine nan 1",
        "\xff 1 2",
        "at the corner 5 6",
        "dull 3 4",
        "",
    ]
    path = written(tmp_path, "\n".join(lines).encode("latin-1"), "glove.txt")
    found = read_vectors(path, known=known("the", "film", "fine", "dull"), rules=WORDS)
    assert len(found.words) == 2
    assert (found.bad_count, found.lines) == (5, 8)
    assert found.bad == (
        (2, "1 numbers, where the first line has 2"),
        (3, "3 numbers, where the first line has 2"),
        (6, "its word is not in UTF-8"),
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.bin", "x 1 2", r"ends with \.bin; vectors of words are text in a \.vec or \.txt file"),
        ("a.vec", "5 300\nthe 1 2 3\n", r"line 2 has 3 numbers behind its word, and its first line says 300"),
        ("a.vec", "", "holds no vectors of words: line 1: nothing stands there"),
        ("a.vec", "the\n", "line 1 has 0 numbers behind its first word; vectors of words have from 2 to 2,048"),
        (
            "a.txt",
            "once upon a time\nthere was\n",
            "holds no vectors of words: line 2: 1 numbers, where the first line has 3",
        ),
        ("a.txt", "the " + "1 " * 40_000, r"line 1 is longer than 65,536 bytes; a word and 2,048 numbers are shorter"),
    ],
)
def test_what_is_no_file_of_vectors_is_refused(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_vectors(written(tmp_path, text, name), known=known("the", "once"), rules=WORDS)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file of vectors at .*none\.vec"):
        read_vectors(tmp_path / "none.vec", known=known("the"), rules=WORDS)


def test_a_file_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "MOST_LINES", 2)
    with pytest.raises(DataError, match="has more than 2 lines"):
        read_vectors(written(tmp_path, "a 1 2\nb 1 2\nc 1 2\n"), known=known("a"), rules=WORDS)


def test_spoilt_files_are_read_or_refused(tmp_path: Path) -> None:
    """Whatever bytes go astray, there are finite rows of one width, or an error with a remedy."""
    chance, plain = np.random.default_rng(0), b"3 4\nthe 1 2 3 4\nfilm 5 6 7 8\n\xe7\x94\xb5 1 1 1 1\n"
    words = known("the", "film", "\u7535")
    refused = 0
    for number in range(150):
        data = bytearray(plain)
        for _ in range(int(chance.integers(1, 6))):
            place = int(chance.integers(len(data)))
            kind = number % 3
            if kind == 0:
                data[place] = int(chance.integers(256))
            elif kind == 1:
                del data[place : place + int(chance.integers(1, 8))]
                data = data or bytearray(b" ")
            else:
                data[place:place] = bytes(chance.choice([0, 10, 32, 45, 49, 101, 255], 5).astype(np.uint8))
        found = None
        with contextlib.suppress(DataError):
            found = read_vectors(written(tmp_path, bytes(data)), known=words, rules=WORDS)
        if found is None:
            refused += 1
            continue
        assert np.isfinite(found.vectors).all()
        assert found.vectors.shape == (len(found.words), found.width)
        assert set(found.words.tolist()) <= set(words.tolist())
    assert 0 < refused < 150
