"""Networks of sentences in folders. In: made folders. Out: how texts become vectors; what a folder lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tellapart.errors import BackboneError, BackboneUnavailable, SettingsError
from tellapart.features.sentence_network import open_sentence_network
from tests.features.made_sentences import SPECIAL, write_network, write_tokenizer

WORDS = {"a": [1.0, 0.0], "##b": [0.0, 1.0]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_network(tmp_path / "tiny", WORDS)
    return tmp_path / "tiny"


def test_a_folder_says_how_its_network_is_used(folder: Path) -> None:
    network = open_sentence_network(str(folder))
    assert (network.name, network.pooling, network.scaled) == ("tiny", "mean", True)
    own = network.inputs
    assert (own.first, own.last, own.unknown, own.padding, own.most, own.lowercase, own.unmarked) == (
        2,
        3,
        1,
        0,
        256,
        True,
        True,
    )
    before = network.fingerprint
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64}))
    (folder / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Transformer"}]))
    other = open_sentence_network(str(folder))
    assert (other.pooling, other.scaled, other.inputs.most) == ("first", False, 64)
    assert other.fingerprint != before
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 32}))
    assert open_sentence_network(str(folder)).inputs.most == 32


def test_a_vocabulary_alone_does(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL, "a", "##b", "É"]) + "\n", encoding="utf-8")
    own = open_sentence_network(str(folder)).inputs
    assert own.pieces["É"] == 6
    assert (own.lowercase, own.unmarked) == (True, True)
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    own = open_sentence_network(str(folder)).inputs
    assert (own.lowercase, own.unmarked) == (False, False)


def test_the_network_may_lie_a_folder_deeper(folder: Path) -> None:
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "model_quantized.onnx")
    assert open_sentence_network(str(folder)).model.name == "model_quantized.onnx"
    (folder / "onnx" / "other.onnx").write_bytes(b"")
    with pytest.raises(BackboneError, match=r"holds 2 files of ONNX, none called model.onnx. Put the network there"):
        open_sentence_network(str(folder))


def test_what_is_no_folder_and_no_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for named in (str(tmp_path / "file"), "no such/name/there", "../x"):
        with pytest.raises(
            SettingsError, match="which is no folder and no name on the Hugging Face hub. Give a folder"
        ):
            open_sentence_network(named)


def test_a_name_is_asked_of_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        BackboneUnavailable, match=r"'nobody/nothing-here' cannot be downloaded \(.*--embeddings FOLDER"
    ):
        open_sentence_network("nobody/nothing-here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"type": "Unigram"}}, "cuts texts by Unigram, and only word pieces as BERT has them"),
        ({"normalizer": None}, "cuts texts by WordPiece, and only"),
        ({"model": {"type": "WordPiece", "vocab": {"a": 0}}}, r"lacks \[CLS\], and is none of BERT's kind"),
        (
            {"model": {"type": "WordPiece", "vocab": {"[CLS]": 0, "[SEP]": 1, "[UNK]": 2, "[PAD]": 9}}},
            "has numbers that are not 0, 1, 2 and so on, each once",
        ),
    ],
)
def test_other_ways_to_cut_texts_are_refused(folder: Path, change: dict[str, object], message: str) -> None:
    write_tokenizer(folder, ["a"], **change)
    with pytest.raises(BackboneError, match=message):
        open_sentence_network(str(folder))


def test_what_a_folder_lacks_is_told(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(BackboneError, match=r"tokenizer.json' is no JSON: .* Fetch it again"):
        open_sentence_network(str(folder))
    (folder / "tokenizer.json").write_text("[]")
    with pytest.raises(BackboneError, match=r"tokenizer.json' holds no dict. Fetch it again"):
        open_sentence_network(str(folder))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BackboneError, match=r"holds neither tokenizer.json nor vocab.txt"):
        open_sentence_network(str(folder))
    (folder / "model.onnx").unlink()
    with pytest.raises(BackboneError, match=r"holds no files of ONNX"):
        open_sentence_network(str(folder))


def test_another_way_to_pool_is_refused(folder: Path) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(
        BackboneError, match="pools by pooling_mode_max_tokens, and the mean or the first vector are known"
    ):
        open_sentence_network(str(folder))
