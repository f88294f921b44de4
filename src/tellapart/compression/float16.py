"""Weights kept in half the bytes. In: an ONNX network. Out: the same, computing in float32. Next: counting.py.

A runtime turns them into float32 while it opens the file, so that answers differ by the rounding of weights alone.
"""

from __future__ import annotations

import numpy as np

_FEWEST = 64  # numbers of a tensor; what is smaller saves nothing
_LARGEST = 65504.0  # that a half can hold


def halve(network: bytes) -> bytes:
    """Every float32 tensor of the network kept as float16, but for small ones, and such as do not fit into its range."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_model_from_string(network)
    kept, casts = [], []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            kept.append(tensor)
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < _FEWEST or float(np.abs(values).max()) > _LARGEST:
            kept.append(tensor)
            continue
        half = f"{tensor.name}.half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(helper.make_node("Cast", [half], [tensor.name], name=f"{half}.cast", to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend([*casts, *nodes])
    return bytes(model.SerializeToString())
