"""A heatmap laid over its picture. In: a picture, a heatmap. Out: a picture in colour. Next: scorecam.py.

Shapes: H W the picture's height and width, h w the heatmap's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Eleven of matplotlib's 256 colours of "inferno" (van der Walt and Smith 2015, CC0): its lightness rises evenly, so that
# twice the heat looks twice as bright, on a screen, in grey print and to colour-blind eyes.
_INFERNO = np.array(
    [
        (0, 0, 4),
        (22, 11, 57),
        (66, 10, 104),
        (106, 23, 110),
        (147, 38, 103),
        (188, 55, 84),
        (221, 81, 58),
        (243, 120, 25),
        (252, 165, 10),
        (246, 215, 70),
        (252, 255, 164),
    ],
    dtype=np.float32,
)
_LUMA = np.array((0.299, 0.587, 0.114), dtype=np.float32)  # ITU-R BT.601
_GREYED = 0.8  # share of the picture's own colour that is taken away: colour tells heat
_HOTTEST = 0.92  # of the scale; its end is so pale that it would vanish on a white background
_STRONGEST = 0.7  # opacity of the hottest place; the picture stays visible under it
_FAINT = 0.1  # heat below which the picture stays as it is


def overlay(image: NDArray[np.uint8], heatmap: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Lay heat in [0, 1], [h, w] of any size, over a picture uint8 [H, W, 3]: uint8 [H, W, 3].

    The picture is greyed, so that on it every colour means heat; where it is cold nothing is laid over it.
    """
    height, width = image.shape[:2]
    heat = enlarge(heatmap, height, width)[..., None]
    pixels = image.astype(np.float32)
    grey = pixels @ _LUMA
    base = pixels + _GREYED * (grey[..., None] - pixels)
    opacity = _STRONGEST * np.clip((heat - _FAINT) / (1 - _FAINT), 0, 1) ** 0.75
    mixed = base + opacity * (colour(heat[..., 0]) - base)
    laid: NDArray[np.uint8] = np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)
    return laid


def colour(heat: NDArray[np.floating]) -> NDArray[np.float32]:
    """Heat in [0, 1], of any shape, in colour: float32 [..., 3] in [0, 255]."""
    places = np.linspace(0, 1, len(_INFERNO))
    channels = [np.interp(_HOTTEST * heat, places, _INFERNO[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def enlarge(heatmap: NDArray[np.floating], height: int, width: int) -> NDArray[np.float32]:
    """A heatmap [h, w] in [0, 1] at another size, float32 [height, width] in [0, 1], smooth between its positions."""
    image = Image.fromarray(np.asarray(heatmap, dtype=np.float32))
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    enlarged: NDArray[np.float32] = np.clip(np.asarray(resized), 0, 1)  # a cubic curve overshoots
    return enlarged
