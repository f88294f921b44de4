"""The pixel probe as a network. In: an encoder, weights of its maps. Out: ProbeNetwork. Next: sampled.py.

A linear classifier of each pixel on all maps of a frozen encoder at once. Bringing maps to the picture's size and weighing them are
both linear, so each map is weighed first, where it is small: a convolution a map, whose results are enlarged and added up (as FCN
does, arXiv 1411.4038). Fine maps are seen with their neighbours, 3 x 3 places, as far as there are not too many of them.

Shapes: B pictures, H W their height and width in pixels, K classes, C h w channels, height and width of a map, D all features of
a pixel, n pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tellapart.models.trainable import NamedParameters
from tellapart.preprocessing import Preprocessing
from tellapart.tasks.segmentation.network import PixelNetwork

_FINE = 8  # pixels; maps of a finer stride than that, or of that, are seen with their neighbours
_MOST_FEATURES = 2000  # D; the coarsest of the fine maps goes without its neighbours first
_STRIDES = (2, 4, 8, 16, 32)


class LinearProbe(nn.Module):
    """A linear classifier of each pixel on all maps of an encoder: a convolution for each."""

    def __init__(self, widths: Sequence[int], *, class_count: int) -> None:
        """`widths` are the channels of the maps at strides of 2, 4, 8, 16, 32 pixels. Weights are 0 until `set_weights`."""
        super().__init__()
        self.used = tuple(number for number, width in enumerate(widths, start=1) if width)  # transformers have no first
        self.sizes = kernel_sizes(widths)
        self.sides = nn.ModuleList(
            nn.Conv2d(widths[number - 1], class_count, size, padding=size // 2, bias=False)
            for number, size in ((number, self.sizes[number - 1]) for number in self.used)
        )
        self.bias = nn.Parameter(torch.zeros(class_count))
        for side in self.sides:
            nn.init.zeros_(side.weight)  # type: ignore[arg-type]

    @property
    def features(self) -> int:
        """D"""
        return sum(parameter[0].numel() for parameter in self.sides.parameters())

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Logits [B, K, H, W] of all maps, the first of which is the picture itself, [B, 3, H, W]."""
        size = maps[0].shape[2:]
        whole = self.bias.view(1, -1, 1, 1)
        for side, number in zip(self.sides, self.used, strict=True):
            whole = whole + functional.interpolate(side(maps[number]), size=size, mode="bilinear", align_corners=False)
        return whole

    def sample(self, maps: Sequence[Tensor], places: NDArray[np.int64]) -> NDArray[np.float32]:
        """What the convolutions see at pixels of one picture: rows and columns `places` [n, 2] to features [n, D].

        `maps` are those of one picture, [1, C, h, w].
        """
        height, width = maps[0].shape[2:]
        where = (torch.from_numpy(places[:, ::-1].copy()).float() + 0.5) / torch.tensor([width, height]) * 2 - 1
        found = []
        for number in self.used:
            around, size = maps[number], self.sizes[number - 1]
            if size > 1:
                around = functional.unfold(around, size, padding=size // 2).view(1, -1, *around.shape[2:])
            found.append(
                functional.grid_sample(around, where[None, None], align_corners=False, padding_mode="border")[0, :, 0]
            )
        return np.ascontiguousarray(torch.cat(found).T.numpy(), dtype=np.float32)

    def set_weights(self, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """The classifier `weight` [K, D] and `bias` [K] of what `sample` gives."""
        first = 0
        with torch.no_grad():
            for side in self.sides:
                kernel: Tensor = side.weight  # type: ignore[assignment]
                length = kernel[0].numel()
                kernel.copy_(torch.from_numpy(weight[:, first : first + length]).view_as(kernel))
                first += length
            self.bias.copy_(torch.from_numpy(bias))


class ProbeNetwork(PixelNetwork):
    """An encoder that stays as it is, and a linear probe on its maps."""

    def __init__(self, encoder: nn.Module, *, class_count: int, preprocessing: Preprocessing) -> None:
        super().__init__(encoder, class_count=class_count, preprocessing=preprocessing)
        self.probe = LinearProbe(map_widths(encoder), class_count=class_count)
        for parameter in self.parameters():
            parameter.requires_grad_(False)

    def decode(self, maps: Sequence[Tensor]) -> Tensor:
        """As every PixelNetwork."""
        logits: Tensor = self.probe(maps)
        return logits

    def layer_groups(self) -> list[NamedParameters]:
        """None: it is fitted, not trained."""
        return []


def map_widths(encoder: Any) -> list[int]:
    """The channels of an encoder's maps, without those of the picture."""
    return list(encoder.out_channels)[1:]


def kernel_sizes(widths: Sequence[int]) -> tuple[int, ...]:
    """3 or 1 for each of the maps at strides of 2, 4, 8, 16 and 32 pixels, whose channels are `widths`."""
    sizes = [3 if stride <= _FINE else 1 for stride, _ in zip(_STRIDES, widths, strict=False)]
    for number in reversed(range(len(sizes))):
        if sum(width * size**2 for width, size in zip(widths, sizes, strict=True)) > _MOST_FEATURES:
            sizes[number] = 1
    return tuple(sizes)
