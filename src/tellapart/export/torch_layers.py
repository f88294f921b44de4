"""Operators that are layers of networks, in torch. In: tensors, attributes. Out: tensors. Next: torch_operators.py."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from tellapart.export.torch_shapes import Attributes, Given, Known, Operator


def convolution(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """Conv, in one to three axes."""
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


def transposed_convolution(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """ConvTranspose in two axes."""
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


def pooling(kind: str) -> Operator:
    """MaxPool in one or two axes, or AveragePool in two."""

    def pool(given: Given, known: Known, attributes: Attributes) -> Tensor:
        kernel = attributes["kernel_shape"]
        pads = attributes.get("pads", [0] * 2 * len(kernel))
        strides, ceil = attributes.get("strides", [1] * len(kernel)), bool(attributes.get("ceil_mode", 0))
        found: Tensor
        if kind == "max":
            data, padding = _padded(given[0], pads, float("-inf"))
            dilation = attributes.get("dilations", [1] * len(kernel))
            function = functional.max_pool1d if len(kernel) == 1 else functional.max_pool2d
            found = function(data, kernel, strides, padding, dilation, ceil_mode=ceil)
            return found
        counted = bool(attributes.get("count_include_pad", 0))
        if pads[: len(kernel)] != pads[len(kernel) :]:
            raise NotImplementedError("AveragePool with uneven padding")
        return functional.avg_pool2d(given[0], kernel, strides, pads[: len(kernel)], ceil, counted)

    return pool


def resize(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """Resize to a size that is known."""
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


def gemm(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """Gemm."""
    first = given[0].T if attributes.get("transA") else given[0]
    second = given[1].T if attributes.get("transB") else given[1]
    found: Tensor = first @ second
    if attributes.get("alpha", 1.0) != 1.0:
        found = found * attributes["alpha"]
    if len(given) > 2 and given[2] is not None:
        beta = attributes.get("beta", 1.0)
        found = found + (given[2] if beta == 1.0 else given[2] * beta)
    return found


def normalisation(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """BatchNormalization as at inference."""
    data, scale, offset, mean, variance = given[:5]
    return functional.batch_norm(data, mean, variance, scale, offset, eps=attributes.get("epsilon", 1e-5))


def layer_normalisation(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """LayerNormalization."""
    axis = attributes.get("axis", -1)
    shape = list(given[0].shape[axis:])
    bias = given[2] if len(given) > 2 else None
    return functional.layer_norm(given[0], shape, given[1], bias, eps=attributes.get("epsilon", 1e-5))


def instance_normalisation(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """InstanceNormalization."""
    return functional.instance_norm(given[0], weight=given[1], bias=given[2], eps=attributes.get("epsilon", 1e-5))


def pad(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """Pad by widths that are known."""
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
