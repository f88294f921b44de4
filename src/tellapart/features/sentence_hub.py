"""A network of sentences from the Hugging Face hub. In: its name there. Out: a folder. Next: sentence_network.py."""

from __future__ import annotations

from pathlib import Path

from tellapart.errors import BackboneUnavailable, MissingExtra, one_line
from tellapart.models.hub import hub_client

# What is fetched: the network, how texts become numbers, how vectors become one. No code, and no pickle.
FILES = (
    "model.onnx",
    "onnx/model.onnx",
    "tokenizer.json",
    "vocab.txt",
    "tokenizer_config.json",
    "config.json",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
)


def fetch(name: str) -> Path:
    """The folder of the hub's own cache that holds `name`, downloaded where it is not there.

    Raises: BackboneUnavailable where it is neither there nor to be had; MissingExtra.
    """
    try:
        import huggingface_hub
    except ModuleNotFoundError:
        raise MissingExtra("train --embeddings", "train", "huggingface_hub") from None
    try:
        with hub_client():
            return Path(huggingface_hub.snapshot_download(name, allow_patterns=list(FILES)))
    # The hub's client and the network library below it each raise errors of their own here.
    except Exception as error:
        raise BackboneUnavailable(
            f"the sentence network {name!r} cannot be downloaded ({one_line(error, most=160)}). Connect to the network, check the "
            "name, or give a folder with model.onnx and tokenizer.json: --embeddings FOLDER."
        ) from None
