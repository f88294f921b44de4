"""Weights of a file in fewer bytes, and as they were again. In: an ONNX network. Out: arrays by name. Next: assembling.py.

A weight that is kept otherwise has the form's ending behind its name: `.half` are float16, `.int8` whole numbers from -127 to 127
that are multiplied by `.scale`, one for each row (or for each column of a matrix that stands on the right of a product). A runtime
works out the float32 numbers once, while it opens the file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

HALF, INT8, SCALE = ".half", ".int8", ".scale"
_LARGEST = 127
_FEWEST = 1_024  # numbers of a tensor; what is smaller saves nothing


def read_weights(model: Any) -> dict[str, NDArray[Any]]:
    """The numbers of a loaded ONNX model by name, those that are kept in fewer bytes as they are computed with."""
    from onnx import numpy_helper

    kept = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    found = dict(kept)
    for name, value in kept.items():
        if name.endswith(HALF):
            found[name.removesuffix(HALF)] = value.astype(np.float32)
        elif name.endswith(INT8) and (own := name.removesuffix(INT8)) + SCALE in kept:
            found[own] = value.astype(np.float32) * kept[own + SCALE]
    return found


def in_eight_bits(network: bytes, *, but: Callable[[str], bool]) -> bytes:
    """Weights of two axes or more as whole numbers with a scale a row or column, but for small ones and names that `but` takes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_model_from_string(network)
    right = {node.input[1] for node in model.graph.node if node.op_type == "MatMul" and len(node.input) > 1}
    kept, nodes = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor) if tensor.data_type == TensorProto.FLOAT else None
        if values is None or values.ndim < 2 or values.size < _FEWEST or but(tensor.name):
            kept.append(tensor)
            continue
        name, last = tensor.name, values.ndim - 1
        axes = tuple(axis for axis in range(values.ndim) if axis != (last if name in right else 0))
        scale = np.maximum(np.abs(values).max(axis=axes, keepdims=True) / _LARGEST, np.finfo(np.float32).tiny)
        whole = np.clip(np.rint(values / scale), -_LARGEST, _LARGEST).astype(np.int8)
        kept += [
            numpy_helper.from_array(whole, name + INT8),
            numpy_helper.from_array(scale.astype(np.float32), name + SCALE),
        ]
        nodes += [
            helper.make_node("Cast", [name + INT8], [f"{name}.cast"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}.cast", name + SCALE], [name]),
        ]
    nodes += list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    return bytes(model.SerializeToString())
