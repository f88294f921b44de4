"""Weights kept in half the bytes. In: an ONNX network. Out: the same, computing in float32. Next: counting.py.

A runtime turns them into float32 while it opens the file, so that answers differ by the rounding of weights alone.
"""

from __future__ import annotations

import numpy as np

_FEWEST = 64  # numbers of a tensor; what is smaller saves nothing
_LARGEST = 65504.0  # that a half can hold
_ROUNDING = ("QuantizeLinear", "DequantizeLinear")


def halve(network: bytes, *, prefix: str = "") -> bytes:
    """Every float32 tensor of the network kept as float16, but for small ones, and such as do not fit into its range.

    Scales of integers stay: some are smaller than any half. With a `prefix` only the tensors whose names begin so.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_model_from_string(network)
    kept, casts = [], []
    scales = {node.input[1] for node in model.graph.node if node.op_type in _ROUNDING}
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or tensor.name in scales or not tensor.name.startswith(prefix):
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
