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
from tellapart.export.sequences import assemble_sequence, network_alone
from tellapart.records import GramRecord, TextRecord
from tellapart.runtime import Session
from tellapart.tasks.text.networks.making import make_network
from tellapart.tasks.text.networks.plan import NAMES, NetworkPlan
from tellapart.texts.sequences import WORDS, as_sequence, learn_words
from tellapart.texts.vocabulary import TextInputs
from tests.export.test_ngrams import manifest

TEXTS = ["a fine film", "a film so dull, so dull", "fine weather", "a dull day of fine rain, so dull", "a film"]
WINDOW = 8


def inputs() -> TextInputs:
    return TextInputs(rules=WORDS, known=learn_words(TEXTS, WORDS, most=100), window=WINDOW)


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


def sealed(name: Any, **given: Any) -> tuple[nn.Module, bytes]:
    made = network(name, **given)
    weights = {key: value.numpy() for key, value in made.weights().items()}
    record = TextRecord(temperature=2.0, grams=GramRecord(words=(1,), window=WINDOW))
    told = manifest(record=record, strategy="scratch")
    return made, assemble_sequence(weights, inputs(), network=name, novelty_scale=3.0, manifest=told)


@pytest.mark.parametrize(("name", "channels"), [*((name, "random") for name in NAMES), ("text_cnn", "both")])
def test_the_file_says_what_torch_says(name: str, channels: str, tmp_path: Path) -> None:
    made, data = sealed(name, channels=channels)
    (tmp_path / "model.onnx").write_bytes(data)
    model = open_bytes(data, source="made")
    assert model.inputs.window == WINDOW
    np.testing.assert_array_equal(model.inputs.known, inputs().known)
    texts = [*TEXTS, "so", "zzz qqq a film"]
    tokens = as_sequence(texts, inputs())
    with torch.inference_mode():
        wanted = torch.softmax(made(torch.from_numpy(tokens[:, 0])) / 2.0, dim=1).numpy()
    arrays = model.compute(tokens, ("probabilities", "novelty"))
    np.testing.assert_allclose(arrays["probabilities"], wanted, atol=1e-6)
    one = [model.compute(as_sequence([text], inputs()), ("probabilities",))["probabilities"][0] for text in texts]
    np.testing.assert_allclose(np.stack(one), wanted, atol=1e-6)
    known = set(inputs().known.tolist())
    assert known
    np.testing.assert_allclose(arrays["novelty"][-1], 3 * 2 / 4, atol=1e-6)
    alone = Session(
        network_alone({k: v.numpy() for k, v in made.weights().items()}, known=len(known), network=name), source="x"
    )
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
    assert record.decided(("x",))["reads"] == "the first 8 words, in their order"
    assert ANSWERINGS["text"].at_once == 128


def test_a_file_without_its_input_is_refused() -> None:
    _, data = sealed("text_cnn")
    model = onnx.load_from_string(data)
    assert [one.name for one in model.graph.input] == ["tokens"]
    words_and_characters = TextRecord(temperature=1.0, grams=GramRecord(words=(1, 2), characters=(2,)))
    wrong = assemble_sequence(
        {key: value.numpy() for key, value in network("text_cnn").weights().items()},
        inputs(),
        network="text_cnn",
        novelty_scale=1.0,
        manifest=manifest(record=words_and_characters),
    )
    with pytest.raises(ModelFileError, match=r"a tellapart model of texts takes tokens \[N, 2, L\]"):
        open_bytes(wrong, source="made")


def test_only_single_words_have_an_order() -> None:
    with pytest.raises(ValueError, match="single words or single characters are read in their order"):
        GramRecord(words=(1, 2), window=9)
    assert "window" not in GramRecord(words=(1, 2)).model_dump()
