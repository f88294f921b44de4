"""Filters and feature maps as small pictures. In: kernels, maps. Out: list[Tile]. Next: drawing/network_diagram.py.

Shapes: F filters, C H W channels, height and width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.drawing.tiles import Tile
from tellapart.explanation.overlay import colour

MOST_MAPS = 64  # that are drawn


def filter_tiles(kernels: NDArray[np.float32]) -> list[Tile]:
    """Kernels [F, C, h, w], C 1 or 3, each on a scale of its own: 0 is middle grey, its largest weight black or white."""
    largest = np.abs(kernels).max((1, 2, 3), keepdims=True)
    shown = 127.5 + 127.5 * kernels / np.where(largest > 0, largest, 1)
    pictures = np.rint(np.broadcast_to(shown, (len(shown), 3, *shown.shape[2:])).transpose(0, 2, 3, 1)).astype(np.uint8)
    size = np.sqrt((kernels**2).mean((1, 2, 3)))
    return [Tile(channel=row, picture=pictures[row], activity=float(size[row])) for row in range(len(kernels))]


def map_tiles(maps: NDArray[np.float32], *, most: int = MOST_MAPS) -> list[Tile]:
    """The `most` maps of [C, H, W] with the largest mean size, in falling order, all on one scale.

    Where nothing is below 0 (after a ReLU), that is colour, from 0 to the 99.9th percentile of what is drawn; elsewhere
    grey, whose middle is 0.
    """
    activity = np.abs(maps).mean((1, 2))
    chosen = np.argsort(-activity, kind="stable")[:most]
    shown = maps[chosen] / max(float(np.percentile(np.abs(maps[chosen]), 99.9)), 1e-12)
    if is_signed(maps):
        pictures = np.repeat(np.rint(127.5 + 127.5 * np.clip(shown, -1, 1))[..., None], 3, axis=-1).astype(np.uint8)
    else:
        pictures = np.rint(colour(np.clip(shown, 0, 1))).astype(np.uint8)
    return [
        Tile(channel=int(channel), picture=picture, activity=float(activity[channel]))
        for channel, picture in zip(chosen, pictures, strict=True)
    ]


def is_signed(maps: NDArray[np.float32]) -> bool:
    """Whether values below 0 of maps [C, H, W] count; activations such as SiLU go a little below."""
    return float(maps.min()) < -0.1 * float(maps.max())
