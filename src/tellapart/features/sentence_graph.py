"""A network of sentences as part of another graph. In: SentenceNetwork. Out: nodes from numbers to vectors. Next: sentences.py.

tokens int32 [N, 1, L] -> as long as the longest text of them -> the network -> the vectors of the pieces, pooled -> [N, D].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import BackboneError, one_line
from tellapart.features.sentence_network import Pooling, SentenceNetwork
from tellapart.storage import storage_errors

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

OPSET = 17
_TAKES = ("input_ids", "attention_mask", "token_type_ids")
_LEAST = 1e-9  # of a length, and of a count of pieces


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbeddingNodes:
    """What embeds; every name begins with the part's own."""

    nodes: list[NodeProto]
    numbers: list[TensorProto]
    vectors: str  # float32 [N, D]
    opset: int
    opsets: Mapping[str, int]  # of other domains than ONNX's own


def embedding_nodes(network: SentenceNetwork, tokens: str, name: str) -> EmbeddingNodes:
    """From `tokens` int32 [N, 1, L] to vectors; names begin with `name`. Raises: BackboneError, StorageError."""
    import onnx
    from onnx import helper, numpy_helper

    model = _loaded(network)
    graph = model.graph
    output = _output(graph, network)
    numbers: dict[str, NDArray[Any]] = {
        "padding": np.array(network.inputs.padding, dtype=np.int32),
        "row": np.array([1], dtype=np.int64),
        "along": np.array([1], dtype=np.int64),
        "last": np.array([-1], dtype=np.int64),
        "zero": np.array([0], dtype=np.int64),
        "least": np.array(_LEAST, dtype=np.float32),
    }

    def node(operator: str, given: list[str], found: str, **attributes: Any) -> NodeProto:
        names = [one if one == tokens else f"{name}{one}" for one in given]
        return helper.make_node(operator, names, [f"{name}{found}"], **attributes)

    inner = f"{name}network."
    nodes = [
        node("Squeeze", [tokens, "row"], "filled"),
        node("Equal", ["filled", "padding"], "nothing"),
        node("Not", ["nothing"], "something"),
        node("Cast", ["something"], "each", to=onnx.TensorProto.INT64),
        node("ReduceSum", ["each", "along"], "counts", keepdims=0),
        node("ReduceMax", ["counts"], "longest_found", keepdims=1, **({} if _axes_given(model) else {"axes": [0]})),
        node("Max", ["longest_found", "row"], "longest"),
        node("Slice", ["filled", "zero", "longest", "along"], "ids"),
        node("Slice", ["each", "zero", "longest", "along"], "mask"),
        *_inputs(graph, node, inner),
        *_renamed(graph, inner, {one.name: f"{name}{_TAKES[_TAKES.index(one.name)]}" for one in graph.input}),
        node("Cast", [f"network.{output}"], "found", to=onnx.TensorProto.FLOAT),
        *_pooled(network.pooling, node),
        *_scaled(network.scaled, node),
    ]
    tensors = [numpy_helper.from_array(value, f"{name}{key}") for key, value in numbers.items()]
    for tensor in graph.initializer:
        tensor.name = f"{inner}{tensor.name}"
        tensors.append(tensor)
    return EmbeddingNodes(
        nodes=nodes,
        numbers=tensors,
        vectors=f"{name}vectors",
        opset=_opset(model),
        opsets={one.domain: one.version for one in model.opset_import if one.domain not in ("", "ai.onnx")},
    )


def _loaded(network: SentenceNetwork) -> ModelProto:
    """Its graph, of our operators' version or a later one. Raises: BackboneError, StorageError."""
    import onnx

    try:
        with storage_errors(network.model):
            model = onnx.load(network.model)
        if _opset(model) < OPSET:
            model = onnx.version_converter.convert_version(model, OPSET)
    # onnx and protobuf raise errors of their own for what is no graph, lacks its weights or cannot be converted.
    except Exception as error:
        raise BackboneError(
            f"{str(network.model)!r} cannot be read as ONNX ({one_line(error)}). Export the network again, with opset {OPSET}."
        ) from None
    if model.functions:
        raise BackboneError(
            f"{str(network.model)!r} holds functions of its own, which cannot stand in another graph. Export it without them."
        )
    return model


def _opset(model: ModelProto) -> int:
    found: int = max([0, *(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))])
    return found


def _axes_given(model: ModelProto) -> bool:
    """Whether reductions take their axes as an input: then, without it, they reduce all."""
    return _opset(model) >= 18


def _output(graph: GraphProto, network: SentenceNetwork) -> str:
    """The output that is looked at. Raises: BackboneError where inputs or outputs are not those of such a network."""
    takes = [one.name for one in graph.input]
    ranks: dict[str, int] = {str(one.name): len(one.type.tensor_type.shape.dim) for one in graph.output}
    wanted = 2 if network.pooling == "own" else 3
    fitting = [one for one, rank in ranks.items() if rank == wanted]
    if network.pooling == "own":
        fitting = [one for one in fitting if one == "sentence_embedding"]
    if "input_ids" not in takes or not set(takes) <= set(_TAKES) or not fitting:
        raise BackboneError(
            f"{str(network.model)!r} takes {', '.join(takes)} and gives {', '.join(ranks)}; a network of sentences takes "
            "input_ids, attention_mask and maybe token_type_ids, and gives a vector a piece or sentence_embedding. Export it so."
        )
    return next((one for one in fitting if one in ("last_hidden_state", "token_embeddings")), fitting[0])


def _inputs(graph: GraphProto, node: Any, inner: str) -> list[NodeProto]:
    """What the network takes, in the type in which it takes it."""
    found = []
    for one in graph.input:
        kind = one.type.tensor_type.elem_type
        if one.name == "token_type_ids":
            found += [node("Sub", ["mask", "mask"], "zeros"), node("Cast", ["zeros"], one.name, to=kind)]
        else:
            found.append(node("Cast", ["ids" if one.name == "input_ids" else "mask"], one.name, to=kind))
    return found


def _renamed(graph: GraphProto, inner: str, given: Mapping[str, str]) -> list[NodeProto]:
    """The network's nodes, whose names begin with `inner`; those of its inputs become those of `given`."""

    def rename(nodes: Any) -> None:
        for one in nodes:
            one.name = f"{inner}{one.name}" if one.name else ""
            one.input[:] = [given.get(name, f"{inner}{name}") if name else "" for name in one.input]
            one.output[:] = [f"{inner}{name}" if name else "" for name in one.output]
            for attribute in one.attribute:
                for sub in [attribute.g, *attribute.graphs] if attribute.type in (5, 10) else ():
                    rename(sub.node)
                    for value in (*sub.input, *sub.output, *sub.initializer):
                        value.name = f"{inner}{value.name}"

    rename(graph.node)
    return list(graph.node)


def _pooled(pooling: Pooling, node: Any) -> list[NodeProto]:
    """From `found` to `pooled` [N, D]."""
    if pooling == "own":
        return [node("Identity", ["found"], "pooled")]
    if pooling == "first":
        return [
            node("Slice", ["found", "zero", "row", "along"], "first"),
            node("Squeeze", ["first", "along"], "pooled"),
        ]
    return [
        node("Cast", ["mask"], "weights_each", to=1),
        node("Unsqueeze", ["weights_each", "last"], "weights"),
        node("Mul", ["found", "weights"], "weighed"),
        node("ReduceSum", ["weighed", "along"], "summed", keepdims=0),
        node("ReduceSum", ["weights", "along"], "pieces_each", keepdims=0),
        node("Max", ["pieces_each", "least"], "pieces_some"),
        node("Div", ["summed", "pieces_some"], "pooled"),
    ]


def _scaled(scaled: bool, node: Any) -> list[NodeProto]:
    """From `pooled` to `vectors`, of length 1 where that is wanted."""
    if not scaled:
        return [node("Identity", ["pooled"], "vectors")]
    return [
        node("Mul", ["pooled", "pooled"], "squares"),
        node("ReduceSum", ["squares", "along"], "squared", keepdims=1),
        node("Sqrt", ["squared"], "length_found"),
        node("Max", ["length_found", "least"], "length"),
        node("Div", ["pooled", "length"], "vectors"),
    ]
