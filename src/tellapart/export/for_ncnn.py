"""What pnnx would lose of a graph without a word: said so that it keeps it, or refused. In: ONNX. Out: ONNX. Next: torch_graph.py.

pnnx reads the axes of a reduction from an input, as ONNX has them since opset 18, only where there are two of them; one is
lost, and the layer then does nothing. As an attribute, as it was before, it is read. ncnn has no axis of pictures: what puts
several together, as views do, cannot be said.
"""

from __future__ import annotations

from typing import Any

from tellapart.errors import ExportError
from tellapart.export.graph_sizes import IMAGE, shapes_of

_OPSET = 17  # the last whose reductions have their axes as an attribute
_MEAN, _SUM = "ReduceMean", "ReduceSum"
_REDUCTIONS = (_MEAN, _SUM, "ReduceMax", "ReduceMin", "ReduceSumSquare", "ReduceL1", "ReduceL2")
_LATER = {"Resize": ("antialias", "keep_aspect_ratio_policy", "axes"), "Split": ("num_outputs",)}  # attributes since 18


def for_ncnn(model: bytes, size: int) -> bytes:
    """The graph of `model`, which takes one picture of planes of `size` pixels, as pnnx understands it.

    Raises: ExportError, which names the layer, for what ncnn has no counterpart of and pnnx would pass over.
    """
    import onnx

    graph: Any = onnx.load_model_from_string(model)
    constants = _constants(graph)
    names = [name for node in graph.graph.node for name in node.output if name and name not in constants]
    shapes = dict(zip(names, shapes_of(graph, names, size, 1), strict=True)) | {IMAGE: (1, 3, size, size)}
    _refuse_several(graph, shapes)
    for node in graph.graph.node:
        lacks = _lacking(node, constants)
        if lacks:
            raise ExportError(
                f"ncnn has no counterpart of {lacks}, in the layer {node.output[0]!r}. Choose another format, or another backbone."
            )
    if any(node.op_type in _REDUCTIONS and len(_axes(node, constants)) == 1 for node in graph.graph.node):
        _say_axes_inside(graph, constants, shapes)
    data: bytes = graph.SerializeToString()
    return data


def _constants(model: Any) -> dict[str, list[Any]]:
    from onnx import numpy_helper

    found = {one.name: numpy_helper.to_array(one).reshape(-1) for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t).reshape(-1)
    return {name: values[:64].tolist() for name, values in found.items()}


def _refuse_several(model: Any, shapes: dict[str, tuple[int, ...]]) -> None:
    for node in model.graph.node:
        shape = shapes.get(node.output[0], ())
        if len(shape) > 2 and shape[0] != 1:
            raise ExportError(
                f"ncnn has no counterpart of {node.op_type} of {shape[0]} pictures at once, in the layer {node.output[0]!r}: "
                "it takes one. Choose another format, or a model that looks at one view of a picture."
            )


def _lacking(node: Any, constants: dict[str, list[Any]]) -> str:
    """What a layer wants that ncnn has not; "" for nothing."""
    told = _attributes(node)
    steps = constants.get(node.input[4], [1]) if node.op_type == "Slice" and len(node.input) > 4 else [1]
    if any(step != 1 for step in steps):
        return "Slice backwards or in steps"
    if node.op_type == "Gather" and (node.input[1] not in constants or len(constants[node.input[1]]) > 1):
        return "Gather of several places"
    pads = told.get("pads", [])
    if node.op_type == "MaxPool" and told.get("ceil_mode") and pads[: len(pads) // 2] != pads[len(pads) // 2 :]:
        return "MaxPool with uneven padding and sizes rounded up"
    return ""


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


def _axes(node: Any, constants: dict[str, list[Any]]) -> list[int]:
    told = _attributes(node).get("axes")
    if told is not None:
        return list(told)
    return [int(axis) for axis in constants.get(node.input[1], [])] if len(node.input) > 1 else []


def _say_axes_inside(model: Any, constants: dict[str, list[Any]], shapes: dict[str, tuple[int, ...]]) -> None:
    """The graph in an earlier opset, with the axes of reductions as attributes; a sum over one axis as a mean, multiplied."""
    import numpy as np
    from onnx import numpy_helper

    nodes = []
    for node in model.graph.node:
        copy = type(node).FromString(node.SerializeToString())
        kept = [one for one in node.attribute if one.name not in _LATER.get(node.op_type, ())]
        del copy.attribute[:]
        copy.attribute.extend(kept)
        if node.op_type == "Split" and len(node.input) == 1:
            copy.input.append(f"{node.output[0]}.lengths")
            lengths = [shapes[name][_attributes(node).get("axis", 0)] for name in node.output]
            model.graph.initializer.append(numpy_helper.from_array(np.array(lengths, np.int64), copy.input[1]))
        nodes += _reduced(model, copy, _axes(node, constants), shapes) if node.op_type in _REDUCTIONS else [copy]
    del model.graph.node[:], model.opset_import[1:]
    model.graph.node.extend(nodes)
    model.opset_import[0].version = min(_OPSET, model.opset_import[0].version)


def _reduced(model: Any, node: Any, axes: list[int], shapes: dict[str, tuple[int, ...]]) -> list[Any]:
    import numpy as np
    from onnx import helper, numpy_helper

    keep, given, found = _attributes(node).get("keepdims", 1), node.input[0], node.output[0]
    if node.op_type != _SUM:
        told: dict[str, Any] = {"axes": axes} if axes else {}
        return [helper.make_node(node.op_type, [given], [found], name=node.name, keepdims=keep, **told)]
    if len(axes) != 1:
        return [node]
    mean, count = f"{found}.mean", f"{found}.count"
    model.graph.initializer.append(numpy_helper.from_array(np.array([shapes[given][axes[0]]], np.float32), count))
    first = helper.make_node(_MEAN, [given], [mean], name=mean, keepdims=keep, axes=axes)
    return [first, helper.make_node("Mul", [mean, count], [found], name=node.name)]
