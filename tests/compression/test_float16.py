"""Weights in half the bytes. In: a small network. Out: the answers of rounded weights, by NumPy."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from tellapart.compression.float16 import halve
from tellapart.compression.int8 import Int8
from tellapart.runtime import Session

from .made_networks import conv_network, pictures


def test_a_network_of_rounded_weights() -> None:
    network, images = conv_network(wide=64), pictures(4)
    rounded = onnx.load_model_from_string(network)
    for tensor in rounded.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= 64:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16).astype(np.float32), tensor.name))
    made = halve(network)
    onnx.checker.check_model(onnx.load_model_from_string(made))
    found, wanted = (
        Session(one, source="one").run(images, ["embedding"])[0] for one in (made, rounded.SerializeToString())
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    assert len(made) < 0.62 * len(network)


def test_scales_of_integers_stay() -> None:
    integers = Int8(conv_network(wide=64), pictures(8)).made()
    model = onnx.load_model_from_string(integers)
    for tensor in model.graph.initializer:
        if tensor.name.startswith("own") and tensor.name.endswith("_scale"):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1e-8), tensor.name))
    made = onnx.load_model_from_string(halve(model.SerializeToString()))
    kept = {one.name: numpy_helper.to_array(one) for one in made.graph.initializer}
    assert all((kept[node.input[1]] > 0).all() for node in made.graph.node if node.op_type == "DequantizeLinear")


def test_of_a_prefix_alone() -> None:
    made = onnx.load_model_from_string(halve(conv_network(wide=64), prefix="de"))
    kinds = {one.name: one.data_type for one in made.graph.initializer}
    assert kinds["dense.half"] == onnx.TensorProto.FLOAT16
    assert kinds["one"] == onnx.TensorProto.FLOAT


def test_what_no_half_can_hold_stays() -> None:
    model = onnx.load_model_from_string(conv_network(wide=64))
    large = next(one for one in model.graph.initializer if one.name == "dense")
    large.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(large) * 1e7, "dense"))
    made = onnx.load_model_from_string(halve(model.SerializeToString()))
    kept = {one.name: one.data_type for one in made.graph.initializer}
    assert kept["dense"] == onnx.TensorProto.FLOAT
    assert kept["one.half"] == onnx.TensorProto.FLOAT16
