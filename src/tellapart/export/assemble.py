"""Backbone, classifier and manifest become one file. In: ReadyBackbone's ONNX, a Probe's arrays. Out: bytes. Next: parity.py.

The graph: uint8 picture -> normalise -> backbone -> `embedding` -> linear layer -> / temperature -> softmax ->
`probabilities`. Everything after decoding and resizing is in the file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import DIGEST_KEY, MANIFEST_KEY, PRODUCER, Manifest, seal
from tellapart.storage import storage_errors


def assemble(
    network: Path, *, weight: NDArray[np.float32], bias: NDArray[np.float32], temperature: float, manifest: Manifest
) -> bytes:
    """The bytes of model.onnx.

    `network` is ONNX from uint8 [N, S, S, 3] to `embedding` [N, D]; `weight` is [K, D], `bias` [K], and probabilities are
    softmax((embedding @ weight.T + bias) / temperature), Guo et al. 2017, arXiv 1706.04599, section 4.2.
    Raises: StorageError when `network` cannot be read.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    with storage_errors(network):
        model = onnx.load(network)
    graph = model.graph
    size, classes, length = manifest.preprocessing.size, len(weight), weight.shape[1]
    parameters = {
        "classifier.weight": weight.astype(np.float32),
        "classifier.bias": bias.astype(np.float32),
        "classifier.temperature": np.array([temperature], dtype=np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in parameters.items())
    graph.node.extend(
        [
            helper.make_node("Gemm", ["embedding", "classifier.weight", "classifier.bias"], ["logits"], transB=1),
            helper.make_node("Div", ["logits", "classifier.temperature"], ["calibrated_logits"]),
            helper.make_node("Softmax", ["calibrated_logits"], ["probabilities"], axis=-1),
        ]
    )
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", size, size, 3]))
    graph.output.extend(
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", length]),
        ]
    )
    graph.name = PRODUCER
    model.producer_name, model.producer_version = PRODUCER, manifest.versions.get("tellapart", "")
    del model.metadata_props[:]
    helper.set_model_props(model, {MANIFEST_KEY: manifest.model_dump_json(), DIGEST_KEY: "0" * 64})
    onnx.checker.check_model(model)
    return seal(model.SerializeToString())
