"""What each ONNX operator is in torch. In: tensors, attributes. Out: tensors. Next: torch_graph.py.

As ONNX defines them (onnx.ai/onnx/operators), for float tensors and for the few of whole numbers that our graphs have. What a
graph says of sizes, axes and limits is there as plain values: torch's exporters want them so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Attributes: TypeAlias = Mapping[str, Any]
Given: TypeAlias = Sequence[Any]  # a tensor each; None for an input that is left out
Known: TypeAlias = Sequence[list[Any] | None]  # the values of those that are constants, flattened; None for others
Operator: TypeAlias = Callable[[Given, Known, Attributes], Any]

_DTYPES = MappingProxyType(  # by ONNX's number
    {1: torch.float32, 2: torch.uint8, 3: torch.int8, 6: torch.int32, 7: torch.int64, 9: torch.bool, 11: torch.float64}
)


def _convolution(given: Given, known: Known, attributes: Attributes) -> Tensor:
    data, weight = given[0], given[1]
    bias = given[2] if len(given) > 2 else None
    axes = weight.ndim - 2
    data, padding = _padded(data, attributes.get("pads", [0] * 2 * axes), 0.0)
    function = (functional.conv1d, functional.conv2d, functional.conv3d)[axes - 1]
    found: Tensor = function(
        data,
        weight,
        bias,
        stride=attributes.get("strides", [1] * axes),
        padding=padding,
        dilation=attributes.get("dilations", [1] * axes),
        groups=attributes.get("group", 1),
    )
    return found


def _transposed_convolution(given: Given, known: Known, attributes: Attributes) -> Tensor:
    data, weight = given[0], given[1]
    pads, extra = attributes.get("pads", [0, 0, 0, 0]), attributes.get("output_padding", [0, 0])
    if pads[:2] != pads[2:]:
        raise NotImplementedError("ConvTranspose with uneven padding")
    return functional.conv_transpose2d(
        data,
        weight,
        given[2] if len(given) > 2 else None,
        stride=attributes.get("strides", [1, 1]),
        padding=pads[:2],
        output_padding=extra,
        groups=attributes.get("group", 1),
        dilation=attributes.get("dilations", [1, 1]),
    )


def _padded(data: Tensor, pads: Sequence[int], filling: float) -> tuple[Tensor, list[int]]:
    """Data padded where the two ends differ, and what is left for the operator itself to pad."""
    half = len(pads) // 2
    before, after = list(pads[:half]), list(pads[half:])
    if before == after:
        return data, before
    widths = [width for pair in zip(reversed(before), reversed(after), strict=True) for width in pair]
    return functional.pad(data, widths, value=filling), [0] * half


def _pooling(kind: str) -> Operator:
    def pool(given: Given, known: Known, attributes: Attributes) -> Tensor:
        kernel = attributes["kernel_shape"]
        pads = attributes.get("pads", [0] * 2 * len(kernel))
        strides, ceil = attributes.get("strides", [1] * len(kernel)), bool(attributes.get("ceil_mode", 0))
        found: Tensor
        if kind == "max":
            data, padding = _padded(given[0], pads, float("-inf"))
            dilation = attributes.get("dilations", [1] * len(kernel))
            found = functional.max_pool2d(data, kernel, strides, padding, dilation, ceil_mode=ceil)
            return found
        counted = bool(attributes.get("count_include_pad", 0))
        if pads[: len(kernel)] != pads[len(kernel) :]:
            raise NotImplementedError("AveragePool with uneven padding")
        return functional.avg_pool2d(given[0], kernel, strides, pads[: len(kernel)], ceil, counted)

    return pool


def _reduction(reduce: Callable[[Tensor, list[int], bool], Tensor]) -> Operator:
    def apply(given: Given, known: Known, attributes: Attributes) -> Tensor:
        axes = known[1] if len(given) > 1 and given[1] is not None else attributes.get("axes")
        axes = list(range(given[0].ndim)) if axes is None else [int(axis) for axis in axes]
        return reduce(given[0], axes, bool(attributes.get("keepdims", 1)))

    return apply


def _slice(given: Given, known: Known, attributes: Attributes) -> Tensor:
    found: Tensor = given[0]
    starts, ends, axes, steps = (known[place] if len(known) > place else None for place in (1, 2, 3, 4))
    starts, ends = starts or [], ends or []
    axes, steps = axes or list(range(len(starts))), steps or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step > 0:
            index = [slice(None)] * (axis % found.ndim) + [slice(start, min(end, 2**31 - 1), step)]
            found = found[tuple(index)]
        elif step == -1 and start == -1 and end < -(2**31):
            found = found.flip(axis)
        else:
            raise NotImplementedError(f"Slice backwards from {start} to {end} by {step}")
    return found


def _reshape(given: Given, known: Known, attributes: Attributes) -> Tensor:
    shape = known[1]
    if shape is None:
        raise NotImplementedError("Reshape to a shape that is worked out for each picture")
    data: Tensor = given[0]
    return data.reshape([data.shape[number] if length == 0 else length for number, length in enumerate(shape)])


def _flatten(given: Given, known: Known, attributes: Attributes) -> Tensor:
    axis, data = attributes.get("axis", 1), given[0]
    length = math.prod(data.shape[axis:])
    found: Tensor = data.flatten(1) if axis == 1 else data.reshape([-1, length])
    return found


def _resize(given: Given, known: Known, attributes: Attributes) -> Tensor:
    data, mode = given[0], attributes.get("mode", "nearest")
    told = known[3] if len(known) > 3 else None
    sizes = told[2:] if told is not None else None
    if sizes is None:
        scales = known[2] if len(known) > 2 else None
        if not scales or list(scales[:2]) != [1, 1]:
            raise NotImplementedError("Resize to a size that is worked out for each picture")
        sizes = [int(length * scale) for length, scale in zip(data.shape[2:], scales[2:], strict=True)]
    places = attributes.get("coordinate_transformation_mode", "half_pixel")
    if mode == "nearest" and places == "asymmetric" and attributes.get("nearest_mode", "round_prefer_floor") == "floor":
        return functional.interpolate(data, size=sizes, mode="nearest")
    names = {"linear": "bilinear", "cubic": "bicubic"}
    if mode in names and places in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        return functional.interpolate(data, size=sizes, mode=names[mode], align_corners=places == "align_corners")
    raise NotImplementedError(f"Resize by {mode} with {places}")


def _gemm(given: Given, known: Known, attributes: Attributes) -> Tensor:
    first = given[0].T if attributes.get("transA") else given[0]
    second = given[1].T if attributes.get("transB") else given[1]
    found: Tensor = first @ second
    if attributes.get("alpha", 1.0) != 1.0:
        found = found * attributes["alpha"]
    if len(given) > 2 and given[2] is not None:
        beta = attributes.get("beta", 1.0)
        found = found + (given[2] if beta == 1.0 else given[2] * beta)
    return found


def _clip(given: Given, known: Known, attributes: Attributes) -> Tensor:
    limits = [known[place] if len(known) > place else None for place in (1, 2)]
    least, most = (limit[0] if limit else None for limit in limits)
    found: Tensor = functional.relu6(given[0]) if (least, most) == (0, 6) else given[0].clamp(least, most)
    return found


def _normalisation(given: Given, known: Known, attributes: Attributes) -> Tensor:
    data, scale, offset, mean, variance = given[:5]
    return functional.batch_norm(data, mean, variance, scale, offset, eps=attributes.get("epsilon", 1e-5))


def _layer_normalisation(given: Given, known: Known, attributes: Attributes) -> Tensor:
    axis = attributes.get("axis", -1)
    shape = list(given[0].shape[axis:])
    bias = given[2] if len(given) > 2 else None
    return functional.layer_norm(given[0], shape, given[1], bias, eps=attributes.get("epsilon", 1e-5))


def _instance_normalisation(given: Given, known: Known, attributes: Attributes) -> Tensor:
    return functional.instance_norm(given[0], weight=given[1], bias=given[2], eps=attributes.get("epsilon", 1e-5))


def _pad(given: Given, known: Known, attributes: Attributes) -> Tensor:
    pads, mode = known[1], attributes.get("mode", "constant")
    if pads is None or (len(given) > 3 and given[3] is not None):
        raise NotImplementedError("Pad by widths that are worked out for each picture")
    half = len(pads) // 2
    widths = [int(pads[side + axis]) for axis in reversed(range(half)) for side in (0, half)]
    if mode == "constant":
        value = known[2][0] if len(known) > 2 and known[2] else 0.0
        return functional.pad(given[0], widths, value=value)
    while len(widths) > 4 and widths[-2:] == [0, 0]:
        widths = widths[:-2]
    return functional.pad(given[0], widths, mode={"reflect": "reflect", "edge": "replicate"}[mode])


def _split(given: Given, known: Known, attributes: Attributes) -> Any:
    axis = attributes.get("axis", 0)
    parts = known[1] if len(known) > 1 and known[1] is not None else attributes.get("split")
    if parts is None:
        length, count = given[0].shape[axis], attributes["num_outputs"]
        return given[0].split(-(-length // count), axis)
    return given[0].split([int(part) for part in parts], axis)


def _gather(given: Given, known: Known, attributes: Attributes) -> Tensor:
    axis, numbers, data = attributes.get("axis", 0), given[1], given[0]
    places = known[1]
    if places is not None and numbers.ndim == 0:
        found: Tensor = data.select(axis, int(places[0]))
        return found
    found = data.index_select(axis, numbers.flatten())
    return found.reshape([*data.shape[:axis], *numbers.shape, *data.shape[axis + 1 :]])


def _squeeze(given: Given, known: Known, attributes: Attributes) -> Tensor:
    axes = known[1] if len(known) > 1 else attributes.get("axes")
    found: Tensor = given[0]
    for axis in sorted((int(one) % found.ndim for one in axes or ()), reverse=True):
        found = found.squeeze(axis)
    return found


def _unsqueeze(given: Given, known: Known, attributes: Attributes) -> Tensor:
    axes = known[1] if len(known) > 1 else attributes.get("axes")
    found: Tensor = given[0]
    for axis in sorted(int(one) for one in axes or ()):
        found = found.unsqueeze(axis)
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
        "AveragePool": _pooling("average"),
        "BatchNormalization": _normalisation,
        "Cast": lambda given, known, attributes: given[0].to(_DTYPES[attributes["to"]]),
        "Clip": _clip,
        "Concat": lambda given, known, attributes: torch.cat(list(given), attributes["axis"]),
        "Conv": _convolution,
        "ConvTranspose": _transposed_convolution,
        "Div": _plain(torch.div),
        "Dropout": lambda given, known, attributes: given[0],
        "Elu": lambda given, known, attributes: functional.elu(given[0], attributes.get("alpha", 1.0)),
        "Erf": _plain(torch.erf),
        "Exp": _plain(torch.exp),
        "Flatten": _flatten,
        "Gather": _gather,
        "Gelu": lambda given, known, attributes: functional.gelu(
            given[0], approximate=attributes.get("approximate", "none")
        ),
        "Gemm": _gemm,
        "GlobalAveragePool": lambda given, known, attributes: given[0].mean((2, 3), keepdim=True),
        "GlobalMaxPool": lambda given, known, attributes: given[0].amax((2, 3), keepdim=True),
        "HardSigmoid": lambda given, known, attributes: (
            given[0] * attributes.get("alpha", 0.2) + attributes.get("beta", 0.5)
        ).clamp(0, 1),
        "HardSwish": _plain(functional.hardswish),
        "Identity": lambda given, known, attributes: given[0],
        "InstanceNormalization": _instance_normalisation,
        "LayerNormalization": _layer_normalisation,
        "LeakyRelu": lambda given, known, attributes: functional.leaky_relu(given[0], attributes.get("alpha", 0.01)),
        "Log": _plain(torch.log),
        "MatMul": _plain(torch.matmul),
        "Max": _least_or_most(torch.maximum),
        "MaxPool": _pooling("max"),
        "Min": _least_or_most(torch.minimum),
        "Mul": _plain(torch.mul),
        "Neg": _plain(torch.neg),
        "Pad": _pad,
        "Pow": _plain(torch.pow),
        "Reciprocal": _plain(torch.reciprocal),
        "ReduceL2": _reduction(lambda data, axes, keep: _squares(data, axes, keep).sqrt()),
        "ReduceMax": _reduction(lambda data, axes, keep: data.amax(axes, keepdim=keep)),
        "ReduceMean": _reduction(lambda data, axes, keep: data.mean(axes, keepdim=keep)),
        "ReduceMin": _reduction(lambda data, axes, keep: data.amin(axes, keepdim=keep)),
        "ReduceSum": _reduction(lambda data, axes, keep: data.sum(axes, keepdim=keep)),
        "ReduceSumSquare": _reduction(_squares),
        "Relu": _plain(functional.relu),
        "Reshape": _reshape,
        "Resize": _resize,
        "Sigmoid": _plain(torch.sigmoid),
        "Slice": _slice,
        "Softmax": lambda given, known, attributes: functional.softmax(given[0], attributes.get("axis", -1)),
        "Softplus": _plain(functional.softplus),
        "Split": _split,
        "Sqrt": _plain(torch.sqrt),
        "Squeeze": _squeeze,
        "Sub": _plain(torch.sub),
        "Tanh": _plain(torch.tanh),
        "Transpose": lambda given, known, attributes: given[0].permute(attributes["perm"]),
        "Unsqueeze": _unsqueeze,
    }
)
