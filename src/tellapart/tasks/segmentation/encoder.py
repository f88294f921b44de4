"""Pretrained weights in an encoder, a whole network's lower part. In: weights by name. Out: it, filled. Next: network.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from tellapart.errors import BackboneError
from tellapart.models.weights import check_fit, create_network, read_weights

_NAMED = 3  # tensors that a message names


def fill_encoder(encoder: nn.Module, weights: Path, name: str) -> int:
    """Copy timm's weights of the network `name` into an encoder that is the network without its last layers.

    Both keep their tensors in the order in which they run, so the n-th is the n-th, whatever each calls it; the shape and the
    last part of the name (weight, bias, running_mean ...) must agree. Returns how many there are.
    Raises: BackboneError where the file or the encoder does not fit.
    """
    found = read_weights(weights)
    whole = create_network(name, num_classes=0).state_dict()
    check_fit(whole, found, path=weights, name=name)
    own = encoder.state_dict()
    pairs = pair_tensors(own, {key: found[key] for key in whole}, name=name)
    with torch.no_grad():
        for key, value in pairs.items():
            own[key].copy_(value)
    return len(pairs)


def pair_tensors(own: Mapping[str, Tensor], whole: Mapping[str, Tensor], *, name: str) -> dict[str, Tensor]:
    """Each tensor of `own`, in order, and the one of `whole` that stands at the same place, shapes [...] alike.

    Raises: BackboneError, which names the first that differ.
    """
    pairs = list(zip(own.items(), whole.items(), strict=False))
    unlike = [
        f"{mine} {list(value.shape)} beside {other} {list(theirs.shape)}"
        for (mine, value), (other, theirs) in pairs
        if value.shape != theirs.shape or mine.rpartition(".")[2] != other.rpartition(".")[2]
    ]
    if len(own) > len(whole):
        unlike.append(f"{len(own)} tensors beside {len(whole)}")
    if unlike:
        raise BackboneError(
            f"the encoder's tensors are not in the order of {name}'s: {', '.join(unlike[:_NAMED])}. Choose another backbone."
        )
    return {mine: theirs for (mine, _), (_, theirs) in pairs}
