"""How much a network computes. In: layers of known sizes. Out: their products, counted by hand."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tellapart.compression.counting import heavy_layers
from tellapart.compression.float16 import halve
from tellapart.compression.int8 import Int8

from .made_networks import conv_network, pictures


def test_convolutions_and_products_by_hand() -> None:
    layers = heavy_layers(conv_network(), pictures(1))
    assert [(one.name, one.macs, one.weights) for one in layers] == [
        ("stem", 8 * 8 * 8 * 27, 8 * 27),  # 8 channels of 8 x 8 places, each of 3 x 3 x 3 numbers
        ("own", 8 * 8 * 8 * 9, 8 * 9),
        ("dense", 8 * 16, 8 * 16),
    ]


def test_the_same_in_integers_and_halves() -> None:
    network = conv_network(wide=64)
    wanted = [(one.macs, one.weights) for one in heavy_layers(network, pictures(1))]
    for other in (Int8(network, pictures(4)).made(), halve(network)):
        assert [(one.macs, one.weights) for one in heavy_layers(other, pictures(1))] == wanted


def test_a_transposed_convolution() -> None:
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("ConvTranspose", ["first", "weight"], ["out"], name="up", strides=[2, 2]),
    ]
    weight = numpy_helper.from_array(np.ones((3, 5, 2, 2), np.float32), "weight")
    graph = helper.make_graph(
        nodes,
        "up",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 16, 16, 3])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", 5, 32, 32])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (layer,) = heavy_layers(model.SerializeToString(), pictures(1))
    assert layer.macs == 16 * 16 * 3 * 5 * 2 * 2
