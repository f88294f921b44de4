"""Parts of a graph left out: boxes' suppression, outputs. In: an ONNX model. Out: it, smaller. Next: graph_sizes.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SUPPRESSION = "NonMaxSuppression"
_BEFORE = "all_"  # what a network says at every place, before boxes are left out; under the output's name behind it


def suppresses(model: bytes) -> bool:
    """Whether the graph itself leaves out boxes that lie on others."""
    import onnx

    return any(node.op_type == SUPPRESSION for node in onnx.load_model_from_string(model).graph.node)


def without_suppression(model: Any) -> None:
    """Let the graph end before boxes are left out, where it does that; what it then gives has the outputs' own names."""
    from onnx import TensorProto, helper

    graph = model.graph
    if not any(node.op_type == SUPPRESSION for node in graph.node):
        return
    made = {name for node in graph.node for name in node.output}
    earlier = [item.name for item in graph.output if f"{_BEFORE}{item.name}" in made]
    instead = {name: f"{_BEFORE}{name}" for name in earlier}
    beside = [item for item in graph.output if not _comes_after(graph, item.name)]
    nodes = [node for node in graph.node if not set(node.output) & set(instead)]
    nodes += [helper.make_node("Identity", [inner], [name]) for name, inner in instead.items()]
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in instead]
    outputs += [type(item).FromString(item.SerializeToString()) for item in beside]
    del graph.node[:], graph.output[:]
    graph.node.extend(kept)
    graph.output.extend(outputs)
    drop_unused(graph)


def leave_out(model: Any, names: Sequence[str]) -> None:
    """Take outputs off a graph, and what was there for them alone."""
    graph = model.graph
    kept = [type(item).FromString(item.SerializeToString()) for item in graph.output if item.name not in names]
    del graph.output[:]
    graph.output.extend(kept)
    drop_unused(graph)


def _comes_after(graph: Any, output: str) -> bool:
    """Whether the suppression has a say in an output."""
    makers = {name: node for node in graph.node for name in node.output}
    waiting, seen = [output], set()
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or id(node) in seen:
            continue
        if node.op_type == SUPPRESSION:
            return True
        seen.add(id(node))
        waiting.extend(node.input)
    return False


def drop_unused(graph: Any) -> None:
    """Take off what no output needs."""
    needed = {item.name for item in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(type(node).FromString(node.SerializeToString()))
    del graph.node[:]
    graph.node.extend(kept[::-1])
    weights = [type(one).FromString(one.SerializeToString()) for one in graph.initializer if one.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)
