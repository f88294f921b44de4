"""The classic networks by name, as plain values. In: a name. Out: Classic. Next: blocks.py.

A network is timm's or torchvision's where they have it. What neither has is described here block by block, so that
this module, which the command line may import, needs neither. The blocks of a user's recipe are the same values.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tellapart.errors import SettingsError

Pooling = Literal["max", "average", "none"]

BLOCKS, DENSE = "blocks", "dense"  # names of networks that a recipe describes: of blocks, and of dense layers alone
BLOCKS_SIZE = 64  # pixels; of a network of blocks when no size is given

SMALLEST = 16  # pixels; networks that pad everything would run on a single one, and see nothing but padding


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Convolution, batch norm, activation, local response norm, pooling, dropout, in this order; batch_norm_after moves one."""

    filters: int
    kernel: int = 3  # pixels, side
    stride: int = 1  # pixels
    padding: int | str = (
        "same"  # pixels on each side; "same": the side of the output is ceil(side / stride); "valid": 0
    )
    groups: int = 1  # into which the convolution's channels are divided
    activation: str = "relu"  # see blocks.ACTIVATIONS
    pooling: Pooling = "max"
    pool_size: int = 2  # pixels, side
    pool_stride: int | None = None  # pixels; None: pool_size
    batch_norm: bool = True
    batch_norm_after: bool = False  # behind the activation, in place of before it
    local_response_norm: bool = False
    dropout: float = 0.0  # probability that a value is dropped
    l1: float = 0.0  # times the sum of |w| over the layer's own weights, added to the loss as in Keras
    l2: float = 0.0  # times the sum of w^2


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """Linear layer, batch norm, activation, dropout, in this order; batch_norm_after moves one."""

    units: int
    activation: str = "relu"
    batch_norm: bool = False
    batch_norm_after: bool = False
    dropout: float = 0.0
    l1: float = 0.0
    l2: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Classic:
    """One network: who provides it, what pictures it takes, and what its paper says."""

    name: str
    library: Literal["own", "timm", "torchvision"]
    size: int  # pixels, side of its own input; what is taken when no size is given
    minimum_size: int  # pixels: below it a layer has no pixel left to give, or only padding (SMALLEST)
    year: int
    paper: str
    dropout: float = 0.0  # of its paper, before the classifier and, where it has several dense layers, between them
    drop_path: bool = False  # whether it has residual branches that can be dropped
    note: str = ""  # where it differs from its paper
    blocks: tuple[Block, ...] = ()  # of the own ones
    dense: tuple[Dense, ...] = ()


def classic(name: str) -> Classic:
    """The network of this name. Raises: SettingsError with the names that are near."""
    if name not in CLASSICS:
        near = difflib.get_close_matches(name.lower(), (*CLASSICS, BLOCKS, DENSE), n=3, cutoff=0.5)
        remedy = f"Did you mean {' or '.join(near)}?" if near else "Take resnet18, or describe your own with blocks."
        raise SettingsError(
            f"no network to train from scratch is called {name!r}. {remedy} All of them: {', '.join((*CLASSICS, BLOCKS, DENSE))}."
        )
    return CLASSICS[name]


def _family(
    names: str,
    *,
    size: int,
    year: int,
    paper: str,
    minimum_size: int = SMALLEST,
    dropout: float = 0.0,
    drop_path: bool = False,
    note: str = "",
) -> tuple[Classic, ...]:
    """timm's networks of these names, which differ in depth only."""
    return tuple(
        Classic(
            name=name,
            library="timm",
            size=size,
            minimum_size=minimum_size,
            year=year,
            paper=paper,
            dropout=dropout,
            drop_path=drop_path,
            note=note,
        )
        for name in names.split()
    )


_LENET = Classic(
    name="lenet5",
    library="own",
    size=32,
    minimum_size=SMALLEST,
    year=1998,
    paper="LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86(11), section II.B",
    note="ReLU for the scaled tanh, max pooling for the trained subsampling, every map of C3 sees every map of S2 (the "
    "paper's table I connects 60 of 96), and a linear classifier for the radial basis functions",
    blocks=(
        Block(filters=6, kernel=5, padding=0, batch_norm=False),
        Block(filters=16, kernel=5, padding=0, batch_norm=False),
    ),
    dense=(Dense(units=120), Dense(units=84)),
)
_ALEXNET = Classic(
    name="alexnet",
    library="own",
    size=224,
    minimum_size=63,
    year=2012,
    dropout=0.5,
    paper="Krizhevsky, Sutskever, Hinton, ImageNet classification with deep convolutional neural networks, NeurIPS 2012",
    note="224 pixels are padded by 2, since 55 positions of the first layer need 227; He's initial weights instead of "
    "a standard deviation of 0.01 and biases of 1. The smaller AlexNet of torchvision is the one of 2014",
    blocks=(
        Block(
            filters=96,
            kernel=11,
            stride=4,
            padding=2,
            batch_norm=False,
            local_response_norm=True,
            pool_size=3,
            pool_stride=2,
        ),
        Block(filters=256, kernel=5, groups=2, batch_norm=False, local_response_norm=True, pool_size=3, pool_stride=2),
        Block(filters=384, pooling="none", batch_norm=False),
        Block(filters=384, groups=2, pooling="none", batch_norm=False),
        Block(filters=256, groups=2, batch_norm=False, pool_size=3, pool_stride=2),
    ),
    dense=(Dense(units=4096), Dense(units=4096)),
)
_ALEXNET_SMALL = Classic(
    name="alexnet_small",
    library="own",
    size=32,
    minimum_size=SMALLEST,
    year=2012,
    dropout=0.5,
    paper="AlexNet as tutorials fit it to CIFAR-10 and MNIST, with torchvision's numbers of filters",
    note="3 x 3 kernels, a first stride of 2 and pooling of 2 keep a map of 2 x 2 from 32 pixels; neither groups nor "
    "local response norm",
    blocks=(
        Block(filters=64, stride=2, padding=1, batch_norm=False),
        Block(filters=192, batch_norm=False),
        Block(filters=384, pooling="none", batch_norm=False),
        Block(filters=256, pooling="none", batch_norm=False),
        Block(filters=256, batch_norm=False),
    ),
    dense=(Dense(units=4096), Dense(units=4096)),
)
_VGG = _family(
    "vgg11 vgg16 vgg19 vgg11_bn vgg16_bn vgg19_bn",
    size=224,
    minimum_size=32,
    year=2014,
    dropout=0.5,
    paper="Simonyan and Zisserman, arXiv 1409.1556",
    note="below 224 pixels the last map is stretched to 7 x 7; _bn adds batch norm, which the paper has not",
)
_INCEPTION = (
    Classic(
        name="googlenet",
        library="torchvision",
        size=224,
        minimum_size=SMALLEST,
        year=2014,
        dropout=0.4,
        paper="Szegedy et al., arXiv 1409.4842",
        note="batch norm, 3 x 3 for the 5 x 5 kernels, and no auxiliary classifiers",
    ),
    *_family(
        "inception_v3",
        size=299,
        minimum_size=75,
        year=2015,
        dropout=0.2,
        paper="Szegedy et al., arXiv 1512.00567",
        note="no auxiliary classifier",
    ),
    *_family(
        "xception", size=299, year=2016, dropout=0.5, paper="Chollet, arXiv 1610.02357", note="timm's legacy_xception"
    ),
)
_RESNET = (
    *_family(
        "resnet18 resnet34 resnet50 resnet101 resnet152",
        size=224,
        year=2015,
        drop_path=True,
        paper="He et al., arXiv 1512.03385",
        note="from 50 layers on the 3 x 3 convolution has the stride (v1.5)",
    ),
    *_family(
        "resnetv2_18 resnetv2_34 resnetv2_50 resnetv2_101 resnetv2_152",
        size=224,
        year=2016,
        drop_path=True,
        paper="He et al., arXiv 1603.05027",
    ),
)
_DENSENET = _family(
    "densenet121 densenet161 densenet169 densenet201",
    size=224,
    minimum_size=29,
    year=2016,
    paper="Huang et al., arXiv 1608.06993",
)
_NASNET = (
    *_family(
        "nasnetalarge",
        size=331,
        year=2017,
        dropout=0.5,
        paper="Zoph et al., arXiv 1707.07012",
        note="NASNet-A (6 @ 4032), without its scheduled drop path and auxiliary classifier",
    ),
    *_family(
        "nasnetamobile",
        size=224,
        year=2017,
        dropout=0.5,
        paper="Zoph et al., arXiv 1707.07012",
        note="NASNet-A (4 @ 1056) out of timm's cells, without its auxiliary classifier",
    ),
)
_MOBILENET = (
    *_family("mobilenetv1_100", size=224, year=2017, paper="Howard et al., arXiv 1704.04861"),
    *_family(
        "mobilenetv2_100", size=224, year=2018, dropout=0.2, drop_path=True, paper="Sandler et al., arXiv 1801.04381"
    ),
    *_family(
        "mobilenetv3_small_100 mobilenetv3_large_100",
        size=224,
        year=2019,
        dropout=0.2,
        drop_path=True,
        paper="Howard et al., arXiv 1905.02244",
    ),
)

CLASSICS: Mapping[str, Classic] = {
    entry.name: entry
    for entry in (_LENET, _ALEXNET, _ALEXNET_SMALL, *_VGG, *_INCEPTION, *_RESNET, *_DENSENET, *_NASNET, *_MOBILENET)
}
