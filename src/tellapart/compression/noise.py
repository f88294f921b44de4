"""Which layers of a network in integers hurt. In: a network, the same in integers, pictures. Out: noise. Next: float16.py.

What flows in both is compared at each layer that costs, in one pass: a layer hurts by as much as it is further from the float
network behind it than in front of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.compression.counting import HEAVY
from tellapart.runtime import Session

_RENAMED = "_QuantizeLinear_Input"  # what the quantizer adds to the name of an output that is rounded
_ROUNDED = "_DequantizeLinear_Output"  # and to that of one that is rounded on its way
_BETWEEN = ("DequantizeLinear", "QuantizeLinear")


def added_noise(network: bytes, integers: bytes, inputs: NDArray[np.uint8]) -> dict[str, float]:
    """Of each layer that costs in both, by its name, the share of noise that it adds: mean square over that of what flows.

    `inputs` uint8 [n, S, S, 3], n at least 1, are looked at one by one, so that memory holds what flows for one picture.
    """
    import onnx

    plain, made = onnx.load_model_from_string(network), onnx.load_model_from_string(integers)
    flows = {name for node in plain.graph.node for name in node.output} | {item.name for item in plain.graph.input}
    made_by = {name: node for node in made.graph.node for name in node.output}
    ends = {
        node.name: (_before(node.input[0], made_by), str(node.output[0]).removesuffix(_RENAMED))
        for node in made.graph.node
        if node.op_type in HEAVY
    }
    ends = {name: both for name, both in ends.items() if flows.issuperset(both)}
    names = list(dict.fromkeys(name for both in ends.values() for name in both))
    # What a layer gives is looked at as it is rounded, which also cuts it off where the network did that after the layer.
    rounded = {name: f"{name}{_ROUNDED}" for _, name in ends.values() if f"{name}{_ROUNDED}" in made_by}
    shown = [rounded.get(name, name) for name in names]
    sessions = [(_showing(plain, names), names), (_showing(made, shown), shown)]
    wrong, whole = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for image in inputs:
        arrays = (session.run(image[None], told) for session, told in sessions)
        for name, wanted, found in zip(names, *arrays, strict=True):
            true = wanted.astype(np.float64)
            wrong[name] += float(np.square(found - true).sum())
            whole[name] += float(np.square(true).sum())
    share = {name: wrong[name] / whole[name] if whole[name] else 0.0 for name in names}
    return {name: share[after] - share[before] for name, (before, after) in ends.items()}


def _before(name: str, made_by: dict[str, Any]) -> str:
    """The tensor that a layer was given before it was rounded."""
    while name in made_by and made_by[name].op_type in _BETWEEN:
        name = made_by[name].input[0]
    return name


def _showing(model: Any, names: list[str]) -> Session:
    """The network with these tensors as its outputs."""
    import onnx

    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    shown.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    return Session(shown.SerializeToString(), source="the network")
