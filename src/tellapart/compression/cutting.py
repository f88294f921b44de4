"""The network inside a model.onnx, without what stands behind it. In: bytes. Out: ONNX bytes, folded. Next: int8.py.

What is decided after the network (a classifier, calibration, boxes, novelty) is made anew for the compressed one, in float32. What
does not depend on the pictures is computed once, here: padding that is worked out, numbers that are multiplied by numbers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelFileError
from tellapart.runtime import Session
from tellapart.storage import check_room

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

IMAGE = "image"


def cut_network(model: bytes, ends: Sequence[str], sample: NDArray[np.uint8], *, source: str) -> bytes:
    """The part from `image` to those tensors of `ends` that there are, at least the first one, as its outputs in that order.

    `sample` uint8 [1, S, S, 3] is a picture to learn from what lengths the outputs have. Raises: ModelFileError for a file in
    which the first of `ends` is not.
    """
    import onnx

    whole = onnx.load_model_from_string(model)
    made_by = {name: node for node in whole.graph.node for name in node.output}
    if ends[0] not in made_by:
        raise ModelFileError(
            f"{source} has no tensor {ends[0]!r} at which its network ends, as where several networks answer together. "
            "Compress the run of one network, such as one fold in the folder folds/ of a run."
        )
    there = [name for name in ends if name in made_by]
    _keep_only(whole.graph, _needed(made_by, there))
    del whole.graph.output[:], whole.metadata_props[:]
    whole.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in there)
    _name_nodes(whole.graph)
    folded = onnx.load_model_from_string(_folded(whole.SerializeToString(), source))
    arrays = Session(folded.SerializeToString(), source=source).run(sample, there)
    free = {name for item in whole.graph.input for name in _names(item) if name != "N"}
    del folded.graph.output[:]
    for name, array in zip(there, arrays, strict=True):
        sides: list[Any] = list(array.shape[1:])
        if free and len(sides) == 3:  # a number a pixel: its height and width are those of the picture
            sides[1:] = ["H", "W"]
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        folded.graph.output.append(onnx.helper.make_tensor_value_info(name, kind, ["N", *sides]))
    return bytes(folded.SerializeToString())


def _needed(made_by: dict[str, Any], ends: Sequence[str]) -> set[str]:
    """Every tensor that `ends` are made of."""
    found, waiting = set[str](), list(ends)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name in made_by:
            waiting += [given for given in made_by[name].input if given]
    return found


def _keep_only(graph: GraphProto, needed: set[str]) -> None:
    nodes = [node for node in graph.node if needed.intersection(node.output)]
    numbers = [one for one in graph.initializer if one.name in needed]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numbers)


def _name_nodes(graph: GraphProto) -> None:
    """Each node by a name of its own: which layers stay float is said by names."""
    known = set[str]()
    for number, node in enumerate(graph.node):
        if not node.name or node.name in known:
            node.name = f"{node.op_type}_{number}"
        known.add(node.name)


def _names(item: Any) -> list[str]:
    """The dimensions of an input that have a name and no number."""
    return [one.dim_param for one in item.type.tensor_type.shape.dim if one.dim_param]


def _folded(model: bytes, source: str) -> bytes:
    """The same by ONNX Runtime's own simplifications, those that any runtime understands. Raises: ModelFileError, StorageError."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        options.log_severity_level = 4
        try:
            onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        # ONNX Runtime raises a dozen classes of its own for a graph that it cannot load.
        except Exception as error:
            check_room(Path(tempfile.gettempdir()), len(model))
            reason = " ".join(str(error).split())[:200]
            raise ModelFileError(f"the network in {source} cannot be simplified ({reason}). Train it again.") from None
        return Path(options.optimized_model_filepath).read_bytes()


def loaded(network: bytes) -> ModelProto:
    """The graph with the shapes of what is inside."""
    import onnx

    return onnx.shape_inference.infer_shapes(onnx.load_model_from_string(network))
