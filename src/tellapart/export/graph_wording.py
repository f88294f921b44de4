"""The same said by other operators, which more converters know. In: an ONNX model. Out: it. Next: for_ncnn.py.

Shapes: N pictures, S side of the picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tellapart.export.graph_sizes import IMAGE

_SQUARES = ("ReduceL2", "ReduceSumSquare")


def take_planes(model: Any, size: int) -> None:
    """Take float32 [N, 3, S, S]; what the graph does first to a picture then falls away when it is folded."""
    from onnx import TensorProto, helper

    graph = model.graph
    (picture,) = graph.input
    number = picture.type.tensor_type.shape.dim[0]
    first = number.dim_value or number.dim_param
    inner = f"{IMAGE}_of_rows"
    nodes = [helper.make_node("Transpose", [IMAGE], [inner], perm=[0, 2, 3, 1])]
    for node in graph.node:
        copy = type(node).FromString(node.SerializeToString())
        copy.input[:] = [inner if name == IMAGE else name for name in copy.input]
        nodes.append(copy)
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info(IMAGE, TensorProto.FLOAT, [first, 3, size, size]))


def say_simply(model: Any) -> None:
    """Write ReduceL2 and ReduceSumSquare out: few converters know them as they are."""
    from onnx import helper, numpy_helper

    nodes = []
    for node in model.graph.node:
        copy = type(node).FromString(node.SerializeToString())
        if node.op_type not in _SQUARES:
            nodes.append(copy)
            continue
        given, found = node.input[0], node.output[0]
        square, total = f"{found}.square", found if node.op_type == "ReduceSumSquare" else f"{found}.sum"
        reduced = helper.make_node("ReduceSum", [square, *node.input[1:]], [total], name=f"{found}.sum")
        reduced.attribute.extend(one for one in copy.attribute if one.name != "axes")
        # Until version 17 these two have their axes as an attribute, and a sum has had them as an input since 13.
        axes = [list(one.ints) for one in copy.attribute if one.name == "axes"]
        if axes and len(node.input) == 1:
            model.graph.initializer.append(numpy_helper.from_array(np.array(axes[0], dtype=np.int64), f"{found}.axes"))
            reduced.input.append(f"{found}.axes")
        nodes += [helper.make_node("Mul", [given, given], [square], name=f"{found}.square"), reduced]
        if total != found:
            nodes.append(helper.make_node("Sqrt", [total], [found], name=f"{found}.root"))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
