"""The layers of a network as a table, as Keras tells them. In: StagedNetwork. Out: list[Row]. Next: workflows/network.py.

Shapes are those of one picture, channels last as Keras tells them: height, width, channels. Nothing is computed: the network is
looked at on the device `meta`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from tellapart.models.last_maps import keras_count
from tellapart.models.scaffold import SingleOutput
from tellapart.models.staged import StagedNetwork

# How Keras calls torch's layers; what is not here keeps its own name.
_KINDS = {
    "Conv2dSame": "Conv2D",
    "Conv2d": "Conv2D",
    "StdConv2d": "Conv2D",
    "Linear": "Dense",
    "SingleOutput": "Dense",
    "BatchNorm2d": "BatchNormalization",
    "BatchNorm1d": "BatchNormalization",
    "BatchNormAct2d": "BatchNormalization",
    "LayerNorm": "LayerNormalization",
    "LayerNorm2d": "LayerNormalization",
    "MaxPool2d": "MaxPooling2D",
    "AvgPool2d": "AveragePooling2D",
    "AdaptiveAvgPool2d": "GlobalAveragePooling2D",
    "FastAdaptiveAvgPool": "GlobalAveragePooling2D",
    "AdaptiveMaxPool2d": "GlobalMaxPooling2D",
    "SiLU": "swish",
}
_GLOBAL = {"average": "GlobalAveragePooling2D", "max": "GlobalMaxPooling2D", "flatten": "Flatten"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One layer."""

    name: str  # its path in the network
    kind: str  # what Keras calls such a layer, where it has one
    shape: tuple[int, ...]  # of what it gives for one picture: (height, width, channels), or (numbers,)
    parameters: int  # as Keras counts them: with the means and variances of batch norms
    trained: bool  # whether any of them trains
    stage: int | None = None  # from 0; None: behind the stages
    detail: str = ""  # kernel, stride ..., in a few words


def layer_table(network: StagedNetwork) -> list[Row]:
    """The layers of `network` in the order in which a picture passes them; what does nothing (dropout of 0) is left out."""
    sketch = copy.deepcopy(network).to("meta").eval()
    rows: list[Row] = []
    last = [torch.zeros(1, network.channels, network.size, network.size, device="meta")]

    def note(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if not isinstance(output, Tensor) or _does_nothing(module):
                return
            if last[0].ndim == 4 and inputs and isinstance(inputs[0], Tensor) and inputs[0].ndim == 2:
                rows.extend(_between(last[0], inputs[0], sketch))
            rows.append(_row(name, module, output, sketch))
            last[:] = [output]

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in _layers(sketch)]
    try:
        with torch.inference_mode():
            sketch(torch.zeros(1, network.size, network.size, 3, dtype=torch.uint8, device="meta"))
    finally:
        for hook in hooks:
            hook.remove()
    return rows


def totals(rows: Sequence[Row], network: StagedNetwork) -> tuple[int, int]:
    """How many parameters there are, and how many of them train, as Keras counts them.

    Layers that are looked at once for several rows (a shared one) count once; what belongs to no layer (a transformer's positions)
    counts too.
    """
    trained = sum(value.numel() for value in network.parameters() if value.requires_grad)
    return keras_count(network), trained


def told_shape(shape: Sequence[int]) -> str:
    """(None, 7, 7, 512), as Keras writes it."""
    return f"({', '.join(('None', *map(str, shape)))})"


def _layers(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules that compute: those without others in them, and timm's batch norms, which have their activation in them."""
    whole = [name for name, module in network.named_modules() if isinstance(module, BatchNormAct2d)]
    return [
        (name, module)
        for name, module in network.named_modules()
        if name in whole
        or (name and not any(module.children()) and not any(name.startswith(f"{one}.") for one in whole))
    ]


def _does_nothing(module: nn.Module) -> bool:
    if isinstance(module, nn.Sequential):
        return not len(module)
    return isinstance(module, nn.Identity) or (isinstance(module, nn.Dropout) and module.p == 0)


def _shape(output: Tensor, *, channels_last: bool) -> tuple[int, ...]:
    if output.ndim == 4 and not channels_last:
        _, channels, height, width = output.shape
        return (height, width, channels)
    return tuple(output.shape[1:])


def _row(name: str, module: nn.Module, output: Tensor, network: StagedNetwork) -> Row:
    kind = type(module).__name__
    kind = _KINDS.get(kind, kind)
    # Of such networks only what has no channels in it, a norm or a linear layer, is given them last.
    last = getattr(network.trunk, "output_fmt", "NCHW") == "NHWC" and isinstance(module, (nn.LayerNorm, nn.Linear))
    shape = _shape(output, channels_last=last)
    if kind.startswith("Global"):
        shape = shape[-1:] if shape[:2] == (1, 1) else shape
    if name == "classifier":
        single = isinstance(module, SingleOutput)
        shape, kind = ((1,), "Dense, sigmoid") if single else (shape, "Dense, softmax")
    stage = None
    if name.startswith("trunk."):
        path = name.removeprefix("trunk.")
        found = [
            number
            for number, paths in enumerate(network.stages)
            if any(path == one or path.startswith(f"{one}.") for one in paths)
        ]
        stage = found[0] if found and len(network.stages) > 1 else None
    return Row(
        name=name.removeprefix("trunk."),
        kind=kind,
        shape=shape,
        parameters=keras_count(module),
        trained=any(value.requires_grad for value in module.parameters()),
        stage=stage,
        detail=_detail(module),
    )


def _between(maps: Tensor, vector: Tensor, network: StagedNetwork) -> list[Row]:
    """What turns maps into a vector without a layer of its own."""
    values, width = math.prod(maps.shape[1:]), vector.shape[1]
    kind = "Flatten" if width == values else _GLOBAL.get(network.pooling, _GLOBAL["average"])
    if width == values and maps.shape[2:] == (1, 1):
        return []  # a global pooling came before
    return [Row(name=kind.lower(), kind=kind, shape=(width,), parameters=0, trained=False)]


def _detail(module: Any) -> str:
    """Kernel, stride and the like, in a few words."""
    if isinstance(module, nn.Conv2d):
        groups = f", {module.groups} groups" if module.groups > 1 else ""
        return f"{_times(module.kernel_size)}{_stride(module.stride)}{groups}"
    if isinstance(module, (nn.MaxPool2d, nn.AvgPool2d)):
        stride = module.stride if module.stride is not None else module.kernel_size
        return f"{_times(module.kernel_size)}{_stride(stride)}"
    if isinstance(module, BatchNormAct2d) and not isinstance(module.act, nn.Identity):
        return f"then {_KINDS.get(type(module.act).__name__, type(module.act).__name__)}"
    return f"{module.p:g}" if isinstance(module, nn.Dropout) else ""


def _times(value: Any) -> str:
    height, width = value if isinstance(value, tuple) else (value, value)
    return f"{height} x {width}"


def _stride(value: Any) -> str:
    height, _ = value if isinstance(value, tuple) else (value, value)
    return f", stride {height}" if height > 1 else ""
