"""A folded graph gives what it gave, with less to do. In: small graphs made by hand. Out: the same graphs, folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tellapart.models.folding import fold


def node(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    return helper.make_node(operator, list(inputs), [output], name=f"the {output}", **attributes)


def constant(name: str, value: Any) -> Any:
    return node("Constant", [], name, value=numpy_helper.from_array(np.asarray(value), ""))


def model(nodes: Sequence[Any], weights: dict[str, NDArray[Any]], shape: Sequence[int] = (1, 1, 4, 4)) -> bytes:
    """A model from x float32 of this shape to y."""
    graph = helper.make_graph(
        list(nodes),
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    data: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8
    ).SerializeToString()
    return data


def run(data: bytes, x: NDArray[np.float32]) -> NDArray[Any]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    found: NDArray[Any] = onnxruntime.InferenceSession(data, options).run(["y"], {"x": x})[0]
    return found


def operators(data: bytes) -> Counter[str]:
    return Counter(one.op_type for one in onnx.load_model_from_string(data).graph.node)


X = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
KERNEL = np.array([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]], dtype=np.float32)


def padded(widths: Sequence[int], *, value: float = 0.0, mode: str = "constant", **conv: Any) -> list[Any]:
    return [
        constant("widths", np.array(widths, dtype=np.int64)),
        constant("value", np.float32(value)),
        node("Pad", ["x", "widths", "value"], "wide", mode=mode),
        node("Conv", ["wide", "k"], "y", kernel_shape=[3, 3], **conv),
    ]


def pads_of(data: bytes) -> list[int]:
    (conv,) = [one for one in onnx.load_model_from_string(data).graph.node if one.op_type == "Conv"]
    return next((list(one.ints) for one in conv.attribute if one.name == "pads"), [])


def test_a_padding_with_zeros_goes_into_the_convolution() -> None:
    before = model(padded([0, 0, 0, 1, 0, 0, 2, 3]), {"k": KERNEL})
    after = fold(before)
    assert operators(after) == {"Conv": 1}
    assert pads_of(after) == [0, 1, 2, 3]  # rows and columns before, then after
    np.testing.assert_array_equal(run(after, X), run(before, X))


def test_it_is_added_to_the_convolutions_own() -> None:
    before = model(padded([0, 0, 0, 1, 0, 0, 2, 3], pads=[1, 1, 1, 1]), {"k": KERNEL})
    after = fold(before)
    assert pads_of(after) == [1, 2, 3, 4]
    np.testing.assert_array_equal(run(after, X), run(before, X))


@pytest.mark.parametrize(
    ("widths", "settings"),
    [
        ([0, 0, 1, 1, 0, 0, 1, 1], {"value": 7.0}),
        ([0, 0, 1, 1, 0, 0, 1, 1], {"mode": "reflect"}),
        ([0, 0, -1, 0, 0, 0, 0, 0], {}),  # it cuts
        ([1, 0, 1, 1, 0, 0, 1, 1], {}),  # another picture
        ([0, 0, 1, 1, 0, 0, 1, 1], {"auto_pad": "SAME_UPPER"}),
    ],
)
def test_a_padding_that_a_convolution_cannot_do_stays(widths: list[int], settings: dict[str, Any]) -> None:
    before = model(padded(widths, **settings), {"k": KERNEL})
    after = fold(before)
    assert operators(after)["Pad"] == 1
    np.testing.assert_array_equal(run(after, X), run(before, X))


def test_a_padding_that_others_read_too_stays() -> None:
    nodes = padded([0, 0, 1, 1, 0, 0, 1, 1])
    nodes[-1].output[0], nodes[-1].name = "c", "the c"
    nodes += [node("ReduceMax", ["wide"], "m", keepdims=1), node("Add", ["c", "m"], "y")]
    before = model(nodes, {"k": KERNEL})
    after = fold(before)
    assert operators(after)["Pad"] == 1
    assert pads_of(after) == []  # nothing is padded twice
    np.testing.assert_array_equal(run(after, X), run(before, X))


def test_a_chain_as_torch_writes_it_is_worked_out() -> None:
    # What torch makes of the four widths 0, 1, 0, 2 of nn.ZeroPad2d, the last axis first.
    nodes = [
        constant("four", np.array([4], dtype=np.int64)),
        constant("given", np.array([0, 1, 0, 2], dtype=np.int64)),
        node("ConstantOfShape", ["four"], "rest", value=numpy_helper.from_array(np.array([0], dtype=np.int64))),
        node("Concat", ["given", "rest"], "all", axis=0),
        constant("pairs", np.array([-1, 2], dtype=np.int64)),
        node("Reshape", ["all", "pairs"], "rows"),
        constant("last", np.array([-1], dtype=np.int64)),
        constant("first", np.array([-9223372036854775807], dtype=np.int64)),
        constant("axis", np.array([0], dtype=np.int64)),
        node("Slice", ["rows", "last", "first", "axis", "last"], "turned"),
        node("Transpose", ["turned"], "columns", perm=[1, 0]),
        node("Reshape", ["columns", "last"], "flat"),
        node("Cast", ["flat"], "widths", to=TensorProto.INT64),
        node("Pad", ["x", "widths"], "wide", mode="constant"),
        node("Conv", ["wide", "k"], "y", kernel_shape=[3, 3], strides=[2, 2]),
    ]
    before = model(nodes, {"k": KERNEL})
    after = fold(before)
    assert operators(after) == {"Conv": 1}
    assert pads_of(after) == [0, 0, 2, 1]
    np.testing.assert_array_equal(run(after, X), run(before, X))


def test_what_is_read_keeps_its_name_as_a_constant() -> None:
    nodes = [constant("a", np.float32(2)), constant("b", np.float32(3)), node("Mul", ["a", "b"], "c")]
    before = model([*nodes, node("Add", ["x", "c"], "y")], {})
    after = fold(before)
    (folded, _) = onnx.load_model_from_string(after).graph.node
    assert (folded.op_type, list(folded.output), folded.name) == ("Constant", ["c"], "the c")
    assert numpy_helper.to_array(folded.attribute[0].t) == 6
    np.testing.assert_array_equal(run(after, X), X + 6)


def test_weights_that_are_used_twice_are_still_kept_once() -> None:
    before = model(
        [node("Identity", ["k"], "again"), node("Conv", ["x", "again"], "y", kernel_shape=[3, 3])], {"k": KERNEL}
    )
    assert operators(fold(before)) == {"Identity": 1, "Conv": 1}


def test_what_would_swell_the_file_stays_as_it_is() -> None:
    nodes = [
        constant("shape", np.array([1, 1, 200, 200], dtype=np.int64)),
        constant("one", np.float32(1)),
        node("Expand", ["one", "shape"], "many"),
        node("ReduceSum", ["many"], "sum", keepdims=0),
        node("Add", ["x", "many"], "wide"),
        node("Mul", ["wide", "sum"], "y"),
    ]
    before = model(nodes, {}, (1, 1, 200, 200))
    after = fold(before)
    assert operators(after) == {"Constant": 3, "Expand": 1, "Add": 1, "Mul": 1}  # the sum alone is worked out
    x = np.ones((1, 1, 200, 200), np.float32)
    np.testing.assert_array_equal(run(after, x), np.full_like(x, 80000))


def test_random_numbers_are_drawn_every_time() -> None:
    nodes = [
        node("RandomNormal", [], "r", shape=[1]),
        constant("c", np.ones(1, np.float32)),
        node("RandomNormalLike", ["c"], "s"),
        node("Sum", ["x", "r", "s"], "y"),
    ]
    assert operators(fold(model(nodes, {}))) == {"RandomNormal": 1, "Constant": 1, "RandomNormalLike": 1, "Sum": 1}


def test_what_only_a_graph_inside_reads_is_kept() -> None:
    inner = [
        helper.make_graph([node(kind, ["x", "c"], out)], out, [], [helper.make_tensor_value_info(out, 1, None)])
        for kind, out in (("Add", "then"), ("Sub", "else"))
    ]
    nodes = [
        constant("a", np.float32(2)),
        node("Neg", ["a"], "c"),
        node("ReduceMax", ["x"], "m", keepdims=0),
        node("Greater", ["m", "a"], "large"),
        node("If", ["large"], "y", then_branch=inner[0], else_branch=inner[1]),
    ]
    before = model(nodes, {})
    after = fold(before)
    np.testing.assert_array_equal(run(after, X), X - 2)
    assert operators(after)["Neg"] == operators(before)["Neg"]


def test_constants_that_cannot_be_worked_out_change_nothing() -> None:
    # Two shapes that do not broadcast: ONNX Runtime refuses the chain, and whoever runs the model will say so.
    nodes = [constant("a", np.ones(2, np.float32)), constant("b", np.ones(3, np.float32)), node("Add", ["a", "b"], "c")]
    before = model([*nodes, node("Add", ["x", "c"], "y")], {})
    assert operators(fold(before)) == operators(before)
