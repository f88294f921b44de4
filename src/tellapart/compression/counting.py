"""How much a network computes: multiplications with an addition each. In: ONNX bytes, a picture. Out: MACs. Next: int8.py.

Counted where nearly all of it is, in convolutions and products of matrices, as timm and fvcore count them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.runtime import Session

HEAVY = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeavyLayer:
    """One operation that costs."""

    name: str  # the node's
    operator: str
    macs: int  # of one picture
    weights: int  # numbers; 0 where both factors come from the picture


def heavy_layers(network: bytes, sample: NDArray[np.uint8]) -> list[HeavyLayer]:
    """All of them, in order, for one picture `sample` uint8 [1, S, S, 3]; over all its views, where it has several."""
    import onnx

    model = onnx.load_model_from_string(network)
    shapes = {one.name: tuple(one.dims) for one in model.graph.initializer}
    through = _origins(model)
    nodes = [node for node in model.graph.node if node.op_type in HEAVY]
    # A transposed convolution multiplies each number that comes in by its kernel; the others, for each number that goes out.
    told = [node.input[0] if node.op_type == "ConvTranspose" else node.output[0] for node in nodes]
    known = {item.name for item in model.graph.output}
    names = list(dict.fromkeys(told))
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in known)
    session = Session(model.SerializeToString(), source="the network") if names else None
    arrays = {} if session is None else dict(zip(names, session.run(sample, names), strict=True))
    found = []
    for node, name in zip(nodes, told, strict=True):
        sizes = [shapes[through.get(one, one)] for one in node.input if through.get(one, one) in shapes]
        weight = sizes[0] if sizes else ()
        macs = _macs(node.op_type, arrays[name].shape, weight)
        found.append(HeavyLayer(name=node.name, operator=node.op_type, macs=macs, weights=math.prod(weight or (0,))))
    return found


def _macs(operator: str, shape: tuple[int, ...], weight: tuple[int, ...]) -> int:
    """Of one layer: `shape` of its output, of a transposed convolution that of its input."""
    if operator == "ConvTranspose":
        return math.prod(shape) // shape[1] * math.prod(weight)
    if operator == "Conv":
        return math.prod(shape) * math.prod(weight[1:])
    return math.prod(shape) // shape[-1] * math.prod(weight) if weight else 0


def _origins(model: object) -> dict[str, str]:
    """Of tensors that are numbers in another form (integers, halves) the numbers' name."""
    found: dict[str, str] = {}
    for node in model.graph.node:  # type: ignore[attr-defined]
        if node.op_type in ("DequantizeLinear", "Cast", "Identity") and node.input:
            found[node.output[0]] = found.get(node.input[0], node.input[0])
    return found
