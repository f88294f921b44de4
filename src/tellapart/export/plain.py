"""What converters are given: a model's graph, without what their runtimes lack. In: model.onnx. Out: ONNX. Next: graph_cuts.py.

ONNX Runtime's basic optimisation works out what is known and fuses what belongs together; converters stop less often at what is
left. Nothing here changes what the network says.

Shapes: N pictures, S side of the picture.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tellapart.errors import ExportError
from tellapart.export.graph_cuts import leave_out, without_suppression
from tellapart.export.graph_detours import leave_out_detours
from tellapart.export.graph_sizes import fix_sizes, shapes_of
from tellapart.export.graph_wording import say_simply, take_planes
from tellapart.storage import check_room, storage_errors


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
        leave_out(graph, shape.without)
    if shape.simple:
        say_simply(graph)
    if shape.planes and shape.size is not None:
        take_planes(graph, shape.size)
    if shape.batch is None and shape.size is not None:
        fix_sizes(graph, shape.size)
    if shape.size is not None:
        leave_out_detours(graph, shape.size, shape.batch)
    return folded(graph)


def _fix(model: Any, shape: Shape) -> None:
    """Give the picture's height and width, and the number of pictures where it is told, in numbers."""
    told = {"H": shape.size, "W": shape.size, "N": shape.batch}
    known = {name: length for name, length in told.items() if length is not None}
    for item in [*model.graph.input, *model.graph.output]:
        for length in item.type.tensor_type.shape.dim:
            if length.dim_param in known:
                length.dim_value = known[length.dim_param]


def folded(model: Any) -> bytes:
    """An ONNX model after ONNX Runtime's basic optimisation, in ONNX's own operators. Raises: ExportError, StorageError."""
    import onnx

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with storage_errors(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory(prefix="tellapart-") as folder:
        path = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(path)
        data: bytes = model.SerializeToString()
        try:
            onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        # ONNX Runtime raises a dozen classes of its own for a graph that it cannot load.
        except Exception as error:
            check_room(Path(tempfile.gettempdir()), len(data))
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
    return bytes(found.SerializeToString())


def described(model: bytes, sample: NDArray[Any] | None = None) -> tuple[list[str], list[tuple[int, ...]]]:
    """The outputs of a graph by name, and the shape of each for one picture, or for what else the graph takes, `sample`."""
    import onnx

    graph = onnx.load_model_from_string(model)
    names = [item.name for item in graph.graph.output]
    if sample is not None:
        session = _session(model)
        return names, [tuple(one.shape) for one in session.run(names, {session.get_inputs()[0].name: sample})]
    (picture,) = graph.graph.input
    lengths = picture.type.tensor_type.shape.dim
    size = max(lengths[1].dim_value, lengths[2].dim_value) or 64
    return names, shapes_of(graph, names, size, 1)


def relative_differences(model: bytes, images: NDArray[Any], found: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """How far each output that was `found` for inputs [N, ...] is from the graph's own, relative to its largest number.

    inf for one of another shape.
    """
    session = _session(model)
    (picture,) = session.get_inputs()
    given = (
        images.transpose(0, 3, 1, 2).astype(np.float32)
        if picture.type == "tensor(float)" and picture.shape[1] == 3
        else images
    )
    parts = [session.run(list(found), {picture.name: given[at : at + 1]}) for at in range(len(given))]
    apart = {}
    for name, *own in zip(found, *parts, strict=True):
        expected, got = np.concatenate(own).astype(np.float64), np.asarray(found[name], dtype=np.float64)
        same = expected.shape == got.shape
        largest = max(float(np.abs(expected).max(initial=0)), 1e-12)
        apart[name] = float(np.abs(expected - got).max(initial=0)) / largest if same else float("inf")
    return apart


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
