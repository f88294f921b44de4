"""A network of texts as a file. In: made networks. Out: what torch says, from ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import tellapart
from tellapart.answers.table import ANSWERINGS
from tellapart.bundle import open_bytes, read_manifest
from tellapart.errors import ModelFileError
from tellapart.evaluation.calibration import softmax
from tellapart.export.ngrams import GramGraph
from tellapart.export.sequences import WordGraph, network_alone
from tellapart.export.texts import TextGraph, assemble_texts
from tellapart.records_text import GramRecord, TextRecord, WordRecord
from tellapart.runtime import Session
from tellapart.tasks.text.networks.making import make_network
from tellapart.tasks.text.networks.plan import NAMES, NetworkPlan
from tellapart.texts.cleaning import clean
from tellapart.texts.inputs import as_input
from tellapart.texts.ngrams import Rules
from tellapart.texts.sequences import WORDS, WordInputs, learn_words
from tellapart.training.ngram_counts import count_texts_in, learn_grams
from tests.export.test_ngrams import manifest

TEXTS = ["a fine film", "a film so dull, so dull", "fine weather", "a dull day of fine rain, so dull", "a film"]
WINDOW = 8


def inputs() -> WordInputs:
    return WordInputs(rules=WORDS, known=learn_words(TEXTS, WORDS, most=100), window=WINDOW)


def network(name: Any, channels: Any = "random") -> nn.Module:
    count = len(inputs().known)
    plan = NetworkPlan(
        name=name,
        classes=3,
        known=count,
        channels=channels,
        embedding=5,
        widths=(2, 3),
        filters=4,
        depth=3,
        dropout=0.5,
        max_norm=3.0,
    )
    given = {"rows": np.arange(2), "vectors": np.ones((2, 5), dtype=np.float32)} if channels != "random" else {}
    made = make_network(plan, seed=3, **given)
    torch.manual_seed(7)
    for parameter in made.parameters():
        if parameter.dim() == 1 or len(parameter) == 3:
            nn.init.normal_(parameter)
    return made.eval()


def graph(made: nn.Module, name: Any) -> WordGraph:
    return WordGraph(
        inputs=inputs(), network=name, weights={key: value.numpy() for key, value in made.weights().items()}
    )


def sealed(name: Any, **given: Any) -> tuple[nn.Module, bytes]:
    made = network(name, **given)
    record = TextRecord(temperature=2.0, words=WordRecord(unit="words", window=WINDOW))
    told = manifest(record=record, strategy="scratch")
    data = assemble_texts([graph(made, name)], temperatures=[1.0], novelty_scale=3.0, classes=3, manifest=told)
    return made, data


@pytest.mark.parametrize(("name", "channels"), [*((name, "random") for name in NAMES), ("text_cnn", "both")])
def test_the_file_says_what_torch_says(name: str, channels: str, tmp_path: Path) -> None:
    made, data = sealed(name, channels=channels)
    (tmp_path / "model.onnx").write_bytes(data)
    model = open_bytes(data, source="made")
    words = model.inputs.words
    assert words is not None
    assert (words.window, words.rules) == (WINDOW, WORDS)
    np.testing.assert_array_equal(words.known, inputs().known)
    texts = [*TEXTS, "so", "zzz qqq a film"]
    tokens = inputs().encode(texts)
    with torch.inference_mode():
        wanted = torch.softmax(made(torch.from_numpy(tokens[:, 0])) / 2.0, dim=1).numpy()
    arrays = model.compute(tokens, ("probabilities", "novelty"))
    np.testing.assert_allclose(arrays["probabilities"], wanted, atol=1e-6)
    one = [model.compute(inputs().encode([text]), ("probabilities",))["probabilities"][0] for text in texts]
    np.testing.assert_allclose(np.stack(one), wanted, atol=1e-6)
    known = set(inputs().known.tolist())
    assert known
    np.testing.assert_allclose(arrays["novelty"][-1], 3 * 2 / 4, atol=1e-6)
    alone = Session(network_alone(graph(made, name)), source="x")
    (logits,) = alone.run(tokens, ("logits",))
    with torch.inference_mode():
        np.testing.assert_allclose(logits, made(torch.from_numpy(tokens[:, 0])).numpy(), atol=1e-5)
    answers = tellapart.load(tmp_path / "model.onnx").predict(texts)
    np.testing.assert_allclose(answers.probabilities, wanted, atol=1e-6)


def test_texts_beyond_the_window_are_told(tmp_path: Path) -> None:
    _, data = sealed("text_cnn")
    (tmp_path / "model.onnx").write_bytes(data)
    long = "a fine film " * 3 + "dull"
    found = tellapart.load(tmp_path / "model.onnx").predict(["a fine film", long, "a fine film " * 3])
    assert found.warnings == (
        "",
        "of its 10 words the first 8 alone are looked at",
        "of its 9 words the first 8 alone are looked at",
    )
    np.testing.assert_array_equal(found.probabilities[1], found.probabilities[2])
    record = read_manifest(tmp_path / "model.onnx").record
    assert record.decided(("x",))["counts"] == "the first 8 words, in their order"
    assert ANSWERINGS["text"].at_once == 128


def test_a_file_of_other_rows_is_refused() -> None:
    _, data = sealed("text_cnn")
    assert [one.name for one in onnx.load_from_string(data).graph.input] == ["tokens"]
    made = network("text_cnn")
    told = manifest(
        record=TextRecord(temperature=1.0, words=WordRecord(unit="words", window=9), grams=GramRecord(words=(1,)))
    )
    wrong = assemble_texts([graph(made, "text_cnn")], temperatures=[1.0], novelty_scale=1.0, classes=3, manifest=told)
    with pytest.raises(ModelFileError, match="a tellapart model of texts takes tokens"):
        open_bytes(wrong, source="made")
    with pytest.raises(ValueError, match="it looks at nothing of a text"):
        manifest(record=TextRecord(temperature=1.0))


def test_a_network_and_n_grams_answer_together() -> None:
    """Two parts, two vocabularies, one file: the mean of what each says."""
    rules = Rules(words=(1, 2), characters=(2, 3))
    known, frequency = learn_grams([clean(text) for text in TEXTS], rules)
    weight = np.random.default_rng(0).normal(size=(3, len(known.known))).astype(np.float32)
    bias = np.array([0.5, -1, 0], dtype=np.float32)
    network_part = network("text_cnn")
    counting = GramGraph(inputs=known, frequency=frequency, weight=weight, bias=bias)
    parts: list[TextGraph] = [counting, graph(network_part, "text_cnn")]
    grams = GramRecord(words=rules.words, characters=rules.characters)
    told = manifest(record=TextRecord(temperature=1.0, grams=grams, words=WordRecord(unit="words", window=WINDOW)))
    data = assemble_texts(parts, temperatures=[2.0, 1.0], novelty_scale=1.0, classes=3, manifest=told)
    model = open_bytes(data, source="both")
    tokens = as_input(TEXTS, model.inputs)
    assert tokens.shape[1] == 3
    found = model.compute(tokens, ("probabilities",))["probabilities"]
    counted = count_texts_in([clean(text) for text in TEXTS], known, frequency)
    first = softmax((counted.matrix @ weight.T + bias) / 2.0)
    with torch.inference_mode():
        second = torch.softmax(network_part(torch.from_numpy(inputs().encode(TEXTS)[:, 0])), dim=1).numpy()
    np.testing.assert_allclose(found, (first + second) / 2, atol=1e-5)
    assert told.record.decided(("x",))["counts"].endswith("; the mean with the first 8 words, in their order")


def test_what_the_network_knows_of_a_text_is_told(tmp_path: Path) -> None:
    made, data = sealed("text_cnn")
    (tmp_path / "model.onnx").write_bytes(data)
    model = tellapart.load(tmp_path / "model.onnx")
    found = model.embed([*TEXTS, ""])
    assert found.shape == (len(TEXTS) + 1, 8)
    assert np.isnan(found[-1]).all()
    weights = {key: value.numpy() for key, value in made.weights().items()}
    logits = found[:-1] @ weights["classifier.weight"].T + weights["classifier.bias"]
    np.testing.assert_allclose(softmax(logits / 2.0), model.predict(TEXTS).probabilities, atol=1e-6)
    assert model.embed([]).shape == (0, 0)
