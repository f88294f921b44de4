"""What the network saw, in the picture's own shape. In: a picture, a heatmap. Out: both, alike in shape. Next: overlay.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.explanation.overlay import enlarge
from tellapart.preprocessing import Preprocessing, padded_size, prepare, shown_part


def as_seen(image: Image.Image, preprocessing: Preprocessing, *, side: int) -> NDArray[np.uint8]:
    """The part of an RGB picture that the network sees, not squashed and without padding: uint8 [H, W, 3].

    Its longer side is `side` pixels.
    """
    if preprocessing.fit == "crop":
        return prepare(image, replace(preprocessing, size=side))
    if preprocessing.fit == "crop_or_pad":
        image = image.crop(_inside(image, preprocessing))
    size = padded_size(image.width, image.height, replace(preprocessing, size=side))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))


def onto(heat: NDArray[np.float32], image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Of a heatmap [h, w] of the network's input, what lies on `as_seen`: without the padding."""
    size = preprocessing.size
    if preprocessing.fit == "crop_or_pad":
        left, top, right, bottom = _inside(image, preprocessing)
        across, down = right - left, bottom - top
        left, top = (size - across) // 2, (size - down) // 2
        return enlarge(heat, size, size)[top : top + down, left : left + across]
    if preprocessing.fit != "pad":
        return heat
    across, down = padded_size(image.width, image.height, preprocessing)
    left, top = (size - across) // 2, (size - down) // 2
    return enlarge(heat, size, size)[top : top + down, left : left + across]


def _inside(image: Image.Image, preprocessing: Preprocessing) -> tuple[int, int, int, int]:
    """What the network sees of an unscaled picture, in its pixels."""
    left, top, right, bottom = map(int, shown_part(image.width, image.height, preprocessing))
    return max(0, left), max(0, top), min(image.width, right), min(image.height, bottom)
