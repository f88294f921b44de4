"""What converters are given says what the model says. In: tiny graphs. Out: the same answers, by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tellapart.errors import ExportError
from tellapart.export.graph_cuts import suppresses
from tellapart.export.plain import Shape, described, folded, plain

SIZE = 16


def run(model: bytes, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": images}), strict=True))


def pictures(count: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def graph(nodes: Sequence[Any], outputs: Sequence[str], free: bool = False, **constants: NDArray[Any]) -> bytes:
    sides = ["H", "W"] if free else [SIZE, SIZE]
    made = helper.make_graph(
        list(nodes),
        "made",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *sides, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())


def test_a_plain_graph_answers_as_the_model_without_its_manifest(tiny_bytes: bytes) -> None:
    images = pictures()
    expected = run(tiny_bytes, images)
    found = plain(tiny_bytes, Shape(size=SIZE))
    assert not onnx.load_model_from_string(found).metadata_props
    for name, values in run(found, images).items():
        np.testing.assert_array_equal(values, expected[name])


def test_planes_and_a_fixed_number_of_pictures_change_no_answer(tiny_bytes: bytes) -> None:
    images = pictures(1)
    found = plain(tiny_bytes, Shape(size=SIZE, batch=1, planes=True, simple=True))
    planes = images.transpose(0, 3, 1, 2).astype(np.float32)
    expected = run(tiny_bytes, images)
    for name, values in run(found, planes).items():
        np.testing.assert_allclose(values, expected[name], atol=1e-6)
    (picture,) = onnx.load_model_from_string(found).graph.input
    assert [one.dim_value for one in picture.type.tensor_type.shape.dim] == [1, 3, SIZE, SIZE]


def test_lengths_are_said_by_multiplications_and_roots() -> None:
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceL2", ["float", "axes"], ["length"], keepdims=0),
        helper.make_node("ReduceSumSquare", ["float", "axes"], ["square"], keepdims=1),
    ]
    model = graph(nodes, ["length", "square"], axes=np.array([1, 2], dtype=np.int64))
    found = plain(model, Shape(size=SIZE, simple=True))
    assert {"ReduceL2", "ReduceSumSquare"}.isdisjoint(
        node.op_type for node in onnx.load_model_from_string(found).graph.node
    )
    images = pictures()
    data = images.astype(np.float64)
    told = run(found, images)
    np.testing.assert_allclose(told["length"], np.sqrt((data**2).sum((1, 2))), rtol=1e-5)
    np.testing.assert_allclose(told["square"], (data**2).sum((1, 2), keepdims=True), rtol=1e-5)


def test_sizes_that_are_worked_out_become_numbers_for_any_number_of_pictures() -> None:
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("MaxPool", ["planes"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Shape", ["half"], ["half_shape"], start=0, end=2),
        helper.make_node("Shape", ["planes"], ["sides"], start=2, end=4),
        helper.make_node("Concat", ["half_shape", "sides"], ["wanted"], axis=0),
        helper.make_node(
            "Resize",
            ["half", "", "", "wanted"],
            ["again"],
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        ),
        helper.make_node("Concat", ["half_shape", "rest"], ["flat_shape"], axis=0),
        helper.make_node("Reshape", ["again", "flat_shape"], ["flat"]),
    ]
    model = graph(nodes, ["flat"], free=True, rest=np.array([-1], dtype=np.int64))
    found = plain(model, Shape(size=SIZE))
    kinds = [node.op_type for node in onnx.load_model_from_string(found).graph.node]
    assert "Shape" not in kinds
    for count in (1, 3):
        np.testing.assert_array_equal(run(found, pictures(count))["flat"], run(model, pictures(count))["flat"])
    assert described(found) == (["flat"], [(1, 3, SIZE * SIZE)])


def suppressing() -> bytes:
    """Two boxes a picture, one on the other, as a detector's graph ends."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "all"], ["level"], keepdims=0),
        helper.make_node("Mul", ["level", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "two_boxes"], ["all_boxes"]),
        helper.make_node("Add", ["zero", "two_scores"], ["all_scores"]),
        helper.make_node("Transpose", ["all_scores"], ["by_class"], perm=[0, 2, 1]),
        helper.make_node("NonMaxSuppression", ["all_boxes", "by_class", "most", "overlap", "least"], ["chosen"]),
        helper.make_node("GatherND", ["by_class", "chosen"], ["scores"]),
        helper.make_node("Identity", ["all_boxes"], ["boxes"]),
        helper.make_node("Identity", ["level"], ["embedding"]),
        helper.make_node("Cast", ["chosen"], ["labels"], to=TensorProto.FLOAT),
    ]
    return graph(
        nodes,
        ["boxes", "scores", "labels", "embedding"],
        all=np.array([1, 2, 3], dtype=np.int64),
        nothing=np.array(0, dtype=np.float32),
        two_boxes=np.array([[[0, 0, 1, 1], [0, 0, 1, 0.9]]], dtype=np.float32),
        two_scores=np.array([[[0.9], [0.8]]], dtype=np.float32),
        most=np.array([5], dtype=np.int64),
        overlap=np.array([0.5], dtype=np.float32),
        least=np.array([0.1], dtype=np.float32),
    )


def test_without_suppression_a_graph_tells_of_every_place_under_the_same_names() -> None:
    model = suppressing()
    assert suppresses(model)
    found = plain(model, Shape(size=SIZE, suppressed=False))
    assert not suppresses(found)
    told = run(found, pictures(1))
    assert set(told) == {"boxes", "scores", "embedding"}
    np.testing.assert_allclose(told["scores"], [[[0.9], [0.8]]], atol=1e-6)
    assert len(run(plain(model, Shape(size=SIZE)), pictures(1))["scores"]) == 1


def test_outputs_can_be_left_out(tiny_bytes: bytes) -> None:
    found = plain(tiny_bytes, Shape(size=SIZE, without=("embedding",)))
    assert described(found) == (["probabilities"], [(1, 3)])


def test_a_graph_that_onnx_runtime_refuses_says_so() -> None:
    model = graph([helper.make_node("Cast", ["nowhere"], ["found"], to=TensorProto.FLOAT)], ["found"])
    with pytest.raises(
        ExportError, match=r"^the graph cannot be folded by ONNX Runtime \(.*\)\. Train the model again\.$"
    ):
        folded(onnx.load_model_from_string(model))
