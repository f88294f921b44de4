"""Maps packed into one row and unpacked again: taken as they were. In: an ONNX model. Out: it, without. Next: graph_wording.py.

Detectors hand their maps on as one array, so that those of a frozen network can be kept. A converter that turns [N, C, H, W] into
[N, H, W, C] must find out which axis of the unpacked maps is which, and guesses wrongly where C, H and W are the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart.export.graph_cuts import drop_unused
from tellapart.export.graph_sizes import shapes_of

_RESHAPING = ("Reshape", "Flatten")


def leave_out_detours(model: Any, size: int, batch: int | None) -> None:
    """Read maps that were put together and taken apart again where they came from.

    For pictures of `size` pixels, `batch` of them at once; None for any number.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    splits = [node for node in graph.node if node.op_type == "Split" and _packed(node, makers) is not None]
    if not splits:
        return
    moving = [node for node in graph.node if node.op_type in _RESHAPING]
    names = [name for node in [*moving, *splits] for name in (node.input[0], *node.output)]
    names += [name for node in splits for name in makers[node.input[0]].input]
    names = list(dict.fromkeys(names))
    counts = (1, 2) if batch is None else (batch,)
    shapes = dict(
        zip(names, zip(*(shapes_of(model, names, size, count) for count in counts), strict=True), strict=True)
    )
    instead: dict[str, str] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = instead.get(name, name)
        if node in splits:
            instead |= _parts(node, makers, shapes)
        elif node.op_type in _RESHAPING:
            instead |= _as_before(node, makers, shapes)
    drop_unused(graph)


def _packed(node: Any, makers: Mapping[str, Any]) -> Any:
    """The node that put together what a Split takes apart; None where it is another."""
    maker = makers.get(node.input[0])
    return maker if maker is not None and maker.op_type == "Concat" and _axis(maker) == _axis(node) else None


def _axis(node: Any) -> int:
    return next((int(one.i) for one in node.attribute if one.name == "axis"), 0)


def _parts(node: Any, makers: Mapping[str, Any], shapes: Mapping[str, Any]) -> dict[str, str]:
    """What a Split gives, by where it came from; nothing where it cuts elsewhere."""
    given = list(makers[node.input[0]].input)
    same = [shapes[name] for name in given] == [shapes.get(name) for name in node.output]
    return dict(zip(node.output, given, strict=True)) if same else {}


def _as_before(node: Any, makers: Mapping[str, Any], shapes: Mapping[str, Any]) -> dict[str, str]:
    """What a reshape gives, by the map that had this shape before other reshapes; nothing where none had."""
    wanted, name = shapes[node.output[0]], node.input[0]
    while name in shapes:
        if shapes[name] == wanted:
            return {node.output[0]: name}
        maker = makers.get(name)
        if maker is None or maker.op_type not in _RESHAPING:
            break
        name = maker.input[0]
    return {}
