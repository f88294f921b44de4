"""A network out of blocks that a recipe describes. In: list[Block], list[Dense]. Out: BlockNetwork. Next: block_checks.py.

Shapes: B batch, S side of the picture, C H W channels, height and width of a map, D embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timm.layers import create_conv2d
from torch import Tensor, nn

from tellapart.errors import SettingsError
from tellapart.models.block_checks import ACTIVATIONS, check_block, check_dense, pool_stride, side_after
from tellapart.models.catalog import LastPooling
from tellapart.models.classics import Block, Dense
from tellapart.models.penalties import give_penalty

__all__ = ["ACTIVATIONS", "Block", "BlockNetwork", "Dense", "blocks_network", "dense_layers"]

_GAINS: Mapping[str, float] = {"tanh": nn.init.calculate_gain("tanh"), "sigmoid": nn.init.calculate_gain("sigmoid")}
# Krizhevsky et al. 2012, section 3.3: n = 5, k = 2, alpha = 1e-4, beta = 0.75. torch divides alpha by n.
_NEIGHBOURS, _ALPHA, _BETA, _K = 5, 1e-4, 0.75, 2.0


class BlockNetwork(nn.Module):
    """Blocks, then the flattened or pooled map, then dense layers; speaks timm's protocol for a trunk."""

    def __init__(
        self, stages: Sequence[nn.Module], dense: Sequence[nn.Module], *, pooling: LastPooling, width: int
    ) -> None:
        """`width` is D, the length of what `forward_head` gives."""
        super().__init__()
        self.stages = nn.Sequential(*stages)
        self.pool: nn.Module = nn.Identity()
        if pooling != "flatten":
            self.pool = nn.AdaptiveMaxPool2d(1) if pooling == "max" else nn.AdaptiveAvgPool2d(1)
        self.dense = nn.Sequential(*dense)
        self.head_hidden_size = self.num_features = width

    def forward_features(self, x: Tensor) -> Tensor:
        """Normalised pictures float32 [B, C, S, S] to the last map [B, C, H, W]; without blocks the pictures themselves."""
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
    blocks: Sequence[Block],
    dense: Sequence[Dense] = (),
    *,
    size: int,
    channels: int = 3,
    pooling: LastPooling | None = None,
) -> BlockNetwork:
    """A trunk of `blocks` and `dense` layers for pictures of `size` pixels; each block is a stage. Dense layers may be alone.

    `pooling` says what the dense layers see of the last maps: every value (`flatten`, as in LeNet and most tutorials; then the
    network takes this one size only), or the `average` or `max` of each. None or `own`: all of it when there are dense layers,
    else the average.
    Initial weights: He et al. 2015 (arXiv 1502.01852), before tanh and sigmoid Glorot and Bengio 2010; biases 0.
    Raises: SettingsError when a value is out of range, a name is unknown, or the maps become too small on the way.
    """
    if not blocks and not dense:
        raise SettingsError("the network has no block; it needs at least 1. Give [[network.blocks]] with its filters.")
    side, width = size, channels
    stages: list[nn.Module] = []
    for number, block in enumerate(blocks, start=1):
        place = f"block {number} of {len(blocks)}"
        check_block(block, place, width)
        stages.append(_block(block, width))
        side, width = side_after(block, side, place, size), block.filters
    chosen: LastPooling = ("flatten" if dense else "average") if pooling in (None, "own") else pooling
    width *= side * side if chosen == "flatten" else 1
    layers = dense_layers(dense, width=width)
    return BlockNetwork(stages, layers, pooling=chosen, width=dense[-1].units if dense else width)


def dense_layers(dense: Sequence[Dense], *, width: int) -> list[nn.Module]:
    """Dense layers after one another on vectors of `width` numbers. Raises: SettingsError for a value out of range."""
    layers: list[nn.Module] = []
    for number, layer in enumerate(dense, start=1):
        check_dense(layer, f"dense layer {number} of {len(dense)}", width)
        layers.append(_dense(layer, width))
        width = layer.units
    return layers


def _block(block: Block, channels: int) -> nn.Module:
    normed_first = block.batch_norm and not block.batch_norm_after
    padding = 0 if block.padding == "valid" else block.padding
    # A bias before batch norm has no effect. timm pads "same" as TensorFlow does, for strides and even kernels too.
    convolution = create_conv2d(
        channels,
        block.filters,
        block.kernel,
        stride=block.stride,
        bias=not normed_first,
        groups=block.groups,
        padding="same" if padding == "same" else int(padding),
    )
    _initialise(convolution, block)
    layers = nn.Sequential()
    layers.add_module("convolution", convolution)
    if normed_first:
        layers.add_module("norm", nn.BatchNorm2d(block.filters))
    layers.add_module("activation", ACTIVATIONS[block.activation]())
    if block.batch_norm and not normed_first:
        layers.add_module("norm", nn.BatchNorm2d(block.filters))
    if block.local_response_norm:
        layers.add_module("response_norm", nn.LocalResponseNorm(_NEIGHBOURS, _ALPHA * _NEIGHBOURS, _BETA, _K))
    layers.add_module("pooling", _pooling(block))
    if block.dropout:
        layers.add_module("dropout", nn.Dropout(block.dropout))
    return layers


def _pooling(block: Block) -> nn.Module:
    if block.pooling == "none":
        return nn.Identity()
    kind = nn.MaxPool2d if block.pooling == "max" else nn.AvgPool2d
    return kind(block.pool_size, pool_stride(block))


def _dense(layer: Dense, width: int) -> nn.Module:
    normed_first = layer.batch_norm and not layer.batch_norm_after
    linear = nn.Linear(width, layer.units, bias=not normed_first)
    _initialise(linear, layer)
    layers = nn.Sequential()
    layers.add_module("linear", linear)
    if normed_first:
        layers.add_module("norm", nn.BatchNorm1d(layer.units))
    layers.add_module("activation", ACTIVATIONS[layer.activation]())
    if layer.batch_norm and not normed_first:
        layers.add_module("norm", nn.BatchNorm1d(layer.units))
    if layer.dropout:
        layers.add_module("dropout", nn.Dropout(layer.dropout))
    return layers


def _initialise(layer: nn.Conv2d | nn.Linear, told: Block | Dense) -> None:
    if told.activation in _GAINS:
        nn.init.xavier_uniform_(layer.weight, _GAINS[told.activation])
    else:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    give_penalty(layer, l1=told.l1, l2=told.l2)
