"""Many texts read at once. In: texts, bytes, pixels. Out: what reading them one by one says."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.answers.answering import PictureData
from tellapart.answers.text import prepare_text, prepare_texts
from tellapart.errors import PictureError
from tellapart.texts.inputs import TextInputs
from tellapart.texts.ngrams import Rules
from tellapart.texts.sequences import WORDS, WordInputs
from tellapart.texts.vocabulary import GramInputs

GRAMS = TextInputs(parts=(GramInputs(rules=Rules(words=(1,)), known=np.array([1, 2], dtype=np.uint64)),))
SEQUENCES = TextInputs(parts=(WordInputs(rules=WORDS, known=np.array([1, 2], dtype=np.uint64), window=20),))


@pytest.mark.parametrize("inputs", [GRAMS, SEQUENCES])
@pytest.mark.parametrize(
    "given",
    [
        ["a fine film", "令人难忘的电影", "7 of them"],
        ["a fine film", "", "7 of them"],
        ["a fine film", "“quoted”", "\u200b \u200b"],
        ["a fine film", "word " * 30],
        ["a fine film", b"as bytes", b"\xff"],
        ["a fine film", np.zeros((2, 2, 3), dtype=np.uint8)],
    ],
    ids=["plain", "one empty", "signs first", "long", "bytes", "pixels"],
)
def test_texts_together_are_read_as_each_alone(given: list[PictureData], inputs: TextInputs) -> None:
    read = prepare_texts(iter(given), inputs)
    texts, places, errors = [], [], []
    for one in given:
        try:
            text, place = prepare_text(one, inputs)
        except PictureError as error:
            errors.append(str(error))
            continue
        texts.append(text.item())
        places.append(place.remark)
        errors.append("")
    assert read.texts == texts
    assert [place.remark for place in read.places] == places
    assert list(read.errors) == errors
