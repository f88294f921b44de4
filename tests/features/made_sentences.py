"""A folder with a tiny network of sentences. In: words, a vector each. Out: model.onnx, tokenizer.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def write_network(
    folder: Path, words: Mapping[str, Sequence[float]], *, output: str = "last_hidden_state", opset: int = 17
) -> NDArray[np.float32]:
    """The vector of a piece is the word's, plus its place in the text times the last number; the table [V, D]."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    length = len(next(iter(words.values())))
    table = np.array([*([[0.0] * length] * 4), *words.values()], dtype=np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["pieces"], axis=0),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["token_type_ids"], ["kinds"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["mask", "kinds"], ["both"]),
        helper.make_node("Unsqueeze", ["both", "last"], ["wide"]),
        helper.make_node("Mul", ["pieces", "wide"], ["looked_at"]),
    ]
    shape: list[str | int] = ["batch", "sequence", length]
    if output == "sentence_embedding":
        nodes.append(helper.make_node("ReduceSum", ["looked_at", "along"], [output], keepdims=0))
        shape = ["batch", length]
    else:
        nodes.append(helper.make_node("Identity", ["looked_at"], [output]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
            for name in ("input_ids", "attention_mask", "token_type_ids")
        ],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.array([-1], dtype=np.int64), "last"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "along"),
        ],
    )
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), folder / "model.onnx"
    )
    write_tokenizer(folder, list(words))
    return table


def write_tokenizer(folder: Path, words: Sequence[str], **change: object) -> None:
    """As the library tokenizers writes it."""
    found = {
        "normalizer": {
            "type": "BertNormalizer",
            "lowercase": True,
            "strip_accents": None,
            "handle_chinese_chars": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {"type": "WordPiece", "vocab": {word: place for place, word in enumerate([*SPECIAL, *words])}},
        **change,
    }
    (folder / "tokenizer.json").write_text(json.dumps(found), encoding="utf-8")
