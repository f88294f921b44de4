"""A model's graph as a torch module that says the same. In: ONNX bytes. Out: OnnxNetwork. Next: torch_shapes.py.

TorchScript, torch.export and what is made through them begin with this, so that they hold all that model.onnx holds: what is done
to the picture's pixels, the network, views, calibration and novelty, also of compressed networks that no recipe builds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from tellapart.errors import ExportError
from tellapart.export.torch_operators import OPERATORS
from tellapart.export.torch_shapes import Operator

_CONSTANT = "Constant"
_SMALL = 64  # numbers of a tensor that may say a size, axes or limits


class OnnxNetwork(nn.Module):
    """uint8 [N, S, S, 3] to the graph's outputs, in their order. Batch norm is part of its convolutions."""

    def __init__(self, model: bytes, more: Mapping[str, Operator] = MappingProxyType({})) -> None:
        """`more` are operators beside the usual ones.

        Raises: ExportError, which names the operator and the layer, where torch has no counterpart.
        """
        super().__init__()
        import onnx
        from onnx import numpy_helper

        graph = onnx.load_model_from_string(model).graph
        self.inputs = tuple(item.name for item in graph.input)
        self.outputs = tuple(item.name for item in graph.output)
        arrays = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        for node in graph.node:
            if node.op_type == _CONSTANT:
                arrays[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        self._known = {name: array.reshape(-1).tolist() for name, array in arrays.items() if array.size <= _SMALL}
        self._names: dict[str, str] = {}
        for number, (name, array) in enumerate(arrays.items()):
            self._names[name] = f"constant_{number}"
            self.register_buffer(f"constant_{number}", torch.from_numpy(array.copy()))
        operators = {**OPERATORS, **more}
        self._steps = [_step(node, operators) for node in graph.node if node.op_type != _CONSTANT]

    def learnable(self, names: Iterable[str]) -> dict[str, nn.Parameter]:
        """Make parameters of the numbers of these names in the graph, and give them."""
        found = {}
        for name in names:
            own = self._names[name]
            found[name] = nn.Parameter(self.get_buffer(own))
            del self._buffers[own]
            self.register_parameter(own, found[name])
            self._known.pop(name, None)
        return found

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """The outputs, each [N, ...]."""
        values: dict[str, Any] = {name: getattr(self, own) for name, own in self._names.items()}
        values[self.inputs[0]] = image
        for step in self._steps:
            given = [values[name] if name else None for name in step.inputs]
            known = [self._known.get(name) for name in step.inputs]
            found = step.apply(given, known)
            several = found if isinstance(found, (tuple, list)) else (found,)
            values.update(zip(step.outputs, several, strict=False))
        return tuple(values[name] for name in self.outputs)


class _Step:
    """One operator of the graph."""

    def __init__(
        self, kind: str, operator: Operator, attributes: dict[str, Any], inputs: Sequence[str], outputs: Sequence[str]
    ) -> None:
        self.kind, self.operator, self.attributes = kind, operator, attributes
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)

    def apply(self, given: Sequence[Any], known: Sequence[list[Any] | None]) -> Any:
        """Raises: ExportError for what torch has no counterpart of."""
        try:
            return self.operator(given, known, self.attributes)
        except NotImplementedError as error:
            raise ExportError(
                f"torch has no counterpart of {error}, in the layer {self.outputs[0]!r}. Choose another format, or another "
                "backbone."
            ) from None


def _step(node: Any, operators: Mapping[str, Operator]) -> _Step:
    from onnx import helper

    operator = operators.get(node.op_type)
    if operator is None or node.domain not in ("", "ai.onnx"):
        raise ExportError(
            f"torch has no counterpart of the operator {node.op_type}, in the layer {node.output[0]!r}. Choose another format, or "
            "another backbone."
        )
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    plain = {name: value.decode() if isinstance(value, bytes) else value for name, value in attributes.items()}
    plain = {name: list(value) if isinstance(value, (list, tuple)) else value for name, value in plain.items()}
    return _Step(node.op_type, operator, plain, node.input, node.output)
