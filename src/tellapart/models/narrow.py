"""A network that was pruned, built again. In: the whole network, tensors. Out: the same, smaller. Next: build.py.

What was left out of a network shows in its weights: a block without any is gone, a layer with fewer rows has fewer channels. So
a pruned network needs no description beside its weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tellapart.errors import BackboneError

_REMEDY = "Give the weights that were written beside the model."


def narrow(network: nn.Module, state: Mapping[str, Tensor], *, prefix: str = "") -> None:
    """Make the layers of `network` as small as their tensors in `state`, which are called `prefix` + their names here.

    Blocks of which `state` has no tensor pass on what they take; convolutions, linear layers and batch norms become as narrow as
    theirs. The weights themselves are filled in by whoever builds the network. Raises: BackboneError where a tensor is of another
    kind or larger than the network's.
    """
    for path in _gone(network, {key.removeprefix(prefix) for key in state if key.startswith(prefix)}):
        parent, _, name = path.rpartition(".")
        setattr(network.get_submodule(parent), name, nn.Identity())
    for path, layer in list(network.named_modules()):
        key = prefix + (f"{path}.weight" if path else "weight")
        if key in state and isinstance(layer, (nn.Conv2d, nn.Linear, _BatchNorm)):
            _fit(layer, state[key], key)


def _gone(network: nn.Module, known: set[str]) -> list[str]:
    """The outermost modules with tensors of which none is known."""
    gone: list[str] = []
    for path, module in network.named_modules():
        if not path or any(path.startswith(f"{other}.") for other in gone):
            continue
        names = [f"{path}.{name}" for name in module.state_dict()]
        if names and not known.intersection(names):
            gone.append(path)
    return gone


def _fit(layer: nn.Module, weight: Tensor, key: str) -> None:
    own: Any = layer.weight
    if own.shape == weight.shape:
        return
    smaller = own.ndim == weight.ndim and all(0 < new <= old for new, old in zip(weight.shape, own.shape, strict=True))
    if not smaller or own.shape[2:] != weight.shape[2:]:
        raise BackboneError(
            f"the weights have {key} in the shape {list(weight.shape)}, which cannot come of pruning {list(own.shape)}. {_REMEDY}"
        )
    for name, tensor in [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]:
        if tensor.ndim:  # a batch norm's count of batches is one number
            shape = weight.shape if name == "weight" else weight.shape[:1]
            _replace(layer, name, tensor, shape)
    _tell_sizes(layer, weight, key)


def _replace(layer: nn.Module, name: str, tensor: Tensor, shape: torch.Size) -> None:
    new = torch.zeros(shape, dtype=tensor.dtype, device=tensor.device)
    if isinstance(tensor, nn.Parameter):
        setattr(layer, name, nn.Parameter(new, requires_grad=tensor.requires_grad))
    else:
        setattr(layer, name, new)


def _tell_sizes(layer: nn.Module, weight: Tensor, key: str) -> None:
    changed: Any = layer
    if isinstance(layer, nn.Linear):
        changed.out_features, changed.in_features = weight.shape
    elif isinstance(layer, _BatchNorm):
        changed.num_features = len(weight)
    elif changed.groups > 1 and changed.groups == changed.out_channels:  # a filter a channel, and so it stays
        changed.in_channels = changed.out_channels = changed.groups = len(weight)
    elif len(weight) % changed.groups:
        raise BackboneError(
            f"the weights have {len(weight)} filters in {key}, which {changed.groups} groups cannot share. {_REMEDY}"
        )
    else:
        changed.out_channels, changed.in_channels = len(weight), weight.shape[1] * changed.groups
