"""A network of texts as model.onnx. In: its weights, TextInputs, manifest. Out: bytes. Next: parity.py.

tokens int32 [N, 1, L] -> a row of a table each -> the network -> `embedding` -> linear layer -> `logits` -> `probabilities`.
`novelty` is the share of words that are not known, scaled; `vocabulary` are the numbers of the known words, whatever goes in.
Shapes: F known words, K classes, D numbers of a word in all channels, E numbers of the embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.export.assemble import calibration, sealed
from tellapart.texts.vocabulary import TextInputs

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, ValueInfoProto

_OPSET = 17
_END = np.iinfo(np.int64).max
Weights = Mapping[str, NDArray[np.float32]]
NetworkName = Literal["text_cnn", "dpcnn"]


def assemble_sequence(
    weights: Weights, inputs: TextInputs, *, network: NetworkName, novelty_scale: float, manifest: Manifest
) -> bytes:
    """The bytes of model.onnx. `weights` by name: `table` [F + 2, D], `classifier.weight` [K, E] and `.bias` [K], and

    of text_cnn `convolution.0.weight` [C, D, width], `.bias` [C], and so on; of dpcnn `region.weight` [C, D, 3] and
    `block.0.0.weight` [C, C, 3], each with its `.bias`. A text is its words; behind it row F stands as often as needed.
    """
    from onnx import TensorProto, helper

    count, classes = len(inputs.known), len(weights["classifier.bias"])
    numbers, ending = calibration(manifest.record, part="classifier", last="probabilities")
    nodes, parameters = _to_logits(weights, count, network)
    parameters |= {
        "known": inputs.known.view(np.int64),
        "novelty_scale": np.array(novelty_scale, dtype=np.float32),
        **numbers,
    }
    nodes += [*ending, *_novelty(), helper.make_node("Identity", ["known"], ["vocabulary"])]
    outputs = [
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", weights["classifier.weight"].shape[1]]),
        helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["N"]),
        helper.make_tensor_value_info("vocabulary", TensorProto.INT64, [count]),
    ]
    return sealed(_model(nodes, outputs, parameters), manifest)


def network_alone(weights: Weights, *, known: int, network: NetworkName) -> bytes:
    """The same without a manifest, for `known` words: from tokens to `logits`."""
    from onnx import TensorProto, helper

    nodes, parameters = _to_logits(weights, known, network)
    classes = len(weights["classifier.bias"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])
    data: bytes = _model(nodes, [logits], parameters).SerializeToString()
    return data


def _model(nodes: list[NodeProto], outputs: list[ValueInfoProto], parameters: Mapping[str, NDArray[Any]]) -> ModelProto:
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        nodes,
        "tellapart",
        [helper.make_tensor_value_info("tokens", TensorProto.INT32, ["N", 1, "L"])],
        outputs,
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in parameters.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)


def _to_logits(weights: Weights, known: int, network: NetworkName) -> tuple[list[NodeProto], dict[str, NDArray[Any]]]:
    """Nodes from tokens to `logits`, with `there` [N, 1, L], 1 where a word is; and their parameters."""
    from onnx import TensorProto, helper

    parameters: dict[str, NDArray[Any]] = {
        **weights,
        "nothing": np.array(known, dtype=np.int32),
        "unknown": np.array(known + 1, dtype=np.int32),
        "one": np.array(1, dtype=np.float32),
        "channel": np.array([1], dtype=np.int64),
    }
    body = _text_cnn(weights) if network == "text_cnn" else _dpcnn(weights, parameters)
    nodes = [
        helper.make_node("Squeeze", ["tokens", "channel"], ["numbers"]),
        helper.make_node("Gather", ["table", "numbers"], ["vectors"], axis=0),
        helper.make_node("Transpose", ["vectors"], ["given"], perm=[0, 2, 1]),
        helper.make_node("Equal", ["numbers", "nothing"], ["is_nothing"]),
        helper.make_node("Not", ["is_nothing"], ["is_word"]),
        helper.make_node("Cast", ["is_word"], ["words"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["words", "channel"], ["there"]),
        *body,
        helper.make_node("Gemm", ["embedding", "classifier.weight", "classifier.bias"], ["logits"], transB=1),
    ]
    return nodes, parameters


def _novelty() -> list[NodeProto]:
    """`novelty` [N]: the share of the words that are not known, scaled."""
    from onnx import TensorProto, helper

    return [
        helper.make_node("ReduceSum", ["words", "channel"], ["count"], keepdims=0),
        helper.make_node("Max", ["count", "one"], ["count_above"]),
        helper.make_node("Equal", ["numbers", "unknown"], ["is_unknown"]),
        helper.make_node("Cast", ["is_unknown"], ["unknown_words"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["unknown_words", "channel"], ["unknown_count"], keepdims=0),
        helper.make_node("Div", ["unknown_count", "count_above"], ["unknown_share"]),
        helper.make_node("Mul", ["unknown_share", "novelty_scale"], ["novelty"]),
    ]


def _text_cnn(weights: Weights) -> list[NodeProto]:
    """From `given` [N, D, L] to `embedding` [N, E]; nothing on both sides, as wide as the filter."""
    from onnx import helper

    nodes: list[NodeProto] = []
    found: list[str] = []
    while (name := f"convolution.{len(found)}") + ".weight" in weights:
        width = weights[f"{name}.weight"].shape[2]
        nodes += [
            _convolution(name, "given", f"{name}.map", width),
            helper.make_node("ReduceMax", [f"{name}.map"], [f"{name}.largest"], axes=[2], keepdims=0),
        ]
        found.append(f"{name}.largest")
    nodes.append(helper.make_node("Concat", found, ["joined"], axis=1))
    return [*nodes, helper.make_node("Relu", ["joined"], ["embedding"])]


def _dpcnn(weights: Weights, parameters: dict[str, NDArray[Any]]) -> list[NodeProto]:
    """The same of a deep pyramid, whose maps are 0 behind the end of a text."""
    from onnx import helper

    parameters |= {
        "behind": np.array([0, 0, 0, 0, 0, 2], dtype=np.int64),
        "first": np.array([0], dtype=np.int64),
        "last": np.array([_END], dtype=np.int64),
        "along": np.array([2], dtype=np.int64),
    }
    nodes = [
        _convolution("region", "given", "region.map", 1),
        helper.make_node("Mul", ["region.map", "there"], ["region.there"]),
    ]
    now, there, place = "region.there", "there", 0
    while f"block.{place}.0.weight" in weights:
        block = f"block.{place}"
        if place:
            nodes += [
                helper.make_node("Pad", [now, "behind"], [f"{block}.padded"]),
                helper.make_node("MaxPool", [f"{block}.padded"], [f"{block}.pooled"], kernel_shape=[3], strides=[2]),
                helper.make_node("Slice", [there, "first", "last", "along", "along"], [f"{block}.there"]),
            ]
            now, there = f"{block}.pooled", f"{block}.there"
        deeper = now
        for inner in range(2):
            name = f"{block}.{inner}"
            nodes += [
                helper.make_node("Relu", [deeper], [f"{name}.above"]),
                _convolution(name, f"{name}.above", f"{name}.map", 1),
                helper.make_node("Mul", [f"{name}.map", there], [f"{name}.masked"]),
            ]
            deeper = f"{name}.masked"
        nodes.append(helper.make_node("Add", [now, deeper], [f"{block}.sum"]))
        now, place = f"{block}.sum", place + 1
    nodes.append(helper.make_node("ReduceMax", [now], ["largest"], axes=[2], keepdims=0))
    return [*nodes, helper.make_node("Relu", ["largest"], ["embedding"])]


def _convolution(name: str, given: str, made: str, padding: int) -> NodeProto:
    from onnx import helper

    return helper.make_node("Conv", [given, f"{name}.weight", f"{name}.bias"], [made], pads=[padding, padding])
