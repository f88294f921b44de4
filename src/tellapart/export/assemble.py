"""Backbone, classifier and manifest become one file. In: ReadyBackbone's ONNX, a Probe's arrays. Out: bytes. Next: parity.py.

The graph: uint8 picture -> normalise -> backbone -> `embedding` -> linear layer -> `logits` -> calibration -> `probabilities`;
beside it `embedding` -> `novelty`. The calibration is what the manifest's record says: / temperature -> softmax; or * scale +
offset -> sigmoid, each class for itself. Everything after decoding and resizing is in the file. D length of the embedding, K
classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    embedding @ weight.T + bias. Probabilities are softmax(logits / temperature), Guo et al. 2017, arXiv 1706.04599, section 4.2,
    where the record is of classification, and sigmoid(scale * logits + offset), Platt 1999, where it is of multilabel. `novelty`
    holds the arrays of evaluation/novelty.py, which make the output `novelty` [N]; None leaves that output out.
    Raises: StorageError when `network` cannot be read.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    with storage_errors(network):
        model = onnx.load(network)
    graph = model.graph
    size, classes, length = manifest.preprocessing.size, len(weight), weight.shape[1]
    parameters, calibration = _calibration(manifest.record)
    parameters = {"classifier.weight": weight, "classifier.bias": bias, **parameters}
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value, dtype=np.float32), name) for name, value in parameters.items()
    )
    graph.node.append(
        helper.make_node("Gemm", ["embedding", "classifier.weight", "classifier.bias"], ["logits"], transB=1)
    )
    graph.node.extend(calibration)
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", size, size, 3]))
    graph.output.extend(
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", length]),
        ]
    )
    if novelty is not None:
        _add_novelty(model, novelty, length)
    graph.name = PRODUCER
    model.producer_name, model.producer_version = PRODUCER, manifest.versions.get("tellapart", "")
    del model.metadata_props[:]
    helper.set_model_props(model, {MANIFEST_KEY: manifest.model_dump_json(), DIGEST_KEY: "0" * 64})
    onnx.checker.check_model(model)
    return seal(model.SerializeToString())


def _calibration(record: TaskRecord) -> tuple[dict[str, ArrayLike], list[NodeProto]]:
    """The numbers and nodes from `logits` to `probabilities`."""
    from onnx import helper

    if record.kind == "classification":
        return {"classifier.temperature": [record.temperature]}, [
            helper.make_node("Div", ["logits", "classifier.temperature"], ["calibrated_logits"]),
            helper.make_node("Softmax", ["calibrated_logits"], ["probabilities"], axis=-1),
        ]
    if record.kind != "multilabel":
        raise ValueError(f"a record of {record.kind} for a classifier on an embedding")
    return {"classifier.scale": record.scales, "classifier.offset": record.offsets}, [
        helper.make_node("Mul", ["logits", "classifier.scale"], ["scaled_logits"]),
        helper.make_node("Add", ["scaled_logits", "classifier.offset"], ["calibrated_logits"]),
        helper.make_node("Sigmoid", ["calibrated_logits"], ["probabilities"]),
    ]


def _add_novelty(model: ModelProto, arrays: Mapping[str, NDArray[np.float32]], length: int) -> None:
    """The nodes and numbers of the output `novelty`, which looks at as many of the embedding's last numbers as it was fitted on."""
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
    nodes = _novelty_nodes(opset)
    for node in nodes if first else ():
        node.input[:] = ["novelty.last_layer" if name == "embedding" else name for name in node.input]
    model.graph.node.extend(nodes)
    model.graph.output.append(helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["N"]))


def _novelty_nodes(opset: int) -> list[NodeProto]:
    """`Novelty.score` of evaluation/novelty.py, step by step, under the names that it uses."""
    from onnx import helper

    def node(operator: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
        names = [name if name == "embedding" else f"novelty.{name}" for name in inputs]
        output = output if output == "novelty" else f"novelty.{output}"
        return helper.make_node(operator, names, [output], **attributes)

    def reduce(operator: str, name: str, output: str, *, keepdims: int = 0) -> NodeProto:
        if opset >= _AXES_ARE_AN_INPUT:
            return node(operator, [name, "axes"], output, keepdims=keepdims)
        return node(operator, [name], output, keepdims=keepdims, axes=[1])

    return [
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
        node("Add", ["distance", "beside_scaled"], "novelty"),
    ]
