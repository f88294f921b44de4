"""Networks small enough to work out by hand. In: numpy, onnx. Out: the bytes of a model.onnx. Next: test_activation.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.export.assemble import assemble

SIZE, CELL = 16, 4  # pixels: of the picture, and of one position of the map
BLUE, GREEN, RED = 0, 1, 2  # the classes of `tiny_manifest`
WEIGHT = np.array([[0, 0, 10], [0, 10, 0], [10, 0, 0]], dtype=np.float32)  # of blue, green and red in each logit
BIAS = np.array([0.1, 0.2, 0.3], dtype=np.float32)

Tail = Callable[[Any], list[Any]]  # onnx.helper -> the nodes that follow the map


def colour_map_network(path: Path, tail: Tail, **parameters: NDArray[Any]) -> Path:
    """Picture / 255 -> 1 x 1 convolution that changes nothing -> mean of 4 x 4 pixels, `map` [N, 3, 4, 4] -> tail."""
    from onnx import TensorProto, helper, numpy_helper, save

    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], name="/Transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["planes", "scale"], ["scaled"], name="/Mul"),
        helper.make_node("Conv", ["scaled", "kernel"], ["colours"], name="/network/stem/conv/Conv"),
        helper.make_node(
            "AveragePool",
            ["colours"],
            ["map"],
            name="/network/pool/AveragePool",
            kernel_shape=[CELL] * 2,
            strides=[CELL] * 2,
        ),
        *tail(helper),
    ]
    values = {
        "scale": np.array([1 / 255], dtype=np.float32),
        "kernel": np.eye(3, dtype=np.float32)[..., None, None],
        **parameters,
    }
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


def averaged(helper: Any) -> list[Any]:
    """The embedding is the mean of the map."""
    return [
        helper.make_node("GlobalAveragePool", ["map"], ["means"], name="/network/global_pool/GlobalAveragePool"),
        helper.make_node("Flatten", ["means"], ["embedding"], name="/network/flatten/Flatten"),
    ]


def whole(network: Path, manifest: Manifest, weight: NDArray[np.float32] = WEIGHT) -> bytes:
    """The bytes of a model.onnx of a network with three numbers as its embedding."""
    return assemble(network, weight=weight, bias=BIAS, manifest=manifest)


def staged_model(network: Any, manifest: Manifest, folder: Path, *, size: int, views: Any = "none") -> bytes:
    """A torch StagedNetwork with three classes as the model.onnx that training would write of it."""
    from tellapart.models.tracing import export_embedding

    path = folder / "network.onnx"
    export_embedding(network, size=size, path=path, views=views)
    manifest = manifest.model_copy(update={"pictures": manifest.preprocessing.model_copy(update={"size": size})})
    classifier = network.classifier
    return assemble(
        path,
        weight=classifier.weight.detach().numpy(),
        bias=classifier.bias.detach().numpy(),
        manifest=manifest,
    )
