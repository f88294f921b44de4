"""What ncnn's converter is given, and what it must not be. In: small graphs. Out: the same numbers, or the layer's name."""

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
from tellapart.export.for_ncnn import for_ncnn
from tellapart.export.formats.ncnn_model import check_layers

SIZE = 6
PICTURE = np.random.default_rng(5).normal(size=(1, 3, SIZE, SIZE)).astype(np.float32)


def graph(*nodes: Any, **constants: Any) -> bytes:
    made = helper.make_graph(
        list(nodes),
        "made",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, PICTURE.shape)],
        [helper.make_empty_tensor_value_info("found")],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString())


def answer(model: bytes) -> NDArray[Any]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (found,) = session.run(["found"], {"image": PICTURE})
    return np.asarray(found)


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("kind", ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"])
def test_one_axis_of_a_reduction_is_said_as_an_attribute(kind: str, keep: int) -> None:
    """pnnx 20261020 loses it as an input: the grey of a picture, a sum over colours, stayed three colours."""
    model = graph(
        helper.make_node("Split", ["image"], ["top", "rest"], axis=2, num_outputs=2),
        helper.make_node(kind, ["rest", "axis"], ["found"], keepdims=keep),
        axis=np.array([1], dtype=np.int64),
    )
    adapted = for_ncnn(model, SIZE)
    np.testing.assert_allclose(answer(adapted), answer(model), rtol=1e-6)
    nodes = {node.op_type: node for node in onnx.load_model_from_string(adapted).graph.node}
    found = nodes[kind if kind != "ReduceSum" else "ReduceMean"]
    assert (list(found.input), helper.get_node_attr_value(found, "axes")) == (["rest"], [1])


def test_what_needs_no_other_words_stays() -> None:
    model = graph(helper.make_node("ReduceMean", ["image", "axes"], ["found"]), axes=np.array([2, 3], dtype=np.int64))
    assert for_ncnn(model, SIZE) == model


def whole(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("nodes", "constants", "says"),
    [
        (
            [helper.make_node("Slice", ["image", "start", "end", "axis", "step"], ["found"])],
            {"start": whole(-1), "end": whole(-100), "axis": whole(3), "step": whole(-1)},
            "Slice backwards or in steps",
        ),
        (
            [helper.make_node("Gather", ["image", "places"], ["found"], axis=1)],
            {"places": whole(2, 1, 0)},
            "Gather of several places",
        ),
        (
            [
                helper.make_node(
                    "MaxPool", ["image"], ["found"], kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 0, 0], ceil_mode=1
                )
            ],
            {},
            "MaxPool with uneven padding and sizes rounded up",
        ),
    ],
)
def test_what_would_be_lost_is_refused_with_its_layer(nodes: Sequence[Any], constants: Any, says: str) -> None:
    with pytest.raises(ExportError) as caught:
        for_ncnn(graph(*nodes, **constants), SIZE)
    assert str(caught.value) == (
        f"ncnn has no counterpart of {says}, in the layer 'found'. Choose another format, or another backbone."
    )


def test_several_views_are_refused_with_a_remedy_of_their_own() -> None:
    model = graph(
        helper.make_node("Transpose", ["image"], ["turned"], perm=[0, 1, 3, 2]),
        helper.make_node("Concat", ["image", "turned"], ["views"], axis=0),
        helper.make_node("ReduceMean", ["views", "all"], ["found"]),
        all=whole(0, 1, 2, 3),
    )
    with pytest.raises(
        ExportError,
        match=r"^ncnn has no counterpart of Concat of 2 pictures at once, in the layer 'views': it takes one\. Choose another "
        r"format, or a model that looks at one view of a picture\.$",
    ):
        for_ncnn(model, SIZE)


def test_layers_that_nobody_knows_and_lost_axes_are_told() -> None:
    head = "7767517\n3 3\nInput                    in0                      0 1 in0\n"
    knows = ["Input", "Reduction", "ReLU"].__contains__
    check_layers(f"{head}Reduction mean_1 1 1 in0 out0 0=3 1=0 -23303=1,0 4=1 5=1\n", knows)
    check_layers(f"{head}Reduction mean_1 1 1 in0 out0 0=3 1=1 -23303=0 4=1 5=1\n", knows)
    with pytest.raises(ValueError, match=r"^pnnx lost the axes of the operator Reduction, in the layer 'sum_1'$"):
        check_layers(f"{head}Reduction sum_1 1 1 in0 out0 0=0 1=0 -23303=0 4=1 5=1\n", knows)
    with pytest.raises(ValueError, match=r"^ncnn has no counterpart of the operator Erf, in the layer 'Erf_3'$"):
        check_layers(f"{head}ReLU relu_0 1 1 in0 1\nErf Erf_3 1 1 1 out0\n", knows)
