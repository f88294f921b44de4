"""A graph of texts as converters want it. In: ONNX. Out: ONNX that says the same. Next: torch_graph.py.

A network of sentences cuts its rows behind the longest text, whatever filled them up: that saves work, and changes no answer, since
what fills up is masked. How long the rows then are would be worked out from what is in them, which few runtimes can do.
"""

from __future__ import annotations

from typing import Any

from tellapart.export.graph_cuts import drop_unused

_CUT = "Slice"


def without_cutting(model: bytes) -> bytes:
    """The graph without cuts whose ends are worked out from the numbers of the texts."""
    import onnx
    from onnx import helper

    loaded: Any = onnx.load_model_from_string(model)
    graph = loaded.graph
    known = {one.name for one in graph.initializer}
    known |= {name for node in graph.node if node.op_type == "Constant" for name in node.output}
    cuts = [
        node
        for node in graph.node
        if node.op_type == _CUT and len(node.input) > 2 and node.input[2] not in known and _is_cut(graph, node)
    ]
    for node in cuts:
        node.CopyFrom(helper.make_node("Identity", [node.input[0]], list(node.output), name=node.name))
    if cuts:
        drop_unused(graph)
    data: bytes = loaded.SerializeToString()
    return data


def _is_cut(graph: Any, node: Any) -> bool:
    """Whether it ends where the longest text does: at a largest count."""
    makers = {name: one for one in graph.node for name in one.output}
    above = makers.get(node.input[2])
    below = makers.get(above.input[0]) if above is not None and above.op_type == "Max" else None
    return below is not None and below.op_type == "ReduceMax"
