"""A network out of blocks that a recipe describes. In: list[Block], list[Dense]. Out: BlockNetwork. Next: scratch.py.

Shapes: B batch, S side of the picture, C H W channels, height and width of a map, D embedding.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping, Sequence

from timm.layers import create_conv2d
from torch import Tensor, nn

from tellapart.errors import SettingsError
from tellapart.models.classics import Block, Dense, Pooling

__all__ = ["ACTIVATIONS", "POOLINGS", "Block", "BlockNetwork", "Dense", "blocks_network", "dense_layers"]

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.01),
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
POOLINGS: Mapping[Pooling, Callable[[int, int], nn.Module]] = {
    "max": lambda size, stride: nn.MaxPool2d(size, stride),
    "average": lambda size, stride: nn.AvgPool2d(size, stride),
    "none": lambda size, stride: nn.Identity(),
}

_GAINS: Mapping[str, float] = {"tanh": nn.init.calculate_gain("tanh"), "sigmoid": nn.init.calculate_gain("sigmoid")}
_MOST_WEIGHTS = 200_000_000  # of one dense layer: 0.8 GB, and AdamW three times more; VGG's largest has 103 million
# Krizhevsky et al. 2012, section 3.3: n = 5, k = 2, alpha = 1e-4, beta = 0.75. torch divides alpha by n.
_NEIGHBOURS, _ALPHA, _BETA, _K = 5, 1e-4, 0.75, 2.0


class BlockNetwork(nn.Module):
    """Blocks, then the flattened or averaged map, then dense layers; speaks timm's protocol for a trunk."""

    def __init__(self, stages: Sequence[nn.Module], dense: Sequence[nn.Module], *, flatten: bool, width: int) -> None:
        """`width` is D, the length of what `forward_head` gives."""
        super().__init__()
        self.stages = nn.Sequential(*stages)
        self.pool = nn.Identity() if flatten else nn.AdaptiveAvgPool2d(1)
        self.dense = nn.Sequential(*dense)
        self.head_hidden_size = self.num_features = width

    def forward_features(self, x: Tensor) -> Tensor:
        """Normalised pictures float32 [B, C, S, S] to the last map [B, C, H, W]."""
        features: Tensor = self.stages(x)
        return features

    def forward_head(self, x: Tensor, pre_logits: bool = True) -> Tensor:
        """The last map to the embedding [B, D]; the classifier is StagedNetwork's, so `pre_logits` changes nothing."""
        embedding: Tensor = self.dense(self.pool(x).flatten(1))
        return embedding

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures float32 [B, C, S, S] to the embedding [B, D]."""
        return self.forward_head(self.forward_features(x))


def blocks_network(
    blocks: Sequence[Block], dense: Sequence[Dense] = (), *, size: int, channels: int = 3, flatten: bool | None = None
) -> BlockNetwork:
    """A trunk of `blocks` and `dense` layers for pictures of `size` pixels; each block is a stage.

    `flatten` says whether the dense layers see the whole last map (as in LeNet and most tutorials; then the network
    takes this one size only) or its average over all positions. None: the whole map when there are dense layers.
    Initial weights: He et al. 2015 (arXiv 1502.01852), before tanh and sigmoid Glorot and Bengio 2010; biases 0.
    Raises: SettingsError when a value is out of range, a name is unknown, or the maps become too small on the way.
    """
    if not blocks:
        raise SettingsError("the network has no block; it needs at least 1. Give [[network.blocks]] with its filters.")
    side, width = size, channels
    stages: list[nn.Module] = []
    for number, block in enumerate(blocks, start=1):
        place = f"block {number} of {len(blocks)}"
        _check_block(block, place, width)
        stages.append(_block(block, width))
        side, width = _side_after(block, side, place, size), block.filters
    whole = bool(dense) if flatten is None else flatten
    width *= side * side if whole else 1
    layers = dense_layers(dense, width=width)
    return BlockNetwork(stages, layers, flatten=whole, width=dense[-1].units if dense else width)


def dense_layers(dense: Sequence[Dense], *, width: int) -> list[nn.Module]:
    """Dense layers after one another on vectors of `width` numbers. Raises: SettingsError for a value out of range."""
    layers: list[nn.Module] = []
    for number, layer in enumerate(dense, start=1):
        place = f"dense layer {number} of {len(dense)}"
        _check_dense(layer, place, width)
        layers.append(_dense(layer, width))
        width = layer.units
    return layers


def _block(block: Block, channels: int) -> nn.Module:
    # A bias before batch norm has no effect. timm pads "same" as TensorFlow does, for strides and even kernels too.
    convolution = create_conv2d(
        channels,
        block.filters,
        block.kernel,
        stride=block.stride,
        bias=not block.batch_norm,
        groups=block.groups,
        padding="same" if block.padding == "same" else int(block.padding),
    )
    _initialise(convolution, block.activation)
    layers = nn.Sequential()
    layers.add_module("convolution", convolution)
    if block.batch_norm:
        layers.add_module("norm", nn.BatchNorm2d(block.filters))
    layers.add_module("activation", ACTIVATIONS[block.activation]())
    if block.local_response_norm:
        layers.add_module("response_norm", nn.LocalResponseNorm(_NEIGHBOURS, _ALPHA * _NEIGHBOURS, _BETA, _K))
    layers.add_module("pooling", POOLINGS[block.pooling](block.pool_size, _pool_stride(block)))
    if block.dropout:
        layers.add_module("dropout", nn.Dropout(block.dropout))
    return layers


def _dense(layer: Dense, width: int) -> nn.Module:
    linear = nn.Linear(width, layer.units, bias=not layer.batch_norm)
    _initialise(linear, layer.activation)
    layers = nn.Sequential()
    layers.add_module("linear", linear)
    if layer.batch_norm:
        layers.add_module("norm", nn.BatchNorm1d(layer.units))
    layers.add_module("activation", ACTIVATIONS[layer.activation]())
    if layer.dropout:
        layers.add_module("dropout", nn.Dropout(layer.dropout))
    return layers


def _initialise(layer: nn.Conv2d | nn.Linear, activation: str) -> None:
    if activation in _GAINS:
        nn.init.xavier_uniform_(layer.weight, _GAINS[activation])
    else:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _side_after(block: Block, side: int, place: str, size: int) -> int:
    """The side of the map after a block. Raises: SettingsError when the kernel or the pooling does not fit."""
    where = f"{place} gets a map of {side} x {side} from a picture of {size} pixels"
    remedy = "Take fewer or smaller poolings and strides, or a larger size."
    if block.padding == "same":
        # Beyond that the outermost weights never meet a pixel.
        fits, after = block.kernel < 2 * side, math.ceil(side / block.stride)
    else:
        room = side + 2 * int(block.padding) - block.kernel
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
    return (after - block.pool_size) // _pool_stride(block) + 1


def _pool_stride(block: Block) -> int:
    return block.pool_size if block.pool_stride is None else block.pool_stride


def _check_block(block: Block, place: str, channels: int) -> None:
    whole = {
        "filters": block.filters,
        "kernel": block.kernel,
        "stride": block.stride,
        "groups": block.groups,
        "pool_size": block.pool_size,
        "pool_stride": _pool_stride(block),
    }
    for name, value in whole.items():
        _check_whole(value, place, name)
    if block.padding != "same" and not (_is_whole(block.padding) and 0 <= int(block.padding) < block.kernel):
        raise SettingsError(
            f'{place}: padding is {block.padding!r}; it is "same" or a whole number below the kernel\'s side, '
            f"{block.kernel}. Set 0 for no padding, or leave it out."
        )
    if channels % block.groups or block.filters % block.groups:
        raise SettingsError(
            f"{place}: groups is {block.groups}; it must divide both the {channels} channels that come in and the "
            f"{block.filters} filters. Set groups to 1."
        )
    _check_name(block.activation, ACTIVATIONS, place, "activation")
    _check_name(block.pooling, POOLINGS, place, "pooling")
    _check_dropout(block.dropout, place)


def _check_dense(layer: Dense, place: str, width: int) -> None:
    _check_whole(layer.units, place, "units")
    _check_name(layer.activation, ACTIVATIONS, place, "activation")
    _check_dropout(layer.dropout, place)
    if width * layer.units > _MOST_WEIGHTS:
        raise SettingsError(
            f"{place} would have {width:,} x {layer.units:,} = {width * layer.units:,} weights; the limit is "
            f"{_MOST_WEIGHTS:,}. Pool more before it, take a smaller size, or fewer units."
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
