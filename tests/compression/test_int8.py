"""A network in integers. In: a small convolutional network. Out: nearly its answers, and what is spared in float."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from tellapart.compression.int8 import Int8, at_once_of
from tellapart.runtime import Session

from .made_networks import conv_network, pictures

NETWORK = conv_network(wide=64)


@pytest.fixture(scope="module")
def learned() -> Int8:
    return Int8(NETWORK, pictures(24))


def answers(network: bytes, images: np.ndarray) -> np.ndarray:
    return Session(network, source="a network").run(images, ["embedding"])[0]


def kinds(network: bytes) -> dict[str, int]:
    """How many tensors of weights are kept in which type."""
    tensors = onnx.load_model_from_string(network).graph.initializer
    large = [one for one in tensors if np.prod(one.dims) > 500]
    names = {TensorProto.FLOAT: "float32", TensorProto.INT8: "int8"}
    return {name: sum(names.get(one.data_type) == name for one in large) for name in names.values()}


def test_answers_are_nearly_the_same(learned: Int8) -> None:
    images = pictures(8, seed=5)
    made = learned.made()
    onnx.checker.check_model(onnx.load_model_from_string(made))
    wanted, found = answers(NETWORK, images), answers(made, images)
    assert 0 < np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()
    assert kinds(made) == {"float32": 0, "int8": 3}
    assert len(made) < 0.6 * len(NETWORK)  # of so few weights their scales are a good part


def test_each_channel_has_a_scale_of_its_own(learned: Int8) -> None:
    model = onnx.load_model_from_string(learned.made())
    tensors = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    weights = {node.input[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"}
    scales = [
        tensors[node.input[1]].shape for name, node in weights.items() if tensors.get(name, np.zeros(0)).ndim == 4
    ]
    assert sorted(scales) == [(64,), (64,)]


def test_a_spared_layer_keeps_its_weights(learned: Int8) -> None:
    made = learned.made(["dense"])
    assert kinds(made) == {"float32": 1, "int8": 2}
    images = pictures(8, seed=5)
    wanted = answers(NETWORK, images)
    errors = [np.abs(answers(one, images) - wanted).max() for one in (made, learned.made())]
    assert errors[0] < errors[1]
    assert [one.name for one in learned.candidates] == ["stem", "own", "dense"]


def test_all_spared_is_the_network_itself(learned: Int8) -> None:
    made = learned.made([one.name for one in learned.candidates])
    assert kinds(made)["int8"] == 0


def test_ranges_are_the_least_and_the_largest_value() -> None:
    images = pictures(20)  # more than one batch
    learned = Int8(NETWORK, images)
    model = onnx.load_model_from_string(NETWORK)
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info("d"))
    (values,) = Session(model.SerializeToString(), source="all").run(images, ["d"])
    low, high = learned.ranges["d"]
    assert (low, high) == pytest.approx((values.min(), values.max()), rel=1e-6)


@pytest.mark.parametrize(("side", "many"), [(32, 8), (224, 8), (320, 3), (512, 1), (2048, 1)])
def test_of_large_pictures_fewer_are_looked_at_at_once(side: int, many: int) -> None:
    """Eight of 512 pixels by two threads took 10.8 GB of a network of masks."""
    assert at_once_of(np.broadcast_to(np.zeros((), np.uint8), (20, side, side, 3))) == many
