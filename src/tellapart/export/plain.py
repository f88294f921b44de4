"""What converters are given: a model's graph, without what their runtimes lack. In: model.onnx. Out: ONNX. Next: torch_graph.py.

ONNX Runtime's basic optimisation works out what is known and fuses what belongs together; converters stop less often at what is
left. Nothing here changes what the network says.

Shapes: N pictures, S side of the picture.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tellapart.errors import ExportError
from tellapart.storage import storage_errors

IMAGE = "image"
SUPPRESSION = "NonMaxSuppression"
_SQUARES = ("ReduceL2", "ReduceSumSquare")
_BEFORE = "all_"  # what a network says at every place, before boxes are left out; under the output's name behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the graph takes."""

    size: int | None  # S, of graphs that would take any; None: they stay so
    batch: int | None = None  # N that it takes; None: any
    suppressed: bool = True  # whether boxes that lie on others are left out in the graph, where the model does that
    simple: bool = False  # whether lengths and sums of squares are to be said by multiplications, sums and roots
    without: tuple[str, ...] = ()  # outputs that are left out
    planes: bool = False  # float32 [N, 3, S, S] of 0 to 255 in place of uint8 [N, S, S, 3]


def plain(model: bytes, shape: Shape) -> bytes:
    """The graph of `model` as ONNX without a manifest, for a runtime that takes `shape`.

    Raises: ExportError where ONNX Runtime cannot fold it; StorageError without a place for temporary files.
    """
    import onnx

    graph: Any = onnx.load_model_from_string(model)
    del graph.metadata_props[:]
    if not shape.suppressed:
        without_suppression(graph)
    _fix(graph, shape)
    if shape.without:
        _leave_out(graph, shape.without)
    if shape.simple:
        _say_simply(graph)
    if shape.planes and shape.size is not None:
        _take_planes(graph, shape.size)
    if shape.batch is None and shape.size is not None:
        _fix_sizes(graph, shape.size)
    return folded(graph)


def folded(model: Any) -> bytes:
    """An ONNX model after ONNX Runtime's basic optimisation, in ONNX's own operators. Raises: ExportError, StorageError."""
    import onnx

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with storage_errors(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory(prefix="tellapart-") as folder:
        path = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(path)
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        # ONNX Runtime raises a dozen classes of its own for a graph that it cannot load.
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ExportError(
                f"the graph cannot be folded by ONNX Runtime ({reason}). Train the model again."
            ) from None
        found: Any = onnx.load(path)
    foreign = sorted({node.op_type for node in found.graph.node if node.domain not in ("", "ai.onnx")})
    if foreign:
        raise ExportError(
            f"ONNX Runtime {onnxruntime.__version__} made operators of its own of the graph: {', '.join(foreign)}."
        )
    kept = [one for one in found.opset_import if one.domain in ("", "ai.onnx")][:1]
    del found.opset_import[:]
    found.opset_import.extend(kept)
    found.ir_version = model.ir_version
    data: bytes = found.SerializeToString()
    return data


def suppresses(model: bytes) -> bool:
    """Whether the graph itself leaves out boxes that lie on others."""
    import onnx

    return any(node.op_type == SUPPRESSION for node in onnx.load_model_from_string(model).graph.node)


def described(model: bytes) -> tuple[list[str], list[tuple[int, ...]]]:
    """The outputs of a graph by name, and the shape of each for one picture."""
    import onnx

    graph = onnx.load_model_from_string(model)
    names = [item.name for item in graph.graph.output]
    (picture,) = graph.graph.input
    lengths = picture.type.tensor_type.shape.dim
    size = max(lengths[1].dim_value, lengths[2].dim_value) or 64
    return names, _shapes(graph, names, size, 1)


def relative_differences(
    model: bytes, images: NDArray[np.uint8], found: Mapping[str, NDArray[Any]]
) -> dict[str, float]:
    """How far each output that was `found` for uint8 [N, S, S, 3] is from the graph's own, relative to its largest number.

    inf for one of another shape.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (picture,) = session.get_inputs()
    given = images.transpose(0, 3, 1, 2).astype(np.float32) if picture.type == "tensor(float)" else images
    parts = [session.run(list(found), {IMAGE: given[at : at + 1]}) for at in range(len(given))]
    apart = {}
    for name, *own in zip(found, *parts, strict=True):
        expected, got = np.concatenate(own).astype(np.float64), np.asarray(found[name], dtype=np.float64)
        same = expected.shape == got.shape
        largest = max(float(np.abs(expected).max(initial=0)), 1e-12)
        apart[name] = float(np.abs(expected - got).max(initial=0)) / largest if same else float("inf")
    return apart


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
    _drop_unused(graph)


def _leave_out(model: Any, names: Sequence[str]) -> None:
    graph = model.graph
    kept = [type(item).FromString(item.SerializeToString()) for item in graph.output if item.name not in names]
    del graph.output[:]
    graph.output.extend(kept)
    _drop_unused(graph)


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


def _drop_unused(graph: Any) -> None:
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


def _fix(model: Any, shape: Shape) -> None:
    """Give the picture's height and width, and the number of pictures where it is told, in numbers."""
    told = {"H": shape.size, "W": shape.size, "N": shape.batch}
    known = {name: length for name, length in told.items() if length is not None}
    for item in [*model.graph.input, *model.graph.output]:
        for length in item.type.tensor_type.shape.dim:
            if length.dim_param in known:
                length.dim_value = known[length.dim_param]


def _take_planes(model: Any, size: int) -> None:
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


def _say_simply(model: Any) -> None:
    """Write ReduceL2 and ReduceSumSquare out: few converters know them as they are."""
    from onnx import helper

    nodes = []
    for node in model.graph.node:
        copy = type(node).FromString(node.SerializeToString())
        if node.op_type not in _SQUARES:
            nodes.append(copy)
            continue
        given, found = node.input[0], node.output[0]
        square, total = f"{found}.square", found if node.op_type == "ReduceSumSquare" else f"{found}.sum"
        reduced = helper.make_node("ReduceSum", [square, *node.input[1:]], [total], name=f"{found}.sum")
        reduced.attribute.extend(copy.attribute)
        nodes += [helper.make_node("Mul", [given, given], [square], name=f"{found}.square"), reduced]
        if total != found:
            nodes.append(helper.make_node("Sqrt", [total], [found], name=f"{found}.root"))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _fix_sizes(model: Any, size: int) -> None:
    """Give the sizes of maps in numbers where the graph works them out from its maps: of pictures of one size they are known."""
    graph = model.graph
    constants = {one.name for one in graph.initializer}
    constants |= {name for node in graph.node if node.op_type == "Constant" for name in node.output}
    asked = [node for node in graph.node if _sized(node) not in ("", *constants)]
    if not asked:
        return
    names = [name for node in asked for name in (node.input[0], node.output[0])]
    one, two = (dict(zip(names, _shapes(model, names, size, count), strict=True)) for count in (1, 2))
    for number, node in enumerate(asked):
        given, found, doubled = one[node.input[0]], one[node.output[0]], two[node.output[0]]
        fixed = _resized(given, found) if node.op_type == "Resize" else _reshaped(found, doubled)
        if fixed is not None:
            _with_size(graph, node, f"size.{number}", fixed)
    _drop_unused(graph)


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


def _shapes(model: Any, names: Sequence[str], size: int, count: int) -> list[tuple[int, ...]]:
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
