"""What each ONNX operator is in torch. In: tensors, attributes. Out: tensors. Next: torch_graph.py.

As ONNX defines them (onnx.ai/onnx/operators), for float tensors and for the few of whole numbers that our graphs have. What a
graph says of sizes, axes and limits is there as plain values: torch's exporters want them so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tellapart.export.torch_layers import (
    convolution,
    gemm,
    instance_normalisation,
    layer_normalisation,
    normalisation,
    pad,
    pooling,
    resize,
    transposed_convolution,
)
from tellapart.export.torch_shapes import (
    Attributes,
    Given,
    Known,
    Operator,
    flatten,
    gather,
    reshape,
    slice_of,
    split,
    squeeze,
    unsqueeze,
)

_DTYPES = MappingProxyType(  # by ONNX's number
    {1: torch.float32, 2: torch.uint8, 3: torch.int8, 6: torch.int32, 7: torch.int64, 9: torch.bool, 11: torch.float64}
)


def _reduction(reduce: Callable[[Tensor, list[int], bool], Tensor]) -> Operator:
    def apply(given: Given, known: Known, attributes: Attributes) -> Tensor:
        axes = known[1] if len(given) > 1 and given[1] is not None else attributes.get("axes")
        axes = list(range(given[0].ndim)) if axes is None else [int(axis) for axis in axes]
        return reduce(given[0], axes, bool(attributes.get("keepdims", 1)))

    return apply


def _clip(given: Given, known: Known, attributes: Attributes) -> Tensor:
    limits = [known[place] if len(known) > place else None for place in (1, 2)]
    least, most = (limit[0] if limit else None for limit in limits)
    found: Tensor = functional.relu6(given[0]) if (least, most) == (0, 6) else given[0].clamp(least, most)
    return found


def _least_or_most(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    def apply(given: Given, known: Known, attributes: Attributes) -> Tensor:
        found: Tensor = given[0]
        for other in given[1:]:
            found = function(found, other)
        return found

    return apply


def _plain(function: Callable[..., Any]) -> Operator:
    """An operator without attributes."""
    return lambda given, known, attributes: function(*given)


def _squares(data: Tensor, axes: list[int], keep: bool) -> Tensor:
    return (data * data).sum(axes, keepdim=keep)


OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "Abs": _plain(torch.abs),
        "Add": _plain(torch.add),
        "And": _plain(torch.logical_and),
        "AveragePool": pooling("average"),
        "BatchNormalization": normalisation,
        "Cast": lambda given, known, attributes: given[0].to(_DTYPES[attributes["to"]]),
        "Clip": _clip,
        "Concat": lambda given, known, attributes: torch.cat(list(given), attributes["axis"]),
        "Conv": convolution,
        "ConvTranspose": transposed_convolution,
        "Div": _plain(torch.div),
        "Dropout": lambda given, known, attributes: given[0],
        "Elu": lambda given, known, attributes: functional.elu(given[0], attributes.get("alpha", 1.0)),
        "Equal": _plain(torch.eq),
        "Erf": _plain(torch.erf),
        "Exp": _plain(torch.exp),
        "Flatten": flatten,
        "Gather": gather,
        "Gelu": lambda given, known, attributes: functional.gelu(
            given[0], approximate=attributes.get("approximate", "none")
        ),
        "Gemm": gemm,
        "GlobalAveragePool": lambda given, known, attributes: given[0].mean((2, 3), keepdim=True),
        "GlobalMaxPool": lambda given, known, attributes: given[0].amax((2, 3), keepdim=True),
        "HardSigmoid": lambda given, known, attributes: (
            given[0] * attributes.get("alpha", 0.2) + attributes.get("beta", 0.5)
        ).clamp(0, 1),
        "HardSwish": _plain(functional.hardswish),
        "Identity": lambda given, known, attributes: given[0],
        "InstanceNormalization": instance_normalisation,
        "LayerNormalization": layer_normalisation,
        "LeakyRelu": lambda given, known, attributes: functional.leaky_relu(given[0], attributes.get("alpha", 0.01)),
        "Log": _plain(torch.log),
        "MatMul": _plain(torch.matmul),
        "Max": _least_or_most(torch.maximum),
        "MaxPool": pooling("max"),
        "Mean": lambda given, known, attributes: sum(given[1:], given[0]) / len(given),
        "Min": _least_or_most(torch.minimum),
        "Mul": _plain(torch.mul),
        "Neg": _plain(torch.neg),
        "Not": _plain(torch.logical_not),
        "Pad": pad,
        "Pow": _plain(torch.pow),
        "Reciprocal": _plain(torch.reciprocal),
        "ReduceL2": _reduction(lambda data, axes, keep: _squares(data, axes, keep).sqrt()),
        "ReduceMax": _reduction(lambda data, axes, keep: data.amax(axes, keepdim=keep)),
        "ReduceMean": _reduction(lambda data, axes, keep: data.mean(axes, keepdim=keep)),
        "ReduceMin": _reduction(lambda data, axes, keep: data.amin(axes, keepdim=keep)),
        "ReduceSum": _reduction(lambda data, axes, keep: data.sum(axes, keepdim=keep)),
        "ReduceSumSquare": _reduction(_squares),
        "Relu": _plain(functional.relu),
        "Reshape": reshape,
        "Resize": resize,
        "Sigmoid": _plain(torch.sigmoid),
        "Slice": slice_of,
        "Softmax": lambda given, known, attributes: functional.softmax(given[0], attributes.get("axis", -1)),
        "Softplus": _plain(functional.softplus),
        "Split": split,
        "Sqrt": _plain(torch.sqrt),
        "Squeeze": squeeze,
        "Sub": _plain(torch.sub),
        "Tanh": _plain(torch.tanh),
        "Transpose": lambda given, known, attributes: given[0].permute(attributes["perm"]),
        "Unsqueeze": unsqueeze,
    }
)
