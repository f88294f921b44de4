"""A network in 8-bit integers. In: ONNX bytes, training pictures. Out: ONNX bytes. Next: straight_through.py.

Weights are int8 with a scale for each channel, what flows between layers is uint8 with a scale for each tensor, from the least to
the largest value that training pictures give: ONNX Runtime's QDQ form, u8s8. Percentiles and entropy were worse.
What stands after the last layers that cost, and these where they cost next to nothing, stays float32: numbers that are decided on
deserve their digits.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tellapart.compression.counting import HEAVY, HeavyLayer, heavy_layers
from tellapart.compression.cutting import loaded
from tellapart.runtime import BATCH, Session, cores
from tellapart.threads import in_order

Range: TypeAlias = tuple[np.float32, np.float32]

PICTURES = 128  # from which ranges are learned
USUAL_SIZE = 224  # pixels of a side; of larger pictures fewer are looked at at once
_CHEAP = 0.02  # of all weights, and of all MACs, that the last layers may have to stay float32
# Between the layers that cost, what can hand on integers as they are; the others compute in float32.
_OPERATORS = (*HEAVY, "Add", "Mul", "Clip", "Relu", "MaxPool", "AveragePool", "Concat", "Resize", "Pad")


class Int8:
    """One network whose ranges are learned, to be made with more or fewer of its layers in integers."""

    def __init__(self, network: bytes, inputs: NDArray[np.uint8]) -> None:
        """`inputs` uint8 [n, S, S, 3], n at least 1, as the network gets training pictures."""
        self._network = network
        self.layers: list[HeavyLayer] = heavy_layers(network, np.asarray(inputs[:1]))
        self._float = _outside(network, self.layers)
        self.ranges = _learned(network, inputs)  # of each tensor, its least and its largest value

    @property
    def candidates(self) -> list[HeavyLayer]:
        """The layers that are in integers unless they are spared."""
        return [one for one in self.layers if one.name not in self._float]

    def with_weights(self, network: bytes) -> Int8:
        """The same layers and ranges with the weights of `network`, which has the same nodes."""
        other = copy.copy(self)
        other._network = network
        return other

    def made(self, spared: Collection[str] = ()) -> bytes:
        """The network, but for the layers of these names, in integers."""
        return self._made(spared, {})

    def learnable(self) -> bytes:
        """The same network, whose weights are floats that are rounded where they are used."""
        return self._made((), {"AddQDQPairToWeight": True, "QuantizeBias": False})

    def _made(self, spared: Collection[str], options: Mapping[str, bool]) -> bytes:
        import onnx
        from onnxruntime.quantization import QuantType
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

        model = loaded(self._network)
        quantizer = QDQQuantizer(
            model,
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8.tensor_type,
            activation_qType=QuantType.QUInt8.tensor_type,
            tensors_range=_as_onnx_runtime(self.ranges),
            nodes_to_quantize=[],
            nodes_to_exclude=sorted({*self._float, *spared}),
            op_types_to_quantize=list(_OPERATORS),
            extra_options={"MinimumRealRange": 0.0001, **options},
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        made: onnx.ModelProto = quantizer.model.model
        del made.graph.value_info[:]
        return bytes(made.SerializeToString())


def _as_onnx_runtime(ranges: Mapping[str, Range]) -> Any:
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData

    return TensorsData(CalibrationMethod.MinMax, dict(ranges))


def _learned(network: bytes, inputs: NDArray[np.uint8]) -> dict[str, Range]:
    """Of each tensor that flows between layers.

    ONNX Runtime's own calibrator does the same without what makes a network quick, and keeps all that it saw.
    """
    import onnx

    names = _tensors(loaded(network))
    model = onnx.load_model_from_string(network)
    del model.graph.output[:]
    outputs = []
    for number, name in enumerate(names):
        for operator in ("ReduceMin", "ReduceMax"):
            outputs.append(f"{operator}.{number}")
            model.graph.node.append(onnx.helper.make_node(operator, [name], [outputs[-1]], keepdims=0))
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in outputs)
    session = Session(model.SerializeToString(), source="the network")
    at_once = at_once_of(inputs)
    starts = range(0, len(inputs), at_once)
    seen = in_order(
        starts,
        lambda at: np.array(session.run(np.asarray(inputs[at : at + at_once]), outputs), dtype=np.float32),
        workers=cores(),
        name="ranges",
    )
    found = np.stack(list(seen)).reshape(len(starts), len(names), 2)
    least, most = found[:, :, 0].min(axis=0), found[:, :, 1].max(axis=0)
    return {name: (low, high) for name, low, high in zip(names, least, most, strict=True)}


def at_once_of(inputs: NDArray[np.uint8]) -> int:
    """How many of inputs [n, S, S, 3] are looked at at once: all that flows is kept, of masks at 512 pixels 0.6 GB a picture."""
    side: int = max(USUAL_SIZE, inputs.shape[1])
    return max(1, BATCH * USUAL_SIZE**2 // (side * side))


def _tensors(model: Any) -> list[str]:
    """The numbers that flow into and out of what can be done in integers, in order."""
    from onnx import TensorProto

    floats = {item.name for item in model.graph.value_info if item.type.tensor_type.elem_type == TensorProto.FLOAT}
    floats |= {item.name for item in model.graph.output if item.type.tensor_type.elem_type == TensorProto.FLOAT}
    nodes = (node for node in model.graph.node if node.op_type in _OPERATORS)
    return [
        name for name in dict.fromkeys(name for node in nodes for name in (*node.input, *node.output)) if name in floats
    ]


def _outside(network: bytes, layers: Sequence[HeavyLayer]) -> set[str]:
    """The nodes before the first layers that cost and after the last ones; these too, where they cost next to nothing."""
    import onnx

    nodes = list(onnx.load_model_from_string(network).graph.node)
    after = _without(reversed(nodes), enter=lambda node: node.output, leave=lambda node: node.input)
    before = _without(nodes, enter=lambda node: node.input, leave=lambda node: node.output)
    used = {name: [node for node in nodes if name in node.input] for node in nodes for name in node.output}
    last = {
        node.name
        for node in nodes
        if node.op_type in HEAVY and all(one.name in after for name in node.output for one in used[name])
    }
    own = [one for one in layers if one.name in last]
    cheap = all(
        sum(getattr(one, cost) for one in own) <= _CHEAP * sum(getattr(one, cost) for one in layers)
        for cost in ("weights", "macs")
    )
    return before | after | (last if cheap else set())


def _without(
    nodes: Iterable[Any], *, enter: Callable[[Any], Iterable[str]], leave: Callable[[Any], Iterable[str]]
) -> set[str]:
    """The nodes, in that order, on no way to which there is one that costs."""
    behind, found = set[str](), set[str]()
    for node in nodes:
        if node.op_type in HEAVY or behind.intersection(enter(node)):
            behind.update(name for name in leave(node) if name)
        else:
            found.add(node.name)
    return found
