"""Classifiers of texts as model.onnx. In: TextGraphs, manifest. Out: bytes. Next: parity.py.

tokens int32 [N, H, L], the rows of each part -> its own logits; of several parts the mean of their probabilities, and its logarithm
-> `logits` -> the record's calibration -> `probabilities`. `novelty` is that of the first part, times a scale. `embedding` [N, D]
is what the networks among the parts know of a text, side by side; of n-grams alone there is none.
Shapes: K classes; part p has rows [N, H_p, L].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.export.assemble import calibration, sealed
from tellapart.texts.inputs import TextPart

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

OPSET = 17
EMBEDDING = "embedding"
LEAST_PROBABILITY = 1e-12  # of a mean, before its logarithm


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WrittenPart:
    """Nodes and numbers of a part; every name in them begins with the part's own, which may be empty."""

    nodes: Sequence[NodeProto]
    parameters: Mapping[str, NDArray[Any]]
    logits: str  # float32 [N, K]; the name, and "logits"
    novelty: str  # float32 [N], before the scale; not "novelty" itself
    opsets: Mapping[str, int] = field(default_factory=dict)  # of other domains than ONNX's own, by domain
    opset: int = OPSET
    tensors: Sequence[TensorProto] = ()  # more numbers, as another file has them
    embedding: str = ""  # float32 [N, D], what a network knows of a text; "" of a part that is none


class TextGraph(Protocol):
    """A classifier of texts as a part of a graph."""

    @property
    def inputs(self) -> TextPart:
        """How it takes texts."""
        ...

    @property
    def known(self) -> Mapping[str, NDArray[Any]]:
        """What the file must give for that, as outputs by name: its vocabulary."""
        ...

    def write(self, tokens: str, name: str) -> WrittenPart:
        """From its rows of `tokens` [N, H_p, L] to logits; names begin with `name`."""
        ...


def assemble_texts(
    graphs: Sequence[TextGraph],
    *,
    temperatures: Sequence[float],
    novelty_scale: float,
    classes: int,
    manifest: Manifest,
) -> bytes:
    """The bytes of model.onnx; of several `graphs` each one's logits are divided by its temperature before the mean."""
    from onnx import TensorProto, helper, numpy_helper

    numbers, ending = calibration(manifest.record, part="classifier", last="probabilities")
    parameters: dict[str, NDArray[Any]] = {"novelty_scale": np.array(novelty_scale, dtype=np.float32), **numbers}
    nodes: list[NodeProto] = []
    opset, opsets, parts = OPSET, dict[str, int](), list[WrittenPart]()
    for place, rows in enumerate(_rows(graphs, nodes, parameters)):
        part = graphs[place].write(rows, _name(place, graphs))
        nodes += part.nodes
        parameters |= part.parameters
        opset = max(opset, part.opset)
        opsets |= part.opsets
        parts.append(part)
    nodes += [
        *_joined([part.logits for part in parts], temperatures, parameters),
        *ending,
        helper.make_node("Mul", [parts[0].novelty, "novelty_scale"], ["novelty"]),
    ]
    vectors = [part.embedding for part in parts if part.embedding]
    nodes += [] if vectors in ([], [EMBEDDING]) else [helper.make_node("Concat", vectors, [EMBEDDING], axis=1)]
    known = {name: value for one in graphs for name, value in one.known.items()}
    nodes += [helper.make_node("Identity", [f"known.{name}"], [name]) for name in known]
    parameters |= {f"known.{name}": value for name, value in known.items()}
    height = sum(one.inputs.height for one in graphs)
    graph = helper.make_graph(
        nodes,
        "tellapart",
        [helper.make_tensor_value_info("tokens", TensorProto.INT32, ["N", height, "L"])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes]),
            helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["N"]),
            *([helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["N", "D"])] if vectors else []),
            *(
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), list(value.shape))
                for name, value in known.items()
            ),
        ],
        [
            *(numpy_helper.from_array(value, name) for name, value in parameters.items()),
            *(tensor for part in parts for tensor in part.tensors),
        ],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(*one) for one in opsets.items())]
    return sealed(helper.make_model(graph, opset_imports=imports, ir_version=8), manifest)


def _name(place: int, graphs: Sequence[TextGraph]) -> str:
    """How the names of a part begin; nothing where it is the only one."""
    return f"part{place}." if len(graphs) > 1 else ""


def _rows(graphs: Sequence[TextGraph], nodes: list[NodeProto], parameters: dict[str, NDArray[Any]]) -> list[str]:
    """The names of each part's own rows of `tokens`."""
    from onnx import helper

    if len(graphs) == 1:
        return ["tokens"]
    names = [f"part{place}.tokens" for place in range(len(graphs))]
    parameters["heights"] = np.array([one.inputs.height for one in graphs], dtype=np.int64)
    nodes.append(helper.make_node("Split", ["tokens", "heights"], names, axis=1))
    return names


def _joined(
    logits: Sequence[str], temperatures: Sequence[float], parameters: dict[str, NDArray[Any]]
) -> list[NodeProto]:
    """From the logits of the parts to `logits`: their own, or the logarithm of the mean of their probabilities."""
    from onnx import helper

    if len(logits) == 1:
        return []  # they are called so
    nodes, names = [], []
    for place, (name, temperature) in enumerate(zip(logits, temperatures, strict=True)):
        own = f"part{place}."
        parameters[f"{own}temperature"] = np.array(temperature, dtype=np.float32)
        nodes += [
            helper.make_node("Div", [name, f"{own}temperature"], [f"{own}softened"]),
            helper.make_node("Softmax", [f"{own}softened"], [f"{own}probabilities"], axis=1),
        ]
        names.append(f"{own}probabilities")
    parameters["least_probability"] = np.array(LEAST_PROBABILITY, dtype=np.float32)
    return [
        *nodes,
        helper.make_node("Mean", names, ["mean"]),
        helper.make_node("Max", ["mean", "least_probability"], ["mean_above"]),
        helper.make_node("Log", ["mean_above"], ["logits"]),
    ]
