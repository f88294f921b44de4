"""A network of words as a part of model.onnx. In: its weights, WordInputs. Out: WordGraph. Next: texts.py.

Its row of tokens, int32 [N, 1, L] -> a row of a table each -> the network -> linear layer -> logits; the share of words that are
not known becomes the novelty. `words` are the numbers of the known words, whatever goes in.
Shapes: F known words, K classes, D numbers of a word in all channels, C filters, E features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.export.texts import OPSET, WrittenPart
from tellapart.texts.sequences import WordInputs

if TYPE_CHECKING:
    from onnx import NodeProto

_END = np.iinfo(np.int64).max
Weights = Mapping[str, NDArray[np.float32]]
NetworkName = Literal["text_cnn", "dpcnn"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WordGraph:
    """A TextGraph."""

    inputs: WordInputs
    network: NetworkName
    # `table` [F + 2, D], `classifier.weight` [K, E] and `.bias` [K]; of text_cnn `convolution.0.weight` [C, D, width], `.bias` [C],
    # and so on; of dpcnn `region.weight` [C, D, 3] and `block.0.0.weight` [C, C, 3], each with its `.bias`.
    weights: Weights

    @property
    def known(self) -> Mapping[str, NDArray[Any]]:
        """The numbers of the words, int64 [F]."""
        return {"words": self.inputs.known.view(np.int64)}

    def write(self, tokens: str, name: str) -> WrittenPart:
        """See TextGraph."""
        writing = _Writing(tokens, name, self.weights)
        count = len(self.inputs.known)
        writing.numbers |= {
            "nothing": np.array(count, dtype=np.int32),
            "unknown": np.array(count + 1, dtype=np.int32),
            "one": np.array(1, dtype=np.float32),
            "channel": np.array([1], dtype=np.int64),
        }
        writing.begin()
        (_text_cnn if self.network == "text_cnn" else _dpcnn)(writing)
        writing.add("Gemm", ["embedding", "classifier.weight", "classifier.bias"], "logits", transB=1)
        writing.tell_unknown()
        return WrittenPart(
            nodes=writing.nodes,
            parameters={f"{name}{key}": np.ascontiguousarray(value) for key, value in writing.numbers.items()},
            logits=f"{name}logits",
            novelty=f"{name}unknown_share",
            embedding=f"{name}embedding",
            opsets={},
        )


class _Writing:
    """Nodes and numbers under a name."""

    def __init__(self, tokens: str, name: str, weights: Weights) -> None:
        self._tokens, self._name = tokens, name
        self.weights = weights
        self.numbers: dict[str, NDArray[Any]] = dict(weights)
        self.nodes: list[NodeProto] = []

    def add(self, operator: str, given: list[str], found: str, **attributes: Any) -> str:
        """A node; the name of what it gives."""
        from onnx import helper

        names = [one if one == self._tokens else f"{self._name}{one}" for one in given]
        self.nodes.append(helper.make_node(operator, names, [f"{self._name}{found}"], **attributes))
        return found

    def convolve(self, layer: str, given: str, padding: int) -> str:
        """A convolution over words."""
        return self.add("Conv", [given, f"{layer}.weight", f"{layer}.bias"], f"{layer}.map", pads=[padding, padding])

    def begin(self) -> None:
        """`given` [N, D, L], the vectors, and `there` [N, 1, L], 1 where a word is."""
        from onnx import TensorProto

        self.add("Squeeze", [self._tokens, "channel"], "numbers")
        self.add("Gather", ["table", "numbers"], "vectors", axis=0)
        self.add("Transpose", ["vectors"], "given", perm=[0, 2, 1])
        self.add("Equal", ["numbers", "nothing"], "is_nothing")
        self.add("Not", ["is_nothing"], "is_there")
        self.add("Cast", ["is_there"], "there_each", to=TensorProto.FLOAT)
        self.add("Unsqueeze", ["there_each", "channel"], "there")

    def tell_unknown(self) -> None:
        """`unknown_share` [N], of the words of a text."""
        from onnx import TensorProto

        self.add("ReduceSum", ["there_each", "channel"], "count", keepdims=0)
        self.add("Max", ["count", "one"], "count_above")
        self.add("Equal", ["numbers", "unknown"], "is_unknown")
        self.add("Cast", ["is_unknown"], "unknown_each", to=TensorProto.FLOAT)
        self.add("ReduceSum", ["unknown_each", "channel"], "unknown_count", keepdims=0)
        self.add("Div", ["unknown_count", "count_above"], "unknown_share")


def _text_cnn(writing: _Writing) -> None:
    """From `given` [N, D, L] to `embedding` [N, E]; nothing on both sides, as wide as the filter."""
    found: list[str] = []
    while (layer := f"convolution.{len(found)}") + ".weight" in writing.weights:
        answers = writing.convolve(layer, "given", writing.weights[f"{layer}.weight"].shape[2])
        found.append(writing.add("ReduceMax", [answers], f"{layer}.largest", axes=[2], keepdims=0))
    writing.add("Concat", found, "joined", axis=1)
    writing.add("Relu", ["joined"], "embedding")


def _dpcnn(writing: _Writing) -> None:
    """The same of a deep pyramid, whose maps are 0 behind the end of a text."""
    writing.numbers |= {
        "behind": np.array([0, 0, 0, 0, 0, 2], dtype=np.int64),
        "first": np.array([0], dtype=np.int64),
        "last": np.array([_END], dtype=np.int64),
        "along": np.array([2], dtype=np.int64),
    }
    now, there, place = (
        writing.add("Mul", [writing.convolve("region", "given", 1), "there"], "region.there"),
        "there",
        0,
    )
    while (block := f"block.{place}") + ".0.weight" in writing.weights:
        if place:
            padded = writing.add("Pad", [now, "behind"], f"{block}.padded")
            now = writing.add("MaxPool", [padded], f"{block}.pooled", kernel_shape=[3], strides=[2])
            there = writing.add("Slice", [there, "first", "last", "along", "along"], f"{block}.there")
        deeper = now
        for layer in (f"{block}.0", f"{block}.1"):
            above = writing.add("Relu", [deeper], f"{layer}.above")
            deeper = writing.add("Mul", [writing.convolve(layer, above, 1), there], f"{layer}.masked")
        now, place = writing.add("Add", [now, deeper], f"{block}.sum"), place + 1
    writing.add("ReduceMax", [now], "largest", axes=[2], keepdims=0)
    writing.add("Relu", ["largest"], "embedding")


def network_alone(graph: WordGraph) -> bytes:
    """The part without a manifest: ONNX from `tokens` [N, 1, L] to `logits` [N, K]."""
    from onnx import TensorProto, helper, numpy_helper

    part = graph.write("tokens", "")
    classes = len(graph.weights["classifier.bias"])
    whole = helper.make_graph(
        list(part.nodes),
        "tellapart",
        [helper.make_tensor_value_info("tokens", TensorProto.INT32, ["N", 1, "L"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(value, name) for name, value in part.parameters.items()],
    )
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data
