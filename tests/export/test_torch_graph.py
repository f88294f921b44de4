"""A graph in torch says what ONNX Runtime says of it. In: graphs of one operator. Out: the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tellapart.errors import ExportError
from tellapart.export.torch_graph import OnnxNetwork

CHANCE = np.random.default_rng(3)
WEIGHT = CHANCE.normal(size=(4, 3, 3, 3)).astype(np.float32)
DENSE = CHANCE.normal(size=(3, 4)).astype(np.float32)
CORNERS = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
NEAREST = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
MAPS = (1, 3, 8, 8)


def whole(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def single(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def one(kind: str, shape: tuple[int, ...], *constants: Any, outputs: int = 1, **attributes: Any) -> bytes:
    """A graph of one operator on `image`; None among the constants stands for an input that is left out."""
    names = ["" if value is None else f"constant {number}" for number, value in enumerate(constants)]
    given = {name: value for name, value in zip(names, constants, strict=True) if name}
    found = [f"found {number}" for number in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node(kind, ["image", *names], found, **attributes)],
        "one",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_empty_tensor_value_info(name) for name in found],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in given.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return bytes(model.SerializeToString())


CASES: dict[str, tuple[bytes, tuple[int, ...]]] = {
    name: (one(name.split()[0], shape, *constants, **attributes), shape)
    for name, shape, constants, attributes in [
        ("Conv", MAPS, [WEIGHT], {"pads": [1, 1, 1, 1]}),
        ("Conv uneven", MAPS, [WEIGHT, single(1, 2, 3, 4)], {"pads": [0, 0, 1, 1], "strides": [2, 2]}),
        ("Conv groups", MAPS, [WEIGHT[:3, :1]], {"group": 3, "dilations": [2, 2]}),
        ("ConvTranspose", MAPS, [WEIGHT[:3]], {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
        ("MaxPool", MAPS, [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]}),
        ("AveragePool", MAPS, [], {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ("GlobalAveragePool", MAPS, [], {}),
        ("GlobalMaxPool", MAPS, [], {}),
        ("BatchNormalization", MAPS, [single(1, 2, 3), single(3, 2, 1), single(0, 1, 2), single(1, 2, 4)], {}),
        ("InstanceNormalization", MAPS, [single(1, 2, 3), single(3, 2, 1)], {}),
        ("LayerNormalization", (2, 5), [np.ones(5, np.float32), np.zeros(5, np.float32)], {"axis": -1}),
        ("Gemm", (2, 3), [DENSE.T, single(1, 2, 3, 4)], {"transB": 1, "alpha": -2.0, "beta": 0.5}),
        ("MatMul", (2, 3), [DENSE], {}),
        ("Clip", (2, 3), [np.float32(0), np.float32(6)], {}),
        ("Clip low", (2, 3), [np.float32(-0.5)], {}),
        ("Flatten", MAPS, [], {}),
        ("Flatten two", MAPS, [], {"axis": 2}),
        ("Reshape", MAPS, [whole(0, -1, 4)], {}),
        ("Transpose", MAPS, [], {"perm": [0, 2, 3, 1]}),
        ("Slice", MAPS, [whole(1, 0), whole(3, 9223372036854775807), whole(2, 3), whole(1, 2)], {}),
        ("Slice backwards", MAPS, [whole(-1), whole(-9223372036854775807), whole(3), whole(-1)], {}),
        ("Split", MAPS, [whole(1, 2)], {"axis": 1, "outputs": 2}),
        ("Gather", MAPS, [whole(2, 0)], {"axis": 1}),
        ("Gather one", MAPS, [np.array(1, dtype=np.int64)], {"axis": 2}),
        ("Squeeze", MAPS, [whole(0)], {}),
        ("Unsqueeze", (2, 3), [whole(1, -1)], {}),
        ("Pad", MAPS, [whole(0, 0, 1, 2, 0, 0, 3, 4), np.float32(0.5)], {}),
        ("Pad reflected", MAPS, [whole(0, 0, 1, 2, 0, 0, 3, 4)], {"mode": "reflect"}),
        ("Resize nearest", MAPS, [None, single(1, 1, 2, 2)], NEAREST),
        ("Resize linear", MAPS, [None, None, whole(1, 3, 13, 20)], {"mode": "linear"}),
        ("Resize corners", MAPS, [None, None, whole(1, 3, 13, 20)], CORNERS),
        ("ReduceMean", MAPS, [whole(2, 3)], {"keepdims": 0}),
        ("ReduceL2", (2, 3), [whole(1)], {}),
        ("ReduceSumSquare", (2, 3), [], {}),
        ("ReduceMin", (2, 3), [whole(1)], {"keepdims": 0}),
        ("ReduceMax", (2, 3), [whole(0)], {}),
        ("Softmax", (2, 3), [], {"axis": 1}),
        ("HardSigmoid", (2, 3), [], {"alpha": 0.3}),
        ("Gelu", (2, 3), [], {"approximate": "tanh"}),
        ("LeakyRelu", (2, 3), [], {}),
        ("Elu", (2, 3), [], {}),
        ("HardSwish", (2, 3), [], {}),
        ("Softplus", (2, 3), [], {}),
        ("Max", (2, 3), [single(0.1), single(-1, 1, 0)], {}),
    ]
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_is_what_onnx_runtime_takes_it_for(name: str) -> None:
    model, shape = CASES[name]
    given = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    expected = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"image": given})
    with torch.inference_mode():
        found = OnnxNetwork(model)(torch.from_numpy(given))
    assert len(found) == len(expected)
    for one_found, one_expected in zip(found, expected, strict=True):
        np.testing.assert_allclose(one_found.numpy(), one_expected, atol=2e-5)


def test_an_operator_without_counterpart_is_named_with_its_layer() -> None:
    with pytest.raises(
        ExportError, match=r"^torch has no counterpart of the operator Shape, in the layer 'found 0'\. Choose"
    ):
        OnnxNetwork(one("Shape", MAPS))
    cubic = one("Resize", MAPS, None, None, whole(1, 3, 9, 9), mode="nearest", nearest_mode="ceil")
    with pytest.raises(
        ExportError, match=r"^torch has no counterpart of Resize by nearest with half_pixel, in the layer 'found 0'\."
    ):
        OnnxNetwork(cubic)(torch.zeros(MAPS))
