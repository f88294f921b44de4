"""A classifier of n-grams as a file. In: made weights. Out: the same from NumPy, ONNX Runtime and letter by letter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tellapart
from tellapart.answers.table import ANSWERINGS
from tellapart.bundle import BackboneRecord, DataRecord, Manifest, TextRecord, open_bytes, open_model
from tellapart.errors import DataError, ModelFileError, PictureError
from tellapart.explanation.ngrams import in_words, letter_votes
from tellapart.export.ngrams import GramGraph, table
from tellapart.export.texts import assemble_texts
from tellapart.records_text import GramRecord
from tellapart.texts.cleaning import MOST_LETTERS, clean
from tellapart.texts.inputs import TextInputs, as_input
from tellapart.texts.ngrams import Rules
from tellapart.texts.vocabulary import STEPS
from tellapart.training.ngram_counts import count_texts_in, learn_grams

TEXTS = ["a fine film", "a film so dull, so dull", "fine weather", "a dull day of fine rain", "a film"]
RULES = Rules(words=(1, 2), characters=(2, 3))
K = 3


def manifest(rules: Rules = RULES, **change: Any) -> Manifest:
    grams = GramRecord(words=rules.words, characters=rules.characters, across=rules.across)
    given: dict[str, Any] = {
        "task": "text",
        "created": "2026-01-01T00:00:00+00:00",
        "strategy": "probe",
        "classes": ("x", "y", "z"),
        "preprocessing": None,
        "backbone": BackboneRecord(
            name="n-grams", embedding=1, weights_source="-", weights_license="-", weights_fingerprint="0"
        ),
        "scores": {},
        "data": DataRecord(name="made", fingerprint="0", n_train=5, n_validation=0, n_test=0),
        "versions": {},
        "record": TextRecord(temperature=2.0, grams=grams),
    }
    return Manifest(**(given | change))


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    inputs, frequency = learn_grams([clean(text) for text in TEXTS], RULES)
    chance = np.random.default_rng(0)
    weight = chance.normal(size=(K, len(inputs.known))).astype(np.float32)
    bias = chance.normal(size=K).astype(np.float32)
    made = {"inputs": inputs, "frequency": frequency, "weight": weight, "bias": bias}
    return {**made, "data": assembled(made, manifest())}


def assembled(made: dict[str, Any], record: Manifest) -> bytes:
    graph = GramGraph(**{name: made[name] for name in ("inputs", "frequency", "weight", "bias")})
    return assemble_texts([graph], temperatures=[1.0], novelty_scale=2.0, classes=K, manifest=record)


def test_the_file_says_what_the_features_say(made: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(made["data"])
    model = open_model(tmp_path / "model.onnx")
    texts = [*TEXTS, "zzz qqq", "dull", "A  FINE\u200b film"]
    counted = count_texts_in([clean(text) for text in texts], made["inputs"], made["frequency"])
    logits = (counted.matrix @ made["weight"].T + made["bias"]) / 2.0
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    arrays = model.compute(as_input(texts, model.inputs), ("probabilities", "novelty"))
    np.testing.assert_allclose(arrays["probabilities"], wanted, atol=1e-5)
    np.testing.assert_allclose(arrays["novelty"], 2 * counted.unknown, atol=2 / STEPS)
    assert isinstance(model.inputs, TextInputs)
    assert model.inputs.grams is not None
    np.testing.assert_array_equal(model.inputs.grams.known, made["inputs"].known)
    assert model.inputs.grams.rules == RULES
    alone = model.compute(as_input(texts[-1:], model.inputs), ("probabilities",))["probabilities"]
    np.testing.assert_allclose(alone[0], arrays["probabilities"][0], atol=1e-6)


def test_letters_add_up_to_the_logits(made: dict[str, Any]) -> None:
    votes = table(made["inputs"], frequency=made["frequency"], weight=made["weight"])
    known = len(made["inputs"].known)
    for text in map(clean, TEXTS):
        letters = letter_votes(text, made["inputs"], votes=votes[:known, :K], squares=votes[:known, K])
        counted = count_texts_in([text], made["inputs"], made["frequency"])
        np.testing.assert_allclose(letters.sum(axis=0), (counted.matrix @ made["weight"].T)[0], atol=1e-4)
        words = in_words(text, letters, unspaced=False)
        assert "".join(word for word, _ in words) == text
        np.testing.assert_allclose(sum(vote for _, vote in words), letters.sum(axis=0), atol=1e-9)
        assert [word for word, _ in in_words(text, letters, unspaced=True)] == list(text)
    assert len(letter_votes("", made["inputs"], votes=votes[:known, :K], squares=votes[:known, K])) == 0


def test_python_gives_texts(made: dict[str, Any], tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    (tmp_path / "model.onnx").write_bytes(made["data"])
    model = tellapart.load(tmp_path / "model.onnx")
    found = model.predict(["a fine film", "", b"so dull", "x" * (MOST_LETTERS + 1)])
    assert found.errors[0] == ""
    assert found.errors[1].startswith("empty: nothing is left")
    assert np.isnan(found.probabilities[1]).all()
    assert "the first 100,000 alone" in found.warnings[3]
    alone = model.predict("a fine film")
    np.testing.assert_allclose(alone.probabilities[0], found.probabilities[0], atol=1e-6)
    table = pandas.DataFrame({"text": ["a fine film", None]})
    assert list(model.predict(table).errors) == ["", "empty: there is no text"]
    with pytest.raises(DataError, match="text 0 is .*; a text is a str, or bytes in UTF-8."):
        model.predict([1])
    with pytest.raises(DataError, match="none is called text, sentence"):
        model.predict(pandas.DataFrame({"a": ["b"]}))
    with pytest.raises(ModelFileError, match="takes no pictures, and this is about pictures. Give another model."):
        _ = model.manifest.preprocessing


def test_n_grams_have_no_embedding(made: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(made["data"])
    with pytest.raises(ModelFileError, match="tells no embedding, .* of texts with --embeddings or --strategy scratch"):
        tellapart.load(tmp_path / "model.onnx").embed(["a"])


def test_what_is_no_text_is_told(made: dict[str, Any]) -> None:
    prepare = ANSWERINGS["text"].prepare
    with pytest.raises(PictureError, match="not a text in UTF-8: byte 0xff at 0"):
        prepare(b"\xff\xfe", made["inputs"])
    with pytest.raises(PictureError, match="pixels, and the model takes texts"):
        prepare(np.zeros((2, 2, 3), np.uint8), made["inputs"])
    with pytest.raises(PictureError, match="a text, and the model takes pictures"):
        ANSWERINGS["classification"].prepare("text", None)


def test_a_file_of_other_rules_is_refused(made: dict[str, Any]) -> None:
    other = assembled(made, manifest(Rules(words=(1,))))
    with pytest.raises(ModelFileError, match=r"a tellapart model of texts takes tokens \[N, 1, L\]"):
        open_bytes(other, source="other.onnx")
    with pytest.raises(ValueError, match="lacks a preprocessing|has a preprocessing|counts neither"):
        manifest(Rules())
