"""A network with random weights, to be trained from scratch. In: a name, blocks, a seed. Out: BuiltNetwork. Next: staged.py.

Shapes: B batch, S side of the picture, C H W channels, height and width of a map, D embedding.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import timm
from timm.models.nasnet import NASNetALarge
from torch import Tensor, nn
from torchvision.models import GoogLeNet as WholeGoogLeNet
from torchvision.models.googlenet import BasicConv2d

from tellapart.errors import SettingsError
from tellapart.models.blocks import Block, Dense, blocks_network
from tellapart.models.build import BuiltNetwork, picture, stage_network
from tellapart.models.catalog import LastPooling
from tellapart.models.classics import BLOCKS, BLOCKS_SIZE, DENSE, SMALLEST, Classic, classic
from tellapart.models.last_maps import drop_head
from tellapart.models.scaffold import seeded
from tellapart.models.staged import Listening, StagedNetwork
from tellapart.preprocessing import Preprocessing

_TIMM_NAMES: Mapping[str, str] = {"xception": "legacy_xception"}
_DRAWN = "drawn at random"


def build_scratch(
    name: str,
    *,
    class_count: int,
    seed: int,
    blocks: Sequence[Block] = (),
    dense: Sequence[Dense] = (),
    size: int | None = None,
    channels: Literal[1, 3] = 3,
    dropout: float | None = None,
    drop_path: float = 0.0,
    pooling: LastPooling | None = None,
) -> BuiltNetwork[StagedNetwork]:
    """The classic of this name, or with `blocks` a network out of `blocks` and `dense` (with `dense` of the latter alone), random.

    The weights are a function of `seed` (and of the network) alone; torch's global generator is left as it was.
    `size` is the side of the input in pixels, None the network's own (64 for blocks). `dropout` is the probability
    before the classifier, and between the dense layers of AlexNet and VGG; None is what the paper says, for blocks 0.
    `drop_path` is the probability of dropping the last residual branch (Huang et al. 2016, arXiv 1603.09382).
    `pooling`: what is put on the last maps; None: what the network's library puts there, of blocks see blocks_network.
    Raises: SettingsError.
    """
    if name in (BLOCKS, DENSE) and not (name == DENSE and blocks):
        entry = Classic(
            name=name,
            library="own",
            size=BLOCKS_SIZE,
            minimum_size=1,
            year=0,
            paper="",
            blocks=tuple(blocks),
            dense=tuple(dense),
        )
    else:
        entry = classic(name)
        if blocks or dense:
            raise SettingsError(
                f"blocks and dense layers are given, but the network is {name}, which has its own. "
                "Set the name to blocks, or leave them out."
            )
    side = entry.size if size is None else size
    chosen = entry.dropout if dropout is None else dropout
    _check(entry, side, channels, chosen, drop_path)
    preprocessing = Preprocessing(size=side, crop=1.0, interpolation="bilinear")
    with seeded(seed):
        trunk = create_trunk(entry, size=side, channels=channels, dropout=chosen, drop_path=drop_path, pooling=pooling)
        network = stage_network(
            trunk,
            name=name,
            preprocessing=preprocessing,
            class_count=class_count,
            channels=channels,
            dropout=chosen,
            pooling="own" if entry.library == "own" or pooling is None else pooling,
        )
    return BuiltNetwork(network=network, name=name, preprocessing=preprocessing, source=_DRAWN, license="yours")


def create_trunk(
    entry: Classic,
    *,
    size: int,
    channels: int = 3,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    pooling: LastPooling | None = None,
) -> nn.Module:
    """A network without its classifier, float [B, channels, size, size] -> embedding [B, D], in timm's protocol.

    Its weights come from torch's global generator. Raises: SettingsError.
    """
    if entry.library == "own":
        # The last dense layer's dropout is the one before the classifier, which StagedNetwork has.
        inner = [dataclasses.replace(layer, dropout=layer.dropout or dropout) for layer in entry.dense[:-1]]
        dense = entry.dense if entry.name in (BLOCKS, DENSE) else (*inner, *entry.dense[-1:])
        return blocks_network(entry.blocks, dense, size=size, channels=channels, pooling=pooling)
    trunk = _library_trunk(entry, channels=channels, dropout=dropout, drop_path=drop_path)
    if pooling not in (None, "own"):
        drop_head(trunk, picture(size, channels))
    return trunk


def _library_trunk(entry: Classic, *, channels: int, dropout: float, drop_path: float) -> nn.Module:
    if entry.library == "torchvision":
        return GoogLeNet(channels)
    if entry.name == "nasnetamobile":
        return NASNetAMobile(channels)
    options: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
    if entry.name.startswith("vgg"):
        options["drop_rate"] = dropout
    trunk: Any = timm.create_model(_TIMM_NAMES.get(entry.name, entry.name), num_classes=0, in_chans=channels, **options)
    if "drop_rate" in options:
        trunk.head.drop.p = 0.0  # what comes after the last dense layer is StagedNetwork's
    network: nn.Module = trunk
    return network


class GoogLeNet(nn.Module):
    """torchvision's GoogLeNet in four stages. Source: Szegedy et al. 2014, arXiv 1409.4842, table 1."""

    head_hidden_size = 1024

    def __init__(self, channels: int) -> None:
        super().__init__()
        whole: Any = WholeGoogLeNet(num_classes=1, aux_logits=False, init_weights=True)
        if channels != 3:
            whole.conv1 = BasicConv2d(channels, 64, kernel_size=7, stride=2, padding=3)
            nn.init.trunc_normal_(whole.conv1.conv.weight, std=0.01)  # as torchvision fills the others
        stages = (
            "conv1 maxpool1 conv2 conv3 maxpool2",
            "inception3a inception3b maxpool3",
            "inception4a inception4b inception4c inception4d inception4e maxpool4",
            "inception5a inception5b",
        )
        self.stages = nn.Sequential()
        for number, names in enumerate(stages):
            parts = OrderedDict((part, whole.get_submodule(part)) for part in names.split())
            self.stages.add_module(str(number), Listening(parts))
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward_features(self, x: Tensor) -> Tensor:
        """Normalised pictures float [B, C, S, S] to the last map [B, 1024, H, W]."""
        features: Tensor = self.stages(x)
        return features

    def forward_head(self, x: Tensor, pre_logits: bool = True) -> Tensor:
        """The last map to the embedding [B, 1024]; the classifier is StagedNetwork's."""
        embedding: Tensor = self.pool(x).flatten(1)
        return embedding


class NASNetAMobile(NASNetALarge):
    """NASNet-A (4 @ 1056): timm's large network with thinner cells, four instead of six in each third.

    Source: Zoph et al. 2017, arXiv 1707.07012, figure 2 and table 1.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(num_classes=0, in_chans=channels, stem_size=32, num_features=1056, pad_type="same")
        for name in ("cell_4", "cell_5", "cell_10", "cell_11", "cell_16", "cell_17"):
            delattr(self, name)

    def forward_features(self, x: Tensor) -> Tensor:
        """Normalised pictures float [B, C, S, S] to the last map [B, 1056, H, W]."""
        first = self.conv0(x)
        second = self.cell_stem_0(first)
        before, now = second, self.cell_stem_1(first, second)
        for number in range(4):
            before, now = now, self.get_submodule(f"cell_{number}")(now, before)
        for reduction, cells in (("reduction_cell_0", range(6, 10)), ("reduction_cell_1", range(12, 16))):
            # The cell after a reduction gets the same second input as the reduction.
            now = self.get_submodule(reduction)(now, before)
            for number in cells:
                later = self.get_submodule(f"cell_{number}")(now, before)
                before, now = now, later
        features: Tensor = self.act(now)
        return features


def _check(entry: Classic, size: int, channels: int, dropout: float, drop_path: float) -> None:
    if size < entry.minimum_size:
        raise SettingsError(
            f"{entry.name} needs pictures of at least {entry.minimum_size} x {entry.minimum_size} pixels, and the "
            f"size is {size}. Set the size to {entry.minimum_size} or more (its own is {entry.size})"
            + (f", or take resnet18, which takes {SMALLEST}." if size >= SMALLEST else ".")
        )
    if channels not in (1, 3):
        raise SettingsError(f"channels is {channels}; a network takes 3 (colour) or 1 (grey). Set channels to 3 or 1.")
    for name, value in (("dropout", dropout), ("drop_path", drop_path)):
        if not 0 <= value < 1:
            raise SettingsError(f"{name} is {value}; it is a probability from 0 to below 1. Try 0.2.")
    if drop_path and not entry.drop_path:
        raise SettingsError(
            f"drop_path is {drop_path}, and {entry.name} has no residual branches to drop. "
            "Set drop_path to 0, or take a network that has them, such as resnet18."
        )
