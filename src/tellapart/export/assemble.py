"""Backbone, classifier and manifest become one file. In: ReadyBackbone's ONNX, a Probe's arrays. Out: bytes. Next: parity.py.

The graph: uint8 picture -> normalise -> backbone -> `embedding` -> linear layer -> `logits` -> calibration -> `probabilities`;
beside it `embedding` -> `novelty`. The calibration is the ending of the manifest's record. Everything after decoding and resizing
is in the file. D length of the embedding, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import DIGEST_KEY, MANIFEST_KEY, PRODUCER, Manifest, TaskRecord, seal
from tellapart.storage import storage_errors

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_AXES_ARE_AN_INPUT = 18  # of these reductions from this opset on; before, they are an attribute


def assemble(
    network: Path,
    *,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    manifest: Manifest,
    novelty: Mapping[str, NDArray[np.float32]] | None = None,
) -> bytes:
    """The bytes of model.onnx.

    `network` is ONNX from uint8 [N, S, S, 3] to `embedding` [N, D]; `weight` is [K, D], `bias` [K], and logits are
    embedding @ weight.T + bias. How they become probabilities is the record's `ending`. `novelty` holds the arrays of
    evaluation/novelty.py, which make the output `novelty` [N]; None leaves that output out.
    Raises: StorageError when `network` cannot be read; ValueError for a record that wants no probabilities.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    with storage_errors(network):
        model = onnx.load(network)
    graph, record = model.graph, manifest.record
    if "probabilities" not in record.promised:
        raise ValueError(f"a record of {record.kind} for a classifier on an embedding")
    size, classes, length = manifest.preprocessing.size, len(weight), weight.shape[1]
    numbers, ending = calibration(record, part="classifier", last="probabilities")
    parameters = {"classifier.weight": weight, "classifier.bias": bias, **numbers}
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value, dtype=np.float32), name) for name, value in parameters.items()
    )
    graph.node.append(
        helper.make_node("Gemm", ["embedding", "classifier.weight", "classifier.bias"], ["logits"], transB=1)
    )
    graph.node.extend(ending)
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", size, size, 3]))
    graph.output.extend(
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", length]),
        ]
    )
    if novelty is not None:
        add_novelty(model, novelty, length)
    return sealed(model, manifest)


def sealed(model: ModelProto, manifest: Manifest) -> bytes:
    """The bytes of model.onnx: a whole graph, with its manifest and digest."""
    import onnx

    model.graph.name = PRODUCER
    model.producer_name, model.producer_version = PRODUCER, manifest.versions.get("tellapart", "")
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {MANIFEST_KEY: manifest.model_dump_json(), DIGEST_KEY: "0" * 64})
    onnx.checker.check_model(model)
    return seal(model.SerializeToString())


def calibration(record: TaskRecord, *, part: str, last: str) -> tuple[dict[str, NDArray[np.float32]], list[NodeProto]]:
    """The record's ending from `logits` to `last`: its numbers under names that begin with `part`, and its nodes."""
    from onnx import helper

    numbers: dict[str, NDArray[np.float32]] = {}
    nodes: list[NodeProto] = []
    given = "logits"
    for step in record.ending:
        inputs = [given]
        if step.name:
            inputs.append(f"{part}.{step.name}")
            numbers[inputs[1]] = np.array(step.numbers, dtype=np.float32)
        given = step.output or last
        nodes.append(helper.make_node(step.operator, inputs, [given], **step.attributes))
    return numbers, nodes


def add_novelty(model: ModelProto, arrays: Mapping[str, NDArray[np.float32]], length: int) -> None:
    """Add the output `novelty` to a model with `embedding` [N, `length`]: arrays of evaluation/novelty.py.

    It looks at as many of the embedding's last numbers as it was fitted on.
    """
    from onnx import TensorProto, helper, numpy_helper

    opset = max(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    values: dict[str, NDArray[Any]] = dict(arrays)
    if opset >= _AXES_ARE_AN_INPUT:
        values["axes"] = np.array([1], dtype=np.int64)
    model.graph.initializer.extend(numpy_helper.from_array(value, f"novelty.{name}") for name, value in values.items())
    first = length - len(arrays["centre"])
    if first:
        ends = {"first": first, "end": length, "axis": 1}
        model.graph.initializer.extend(
            numpy_helper.from_array(np.array([value], dtype=np.int64), f"novelty.{name}")
            for name, value in ends.items()
        )
        names = ["embedding", "novelty.first", "novelty.end", "novelty.axis"]
        model.graph.node.append(helper.make_node("Slice", names, ["novelty.last_layer"]))
    nodes, _ = novelty_nodes(opset, "novelty.last_layer" if first else "embedding", "novelty.")
    nodes[-1].output[:] = ["novelty"]
    model.graph.node.extend(nodes)
    model.graph.output.append(helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["N"]))


def novelty_nodes(opset: int, embedding: str, own: str) -> tuple[list[NodeProto], str]:
    """`Novelty.score` of evaluation/novelty.py, step by step, under the names that it uses, which begin with `own`; its output.

    From opset 18 on there must be `axes`, [1] int64, too.
    """
    from onnx import helper

    def node(operator: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
        names = [embedding if name == "embedding" else f"{own}{name}" for name in inputs]
        return helper.make_node(operator, names, [f"{own}{output}"], **attributes)

    def reduce(operator: str, name: str, output: str, *, keepdims: int = 0) -> NodeProto:
        if opset >= _AXES_ARE_AN_INPUT:
            return node(operator, [name, "axes"], output, keepdims=keepdims)
        return node(operator, [name], output, keepdims=keepdims, axes=[1])

    nodes = [
        reduce("ReduceL2", "embedding", "length", keepdims=1),
        node("Max", ["length", "least_length"], "divisor"),
        node("Div", ["embedding", "divisor"], "unit"),
        node("Sub", ["unit", "centre"], "centred"),
        node("MatMul", ["centred", "directions"], "along"),
        reduce("ReduceSumSquare", "centred", "whole_square"),
        reduce("ReduceSumSquare", "along", "along_square"),
        node("Sub", ["whole_square", "along_square"], "beside_raw"),
        node("Relu", ["beside_raw"], "beside"),
        node("Mul", ["along", "scales"], "scaled"),
        # The squared distance to each mean, less the square of the picture's own coordinates.
        reduce("ReduceSumSquare", "means", "means_square"),
        node("Gemm", ["scaled", "means", "means_square"], "to_means", alpha=-2.0, transB=1),
        reduce("ReduceMin", "to_means", "to_nearest"),
        reduce("ReduceSumSquare", "scaled", "scaled_square"),
        node("Add", ["scaled_square", "to_nearest"], "distance_raw"),
        node("Relu", ["distance_raw"], "distance"),
        node("Mul", ["beside", "residual_scale"], "beside_scaled"),
        node("Add", ["distance", "beside_scaled"], "score"),
    ]
    return nodes, f"{own}score"
