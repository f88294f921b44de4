"""A classifier of n-grams as model.onnx. In: weights, TextInputs, manifest. Out: bytes. Next: parity.py.

tokens int32 [N, B, L] -> a row of a table each -> sums over L -> each block by its length -> `logits` -> `probabilities`.
A table's row holds K weights, the square of the n-gram's frequency, and 0; those that tell the share of unknown n-grams have it
in the last column, which becomes `novelty`. `vocabulary` are the numbers of the known n-grams, whatever goes in.
Shapes: F known n-grams, K classes, B blocks of L n-grams a text.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.export.assemble import calibration, sealed
from tellapart.texts.vocabulary import STEPS, TextInputs

_OPSET = 17
_LEAST = 1e-9  # of a squared length: a text of which nothing is known


def assemble_ngrams(
    inputs: TextInputs,
    *,
    frequency: NDArray[np.float32],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    novelty_scale: float,
    manifest: Manifest,
) -> bytes:
    """The bytes of model.onnx; `frequency` [F], `weight` [K, F] of features as training/ngram_counts.py has them, `bias` [K]."""
    from onnx import TensorProto, helper, numpy_helper

    classes = len(bias)
    numbers, ending = calibration(manifest.record, part="classifier", last="probabilities")
    parameters: dict[str, NDArray[Any]] = {
        "table": table(inputs, frequency=frequency, weight=weight, novelty_scale=novelty_scale),
        "classifier.bias": bias,
        "least": np.array(_LEAST, dtype=np.float32),
        "known": inputs.known.view(np.int64),
        "along": np.array([2], dtype=np.int64),
        "blocks": np.array([1], dtype=np.int64),
        "split": np.array([classes, 1, 1], dtype=np.int64),
        **numbers,
    }
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["rows"], axis=0),
        helper.make_node("ReduceSum", ["rows", "along"], ["sums"], keepdims=0),
        helper.make_node("Split", ["sums", "split"], ["votes", "squares", "unknown"], axis=2),
        helper.make_node("Max", ["squares", "least"], ["squares_above"]),
        helper.make_node("Sqrt", ["squares_above"], ["lengths"]),
        helper.make_node("Div", ["votes", "lengths"], ["scaled"]),
        helper.make_node("ReduceSum", ["scaled", "blocks"], ["joined"], keepdims=0),
        helper.make_node("Add", ["joined", "classifier.bias"], ["logits"]),
        *ending,
        helper.make_node("Squeeze", ["unknown", "along"], ["unknown_each"]),
        helper.make_node("ReduceSum", ["unknown_each", "blocks"], ["novelty"], keepdims=0),
        helper.make_node("Identity", ["known"], ["vocabulary"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tellapart",
        [helper.make_tensor_value_info("tokens", TensorProto.INT32, ["N", inputs.rules.blocks, "L"])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes]),
            helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info("vocabulary", TensorProto.INT64, [len(inputs.known)]),
        ],
        [numpy_helper.from_array(value, name) for name, value in parameters.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    return sealed(model, manifest)


def table(
    inputs: TextInputs, *, frequency: NDArray[np.float32], weight: NDArray[np.float32], novelty_scale: float
) -> NDArray[np.float32]:
    """Float32 [F + STEPS + 2, K + 2]."""
    count, classes = len(inputs.known), len(weight)
    found = np.zeros((inputs.rows, classes + 2), dtype=np.float32)
    found[:count, :classes] = (weight * frequency).T
    found[:count, classes] = np.square(frequency)
    found[count + 1 :, classes + 1] = np.arange(STEPS + 1) / STEPS * novelty_scale
    return found
