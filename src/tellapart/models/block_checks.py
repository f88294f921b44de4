"""Whether blocks and dense layers can be built. In: Block, Dense. Out: the sides of maps, or SettingsError. Next: scratch.py."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping

from torch import nn

from tellapart.errors import SettingsError
from tellapart.models.classics import Block, Dense

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.01),
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
_POOLINGS = ("max", "average", "none")
_MOST_WEIGHTS = 200_000_000  # of one dense layer: 0.8 GB, and AdamW three times more; VGG's largest has 103 million


def side_after(block: Block, side: int, place: str, size: int) -> int:
    """The side of the map after a block. Raises: SettingsError when the kernel or the pooling does not fit."""
    where = f"{place} gets a map of {side} x {side} from a picture of {size} pixels"
    remedy = "Take fewer or smaller poolings and strides, or a larger size."
    if block.padding == "same":
        # Beyond that the outermost weights never meet a pixel.
        fits, after = block.kernel < 2 * side, math.ceil(side / block.stride)
    else:
        room = side + 2 * (0 if block.padding == "valid" else int(block.padding)) - block.kernel
        fits, after = room >= 0, room // block.stride + 1
    if not fits:
        raise SettingsError(
            f"{where}, and its kernel of {block.kernel} x {block.kernel} is too large for that. {remedy}"
        )
    if block.pooling == "none":
        return after
    if block.pool_size > after:
        raise SettingsError(
            f"{where}, and its pooling over {block.pool_size} x {block.pool_size} has only {after} x {after} left: "
            f"too many poolings. {remedy}"
        )
    return (after - block.pool_size) // pool_stride(block) + 1


def pool_stride(block: Block) -> int:
    """By how many pixels the block's pooling moves on."""
    return block.pool_size if block.pool_stride is None else block.pool_stride


def check_block(block: Block, place: str, channels: int) -> None:
    """Raises: SettingsError when a value of the block at `place`, which gets `channels`, is out of range."""
    whole = {
        "filters": block.filters,
        "kernel": block.kernel,
        "stride": block.stride,
        "groups": block.groups,
        "pool_size": block.pool_size,
        "pool_stride": pool_stride(block),
    }
    for name, value in whole.items():
        _check_whole(value, place, name)
    if block.padding not in ("same", "valid") and not (
        _is_whole(block.padding) and 0 <= int(block.padding) < block.kernel
    ):
        raise SettingsError(
            f'{place}: padding is {block.padding!r}; it is "same", "valid" (none) or a whole number below the kernel\'s '
            f'side, {block.kernel}. Leave it out for "same".'
        )
    if channels % block.groups or block.filters % block.groups:
        raise SettingsError(
            f"{place}: groups is {block.groups}; it must divide both the {channels} channels that come in and the "
            f"{block.filters} filters. Set groups to 1."
        )
    _check_name(block.activation, ACTIVATIONS, place, "activation")
    _check_name(block.pooling, _POOLINGS, place, "pooling")
    _check_dropout(block.dropout, place)
    _check_norm(block, place)


def check_dense(layer: Dense, place: str, width: int) -> None:
    """Raises: SettingsError when a value of the layer at `place`, which gets `width` numbers, is out of range."""
    _check_whole(layer.units, place, "units")
    _check_name(layer.activation, ACTIVATIONS, place, "activation")
    _check_dropout(layer.dropout, place)
    _check_norm(layer, place)
    if width * layer.units > _MOST_WEIGHTS:
        raise SettingsError(
            f"{place} would have {width:,} x {layer.units:,} = {width * layer.units:,} weights; the limit is "
            f"{_MOST_WEIGHTS:,}. Pool more before it, take a smaller size, or fewer units."
        )


def _check_norm(layer: Block | Dense, place: str) -> None:
    if layer.batch_norm_after and not layer.batch_norm:
        raise SettingsError(
            f"{place}: batch_norm_after is true, and batch_norm is false: there is none to come after the activation. Set "
            "batch_norm to true, or leave batch_norm_after out."
        )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_whole(value: object, place: str, name: str) -> None:
    if not (isinstance(value, int) and _is_whole(value) and value >= 1):
        raise SettingsError(f"{place}: {name} is {value!r}; it is a whole number from 1. Set {name} to 1 or more.")


def _check_dropout(value: float, place: str) -> None:
    if not 0 <= value < 1:
        raise SettingsError(f"{place}: dropout is {value}; it is a probability from 0 to below 1. Try 0.2.")


def _check_name(value: str, known: Collection[str], place: str, name: str) -> None:
    if value in known:
        return
    near = difflib.get_close_matches(str(value).lower(), known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Take {next(iter(known))}."
    raise SettingsError(f"{place}: {name} is {value!r}; it is one of {', '.join(known)}. {hint}")
