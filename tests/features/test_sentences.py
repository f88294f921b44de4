"""Texts to vectors by a made network. In: texts. Out: the same by hand, each text once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.errors import BackboneError
from tellapart.features.cache import Cache
from tellapart.features.sentence_network import open_sentence_network
from tellapart.features.sentences import SentenceEmbedder
from tests.features.made_sentences import write_network

WORDS = {"sun": [3.0, 0.0, 1.0], "rain": [0.0, 2.0, 1.0], "##y": [0.0, 0.0, 5.0]}


def embedder(folder: Path, tmp_path: Path) -> SentenceEmbedder:
    return SentenceEmbedder(open_sentence_network(str(folder)), Cache(tmp_path / "cache", limit_bytes=10**8))


def by_hand(text: str, *, scaled: bool = True, mean: bool = True) -> list[float]:
    """Of words that are whole: [CLS] and [SEP] are zeros and count in the mean."""
    rows = np.array([[0.0] * 3, *(WORDS[word] for word in text.split()), [0.0] * 3])
    found = rows.mean(axis=0) if mean else rows.sum(axis=0)
    return list(found / max(1e-9, float(np.linalg.norm(found))) if scaled else found)


@pytest.mark.parametrize("opset", [13, 17, 20])
def test_vectors_are_means_of_pieces_whatever_stands_beside(tmp_path: Path, opset: int) -> None:
    write_network(tmp_path / "tiny", WORDS, opset=opset)
    texts = ["sun", "rain rain sun", "sun sun sun sun rain", "sun"]
    found = embedder(tmp_path / "tiny", tmp_path).embed(texts)
    np.testing.assert_allclose(found, [by_hand(text) for text in texts], atol=1e-6)
    assert embedder(tmp_path / "tiny", tmp_path).embed(["", "nothing"]).tolist() == [[0.0] * 3] * 2


def test_each_text_is_computed_once(tmp_path: Path) -> None:
    write_network(tmp_path / "tiny", WORDS)
    first, told = embedder(tmp_path / "tiny", tmp_path), list[int]()
    vectors = first.embed(["sun", "rain", "sun"], told.append)
    assert first.computed == 2
    assert sum(told) == 2
    again = embedder(tmp_path / "tiny", tmp_path)
    np.testing.assert_array_equal(again.embed(["rain", "sun"]), vectors[[1, 0]])
    assert again.computed == 0


def test_a_network_may_give_one_vector_itself(tmp_path: Path) -> None:
    write_network(tmp_path / "tiny", WORDS, output="sentence_embedding")
    (tmp_path / "tiny" / "modules.json").write_text('[{"type": "Transformer"}]')
    found = embedder(tmp_path / "tiny", tmp_path).embed(["sun rain"])
    np.testing.assert_allclose(found, [by_hand("sun rain", scaled=False, mean=False)], atol=1e-6)


def test_the_first_vector_may_be_the_one(tmp_path: Path) -> None:
    write_network(tmp_path / "tiny", WORDS)
    (tmp_path / "tiny" / "1_Pooling").mkdir()
    (tmp_path / "tiny" / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    assert embedder(tmp_path / "tiny", tmp_path).embed(["sun rain"]).tolist() == [[0.0] * 3]


def test_what_is_no_such_network_is_refused(tmp_path: Path) -> None:
    write_network(tmp_path / "tiny", WORDS, output="hidden")
    found = embedder(tmp_path / "tiny", tmp_path).embed(["sun"])
    assert found.shape == (1, 3), "whatever its vectors are called"
    import onnx

    model = onnx.load(tmp_path / "tiny" / "model.onnx")
    for one in model.graph.input:
        if one.name == "token_type_ids":
            one.name = "kinds_of_tokens"
    onnx.save(model, tmp_path / "tiny" / "model.onnx")
    with pytest.raises(
        BackboneError, match="takes input_ids, attention_mask, kinds_of_tokens and gives hidden; a network of"
    ):
        embedder(tmp_path / "tiny", tmp_path).embed(["rain"])
    damaged = embedder(tmp_path / "tiny", tmp_path)
    (tmp_path / "tiny" / "model.onnx").write_bytes(b"\xff\xff")
    with pytest.raises(BackboneError, match="cannot be read as ONNX"):
        damaged.embed(["rain rain"])
