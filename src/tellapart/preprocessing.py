"""A picture file becomes pixels, the same way everywhere. In: bytes. Out: uint8 [H, W, 3]. Next: runtime.py.

This is the only copy: training, evaluation, command line, server and tests all come through here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.decoding import MAX_FILE_BYTES, MAX_PIXELS, Colour, Decoded, check_pixels, decode
from tellapart.deep_values import Span

# The door to decoding as well: whoever wants pixels wants both.
__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "RESAMPLING",
    "Colour",
    "Decoded",
    "Fit",
    "Interpolation",
    "Preprocessing",
    "check_pixels",
    "decode",
    "decode_for",
    "fitted",
    "load",
    "mean_colour",
    "padded_size",
    "prepare",
    "shown_part",
]

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Fit: TypeAlias = Literal["crop", "pad", "squash", "crop_or_pad", "tile"]

_REDUCING_GAP = 3.0  # Pillow's own figure for "no visible difference from a full resize"

RESAMPLING: Mapping[str, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How a picture is made ready for one network."""

    size: int  # pixels, width and height of the network's input
    crop: float = 0.875  # size / shorter side after the resize, in (0, 1]
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)  # of RGB in [0, 1]
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    # crop: a square in the middle. pad: the whole picture, with the mean colour beside it. squash: the whole, made square.
    # crop_or_pad: nothing is scaled; a longer side is cropped to the middle, a shorter one padded with the mean colour, as
    # tf.image.resize_with_crop_or_pad does with black.
    # tile: several squares of it, as tiling.py cuts them; where a picture must be shown at once, it is padded.
    fit: Fit = "crop"
    value_range: Span | None = None  # of pictures of more than 8 bits: black, white; None: each by what its file says
    colour: Colour = "srgb"  # stored: profiles are not followed, as by models of older versions
    overlap: int = 0  # pixels of the input that neighbouring tiles share at least, below `size`
    scale: float = 1.0  # pixels of the input for one of the picture, in tiles

    def identity(self) -> dict[str, Any]:
        """What pixels depend on, for keys of caches: what is as it has always been is left out, so that old keys hold."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if name not in _USUAL or value != _USUAL[name]}


def fitted(
    preprocessing: Preprocessing, fit: Fit, value_range: Span | None, *, overlap: int = 0, scale: float = 1.0
) -> Preprocessing:
    """The same for pictures that fit so, and are read by that range; what is not cropped is shown whole, or in such tiles."""
    crop = preprocessing.crop if fit == "crop" else 1.0
    return replace(preprocessing, fit=fit, crop=crop, value_range=value_range, overlap=overlap, scale=scale)


_USUAL: Mapping[str, Any] = {"fit": "crop", "value_range": None, "colour": "srgb", "overlap": 0, "scale": 1.0}


_ALL = MAX_PIXELS  # a side that no picture has twice
_PADDED = ("pad", "tile")
UNSCALED: tuple[Fit, ...] = ("crop_or_pad", "tile")  # whose own pixels are looked at, so that all are decoded


def decode_for(data: bytes, preprocessing: Preprocessing, *, target: int = 0, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode as a network's pictures are: its range, its colours, and its size where no larger `target` is given.

    All pixels are decoded where nothing is scaled, for tiles where no target is given.
    """
    whole = preprocessing.fit == "crop_or_pad" or (preprocessing.fit == "tile" and not target)
    return decode(
        data,
        target=_ALL if whole else max(target, preprocessing.size),
        max_pixels=max_pixels,
        span=preprocessing.value_range,
        colour=preprocessing.colour,
    )


def prepare(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Resize and fit an RGB picture to uint8 [size, size, 3], in one step from the source pixels.

    Cropped, the geometry is timm's evaluation transform (shorter side to floor(size / crop), then a centre crop of `size`);
    resizing only the crop's box saves a third of the work.
    """
    size = preprocessing.size
    if preprocessing.fit in _PADDED:
        return _pad(image, preprocessing)
    if preprocessing.fit == "crop_or_pad":
        return _crop_or_pad(image, preprocessing)
    resized = image.resize(
        (size, size),
        RESAMPLING[preprocessing.interpolation],
        box=shown_part(image.width, image.height, preprocessing),
        reducing_gap=_REDUCING_GAP,
    )
    return np.asarray(resized)


def shown_part(width: int, height: int, preprocessing: Preprocessing) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what `prepare` shows of a picture of that size, in its pixels.

    A square in the middle; padded, or unscaled and smaller, it reaches beyond the picture; squashed, it is a part of the
    picture's own shape. Of a network that reads tiles it is the whole picture, padded.
    """
    size = preprocessing.size
    if preprocessing.fit in _PADDED:
        across, down = padded_size(width, height, preprocessing)
        wide, high = width / across, height / down  # pixels of the picture in one of the input
        left, top = -((size - across) // 2) * wide, -((size - down) // 2) * high
        return left, top, left + size * wide, top + size * high
    if preprocessing.fit == "crop_or_pad":
        left, top = (
            int((side - size) / 2) for side in (width, height)
        )  # halves are rounded towards 0, as TensorFlow does
        return left, top, left + size, top + size
    if preprocessing.fit == "squash":
        share = size / max(size, math.floor(size / preprocessing.crop))
        left, top = (1 - share) / 2 * width, (1 - share) / 2 * height
        return left, top, width - left, height - top
    side = min(width, height) * size / max(size, math.floor(size / preprocessing.crop))
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def padded_size(width: int, height: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """How wide and high a picture of that size stands in its padded square, in pixels of the network's input."""
    size, longer = preprocessing.size, max(width, height)
    return max(1, round(size * width / longer)), max(1, round(size * height / longer))


def _pad(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """The whole picture in the middle of a square of the network's mean colour, which tells it nothing."""
    size, inner = preprocessing.size, padded_size(image.width, image.height, preprocessing)
    square = Image.new("RGB", (size, size), mean_colour(preprocessing))
    resampling = RESAMPLING[preprocessing.interpolation]
    square.paste(
        image.resize(inner, resampling, reducing_gap=_REDUCING_GAP), ((size - inner[0]) // 2, (size - inner[1]) // 2)
    )
    return np.asarray(square)


def _crop_or_pad(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """The middle of the picture as its own pixels are, with the mean colour beside it where it is smaller."""
    left, top, right, bottom = map(int, shown_part(image.width, image.height, preprocessing))
    square = Image.new("RGB", (preprocessing.size, preprocessing.size), mean_colour(preprocessing))
    middle = image.crop((max(0, left), max(0, top), min(image.width, right), min(image.height, bottom)))
    square.paste(middle, (max(0, -left), max(0, -top)))
    return np.asarray(square)


def mean_colour(preprocessing: Preprocessing) -> tuple[int, int, int]:
    """The network's mean colour, which tells it nothing: red, green and blue from 0 to 255."""
    red, green, blue = (round(255 * value) for value in preprocessing.mean)
    return red, green, blue


def load(data: bytes, preprocessing: Preprocessing, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Bytes of a picture file to the network's input, uint8 [size, size, 3]. Raises: PictureError."""
    return prepare(decode_for(data, preprocessing, max_pixels=max_pixels).image, preprocessing)
