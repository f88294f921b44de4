"""Sizes that a graph works out, told in numbers. In: an ONNX model. Out: it, without them. Next: graph_detours.py.

Shapes: N pictures, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tellapart.export.graph_cuts import drop_unused

IMAGE = "image"


def fix_sizes(model: Any, size: int) -> None:
    """Give the sizes of maps in numbers where the graph works them out from its maps: of pictures of one size they are known."""
    graph = model.graph
    constants = {one.name for one in graph.initializer}
    constants |= {name for node in graph.node if node.op_type == "Constant" for name in node.output}
    asked = [node for node in graph.node if _sized(node) not in ("", *constants)]
    if not asked:
        return
    names = [name for node in asked for name in (node.input[0], node.output[0])]
    one, two = (dict(zip(names, shapes_of(model, names, size, count), strict=True)) for count in (1, 2))
    for number, node in enumerate(asked):
        given, found, doubled = one[node.input[0]], one[node.output[0]], two[node.output[0]]
        fixed = _resized(given, found) if node.op_type == "Resize" else _reshaped(found, doubled)
        if fixed is not None:
            _with_size(graph, node, f"size.{number}", fixed)
    drop_unused(graph)


def _sized(node: Any) -> str:
    """The tensor that says how large the output of a node is to be; "" where there is none."""
    place = {"Resize": 3, "Reshape": 1}.get(node.op_type)
    return node.input[place] if place is not None and len(node.input) > place else ""


def _resized(given: tuple[int, ...], found: tuple[int, ...]) -> NDArray[Any] | None:
    """By how much a map is enlarged; None where arithmetic's last digit would make another size of it."""
    scales = np.array([out / before for before, out in zip(given, found, strict=True)], dtype=np.float32)
    same = all(int(before * scale) == out for before, scale, out in zip(given, scales, found, strict=True))
    return scales if same else None


def _reshaped(found: tuple[int, ...], doubled: tuple[int, ...]) -> NDArray[Any] | None:
    """The shape, with -1 for what grows with the number of pictures; None where more than one length does."""
    lengths = [one if one == other else -1 for one, other in zip(found, doubled, strict=True)]
    return np.array(lengths, dtype=np.int64) if lengths.count(-1) <= 1 else None


def _with_size(graph: Any, node: Any, name: str, value: NDArray[Any]) -> None:
    from onnx import helper, numpy_helper

    graph.initializer.append(numpy_helper.from_array(value, name))
    inputs = [node.input[0], "", name] if node.op_type == "Resize" else [node.input[0], name]
    kept = helper.make_node(node.op_type, inputs, list(node.output), name=node.name)
    kept.attribute.extend(one for one in node.attribute if one.name != "allowzero")
    node.CopyFrom(kept)


def shapes_of(model: Any, names: Sequence[str], size: int, count: int) -> list[tuple[int, ...]]:
    """Of some tensors, for `count` pictures."""
    from onnx import helper

    copy = type(model).FromString(model.SerializeToString())
    del copy.graph.output[:]
    copy.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(names))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(copy.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (picture,) = session.get_inputs()
    planes = picture.type == "tensor(float)"
    sample = np.zeros((count, 3, size, size), np.float32) if planes else np.zeros((count, size, size, 3), np.uint8)
    found = session.run(list(names), {IMAGE: sample})
    return [tuple(one.shape) for one in found]
