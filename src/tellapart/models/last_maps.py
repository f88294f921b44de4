"""What is put on the last maps of a network. In: a trunk, `network.pooling`. Out: one vector a picture. Next: stage_finding.py.

What Keras calls `include_top=False` and `pooling`: the convolutional part alone, then the mean or the largest value of each map, or
every value of all maps in a row. `own` is what timm puts there: mostly the mean, in VGG two dense layers of 4,096 units.

Shapes: B batch, S side of the picture, C H W channels, height and width of a map, D embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.errors import BackboneError
from tellapart.models.catalog import LastPooling


def pool(trunk: nn.Module, features: Tensor, pooling: LastPooling) -> Tensor:
    """What the last stage gives, float [B, C, H, W] (or [B, H, W, C] where timm says so), to the embedding [B, D].

    D is C, of `flatten` C x H x W, of `own` the trunk's affair. Raises: BackboneError where there are no maps.
    """
    if pooling == "own":
        whole: Any = trunk  # has timm's forward_head
        embedding: Tensor = whole.forward_head(features, pre_logits=True)
        return embedding
    if features.ndim != 4:
        raise BackboneError(
            f"network.pooling is {pooling}, but this network gives {features.ndim - 1} axes a picture, no maps. Leave it out, or "
            "choose a convolutional backbone."
        )
    maps = features.permute(0, 3, 1, 2) if getattr(trunk, "output_fmt", "NCHW") == "NHWC" else features
    if pooling == "flatten":
        return maps.flatten(1)
    mean_or_largest = functional.adaptive_avg_pool2d if pooling == "average" else functional.adaptive_max_pool2d
    pooled: Tensor = mean_or_largest(maps, 1)
    return pooled.flatten(1)


def drop_head(trunk: nn.Module, sample: Tensor) -> tuple[str, ...]:
    """Take away whatever `forward_features` does not use (VGG's dense layers, the classifier); returns the parts' names.

    `sample` is what the trunk takes, float [1, C, S, S]; on the device `meta` nothing is computed.
    """
    unused = head_parts(trunk, sample)
    for name in unused:
        setattr(trunk, name, nn.Identity())
    return unused


def head_parts(trunk: nn.Module, sample: Tensor) -> tuple[str, ...]:
    """The names of the trunk's parts that `forward_features` does not use for `sample`, float [1, C, S, S]."""
    used: set[str] = set()

    def note(part: str) -> Callable[..., None]:
        return lambda *_: used.add(part)

    named = [(name, module) for name, module in trunk.named_modules() if name]
    hooks = [module.register_forward_hook(note(name.partition(".")[0])) for name, module in named]
    whole: Any = trunk
    was_training = trunk.training
    trunk.eval()
    try:
        with torch.inference_mode():
            whole.forward_features(sample)
    finally:
        trunk.train(was_training)
        for hook in hooks:
            hook.remove()
    return tuple(name for name, _ in trunk.named_children() if name not in used)


def keras_count(network: nn.Module) -> int:
    """How many numbers Keras counts as parameters: those that train, and the means and variances of batch norms."""
    buffers: Mapping[str, Tensor] = dict(network.named_buffers())
    statistics = sum(value.numel() for name, value in buffers.items() if name.endswith(("running_mean", "running_var")))
    return sum(value.numel() for value in network.parameters()) + statistics
