"""Maps packed into a row and unpacked are read where they came from. In: small graphs. Out: the same numbers, fewer steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tellapart.export.graph_detours import leave_out_detours

SIZE = 4


def packing(parts: Sequence[int], back: Sequence[int] = (-1, 3, 4, 4)) -> Any:
    """Two maps, of 3 colours at full and at half size, in one row; `parts` says how it is taken apart."""
    constants = {
        "parts": np.array(parts, dtype=np.int64),
        "back": np.array(back, dtype=np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["large"], perm=[0, 3, 1, 2]),
        helper.make_node("MaxPool", ["large"], ["small"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["large"], ["large_row"], axis=1),
        helper.make_node("Flatten", ["small"], ["small_row"], axis=1),
        helper.make_node("Concat", ["large_row", "small_row"], ["row"], axis=1),
        helper.make_node("Split", ["row", "parts"], ["first", "second"], axis=1),
        helper.make_node("Reshape", ["first", "back"], ["large_again"]),
        helper.make_node("Relu", ["large_again"], ["found"]),
        helper.make_node("Relu", ["second"], ["rest"]),
    ]
    graph = helper.make_graph(
        nodes,
        "packing",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [helper.make_empty_tensor_value_info(name) for name in ("found", "rest")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def kinds(model: Any) -> list[str]:
    return [node.op_type for node in model.graph.node]


def same_answers(model: Any, other: Any) -> None:
    images = np.random.default_rng(2).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
    one, two = (
        onnxruntime.InferenceSession(either.SerializeToString(), providers=["CPUExecutionProvider"]).run(
            ["found", "rest"], {"image": images}
        )
        for either in (model, other)
    )
    for expected, found in zip(one, two, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("batch", [None, 3])
def test_what_was_packed_is_read_where_it_came_from(batch: int | None) -> None:
    model, before = packing([48, 12]), packing([48, 12])
    leave_out_detours(model, SIZE, batch)
    assert kinds(model) == ["Cast", "Transpose", "MaxPool", "Flatten", "Relu", "Relu"]
    same_answers(before, model)


def test_maps_of_another_shape_are_still_reshaped() -> None:
    model, before = packing([48, 12], back=[-1, 4, 4, 3]), packing([48, 12], back=[-1, 4, 4, 3])
    leave_out_detours(model, SIZE, None)
    assert kinds(model) == ["Cast", "Transpose", "MaxPool", "Flatten", "Flatten", "Reshape", "Relu", "Relu"]
    same_answers(before, model)


def test_a_row_that_is_cut_elsewhere_stays() -> None:
    model = packing([36, 24], back=[-1, 3, 3, 4])
    leave_out_detours(model, SIZE, None)
    assert model == packing([36, 24], back=[-1, 3, 3, 4])


def test_a_graph_that_packs_nothing_stays(tiny_bytes: bytes) -> None:
    model = onnx.load_model_from_string(tiny_bytes)
    leave_out_detours(model, 16, None)
    assert model == onnx.load_model_from_string(tiny_bytes)
