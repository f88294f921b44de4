"""N-grams in letters where texts are in Chinese. In: made headlines. Out: what is of which writing, and who is unknown."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tellapart.bundle import open_model
from tellapart.export.ngrams import GramGraph
from tellapart.export.texts import assemble_texts
from tellapart.texts.cleaning import clean
from tellapart.texts.inputs import TextInputs, as_input
from tellapart.texts.ngrams import Rules, find_grams
from tellapart.texts.vocabulary import STEPS, look_up
from tellapart.training.ngram_counts import count_texts_in, learn_grams
from tellapart.training.other_writing import of_other_writing, strangeness_of_other
from tests.export.test_ngrams import manifest

RULES = Rules(characters=(1, 2), across=True)
HEADLINES = [
    "苹果发布 iphone 新品",
    "新品手机 iphone 上市",
    "股市今日上涨3%",
    "今日股市下跌3%",
    "足球比赛今日上演",
    "手机比赛",
]


def test_letters_are_told_from_characters() -> None:
    texts = [clean(text) for text in HEADLINES]
    inputs, _ = learn_grams(texts, RULES)
    other = of_other_writing(texts, inputs)
    assert other is not None
    wanted = np.zeros(len(inputs.known), dtype=np.bool_)
    for grams in find_grams(texts, RULES):
        for row, number, start, end in zip(grams.rows, grams.numbers, grams.starts, grams.ends, strict=True):
            said, place = texts[row][start:end], inputs.places(np.array([number]))[0]
            if place >= 0:
                wanted[place] = any(letter in "iphone" for letter in said) and not any(
                    ord(one) > 0x3000 for one in said
                )
    np.testing.assert_array_equal(other, wanted)
    assert other.sum() == len("iphone") + len("iphone") - 1
    assert of_other_writing(["今日", "今日"], learn_grams(["今日", "今日"], RULES)[0]) is None
    spaced = Rules(words=(1,), characters=(2,))
    assert of_other_writing(["a film", "a film"], learn_grams(["a film", "a film"], spaced)[0]) is None


def test_a_sentence_in_letters_is_strange_in_the_file_too(tmp_path: Path) -> None:
    texts = [clean(text) for text in HEADLINES]
    inputs, frequency = learn_grams(texts, RULES)
    other = of_other_writing(texts, inputs)
    weight = np.random.default_rng(0).normal(size=(3, len(inputs.known))).astype(np.float32)
    graph = GramGraph(inputs=inputs, frequency=frequency, weight=weight, bias=np.zeros(3, np.float32), other=other)
    data = assemble_texts([graph], temperatures=[1.0], novelty_scale=2.0, classes=3, manifest=manifest(RULES))
    (tmp_path / "model.onnx").write_bytes(data)
    model = open_model(tmp_path / "model.onnx")
    assert isinstance(model.inputs, TextInputs)
    asked = [*texts, "one phone in hope", "今日 iphone", "зима", ""]
    found = model.compute(as_input(asked, model.inputs), ("novelty",))["novelty"] / 2
    counted = count_texts_in(asked, inputs, frequency)
    strange = strangeness_of_other(counted.matrix, other, 1)
    np.testing.assert_allclose(found, np.maximum(look_up(asked, inputs).unknown, strange), atol=2 / STEPS)
    assert other is not None
    squares = np.square(counted.matrix.toarray())
    np.testing.assert_allclose(strange, squares[:, other].sum(axis=1) ** 6, atol=1e-6)
    english, mixed = strange[len(texts)], strange[len(texts) + 1]
    assert english > 0.99, "all that is known of it is letters"
    assert mixed < 0.4 < strange[len(texts) + 1] ** (1 / 6), "half of it may be"
    assert strange[2] == 0
    np.testing.assert_array_equal(strangeness_of_other(counted.matrix, None, 1), np.zeros(len(asked)))
