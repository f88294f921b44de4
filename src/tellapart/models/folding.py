"""What a graph works out anew for every picture although it is known. In: an ONNX model. Out: the same, folded. Next: export.py.

torch writes the padding before a convolution as a chain of nine operators on constants (ConstantOfShape, Slice, Transpose and
more). ONNX Runtime folds such chains when it loads a file; converters to other formats stop at them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

_LARGEST = 65536  # bytes of a result that a file may keep in place of the operators that make it
# Another value each time (those without an input are no chain anyway), or a graph of its own inside.
_NEVER = ("RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial", "If", "Loop", "Scan")


def fold(data: bytes) -> bytes:
    """The ONNX model `data` with chains of constants worked out, and paddings with zeros put into their convolutions.

    It gives what it gave before. Weights stay as they are, so that one that is used twice is still kept once.
    """
    import onnx

    model: Any = onnx.load_model_from_string(data)
    _fold_constants(model)
    _fold_paddings(model.graph)
    _remove_unused(model.graph)
    found: bytes = model.SerializeToString()
    return found


def constants_of(graph: Any) -> dict[str, NDArray[Any]]:
    """The values of the Constant nodes that hold a tensor, of any shape, by the name of the output."""
    from onnx import numpy_helper

    return {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t)
        for node in graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    }


def _fold_constants(model: Any) -> None:
    """Replace what constants alone lead to by constants, where these are small."""
    from onnx import helper, numpy_helper

    graph = model.graph
    chains = _chains(graph)
    worked_out = {name for node in chains if node.op_type != "Constant" for name in node.output}
    kept = [node for node in graph.node if not worked_out.intersection(node.output)]
    used = {name for node in kept for name in node.input} | {item.name for item in graph.output}
    wanted = sorted(worked_out & used)
    if not wanted:
        return
    inner = helper.make_graph(chains, "constants", [], [helper.make_empty_tensor_value_info(name) for name in wanted])
    alone = helper.make_model(inner, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    values = _work_out(alone.SerializeToString(), wanted)
    places = {name: value for name, value in values.items() if value.nbytes <= _LARGEST}
    folded = []
    for node in graph.node:
        if len(node.output) == 1 and node.output[0] in places:
            name = node.output[0]
            tensor = numpy_helper.from_array(np.asarray(places[name]), "")
            folded.append(helper.make_node("Constant", [], [name], name=node.name, value=tensor))
        else:
            folded.append(node)
    _replace(graph, folded)


def _work_out(model: bytes, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """What a graph without inputs gives, by name; nothing where ONNX Runtime cannot say, and the graph stays as it is."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return dict(zip(names, session.run(list(names), {}), strict=True))
    # It raises a dozen classes of its own; what is wrong with the whole model is said where the whole model is run.
    except Exception:
        return {}


def _chains(graph: Any) -> list[Any]:
    """The nodes that depend on Constant nodes alone, in their order."""
    known: set[str] = set()
    found = []
    for node in graph.node:
        constant = node.op_type == "Constant" or bool(node.input)
        if constant and node.op_type not in _NEVER and all(name in known or not name for name in node.input):
            known.update(node.output)
            found.append(node)
    return found


def _fold_paddings(graph: Any) -> None:
    """Put a padding with zeros into the convolution that alone takes it: Conv pads with zeros itself."""
    values = constants_of(graph)
    readers = Counter(name for node in graph.node for name in node.input)
    readers.update(item.name for item in graph.output)
    paddings = {node.output[0]: node for node in graph.node if node.op_type == "Pad"}
    for node in graph.node:
        padding = paddings.get(node.input[0]) if node.op_type == "Conv" else None
        if padding is None or readers[padding.output[0]] != 1:
            continue
        widths = _zero_padding(padding, values)
        attributes = {one.name: one for one in node.attribute}
        if widths is None or ("auto_pad" in attributes and attributes["auto_pad"].s != b"NOTSET"):
            continue
        if "pads" in attributes:
            own = [int(one) for one in attributes["pads"].ints]
            del attributes["pads"].ints[:]
            attributes["pads"].ints.extend(first + second for first, second in zip(own, widths, strict=True))
        else:
            node.attribute.add(name="pads", type=7, ints=widths)  # 7: INTS
        node.input[0] = padding.input[0]


def _zero_padding(node: Any, values: dict[str, NDArray[Any]]) -> list[int] | None:
    """How far a Pad node pads the axes after the first two, as Conv's attribute says it; None where Conv cannot do it."""
    mode = next((one.s for one in node.attribute if one.name == "mode"), b"constant")
    widths = values.get(node.input[1]) if len(node.input) > 1 else None
    filling = node.input[2] if len(node.input) > 2 else ""
    value = values.get(filling) if filling else np.zeros(())
    if mode != b"constant" or widths is None or value is None or value.any() or (len(node.input) > 3 and node.input[3]):
        return None
    pairs = widths.reshape(2, -1)
    if pairs.shape[1] < 3 or pairs.min() < 0 or pairs[:, :2].any():
        return None
    return [int(one) for one in pairs[:, 2:].reshape(-1)]


def _remove_unused(graph: Any) -> None:
    """Leave out the nodes whose outputs nobody reads any more."""
    needed = {item.name for item in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            needed.update(name for one in node.attribute for name in _read_inside(one))
            kept.append(node)
    _replace(graph, kept[::-1])


def _read_inside(attribute: Any) -> set[str]:
    """What the graphs in an attribute, of If and Loop, read; those of the graph outside among them."""
    graphs = [attribute.g, *attribute.graphs] if attribute.type in (5, 10) else []  # GRAPH, GRAPHS
    inside = {name for graph in graphs for node in graph.node for name in node.input}
    inside |= {item.name for graph in graphs for item in graph.output}
    deeper = [one for graph in graphs for node in graph.node for one in node.attribute]
    return inside.union(*(_read_inside(one) for one in deeper))


def _replace(graph: Any, nodes: list[Any]) -> None:
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
