"""The values of Pillow's pictures of more than 8 bits. In: a loaded picture. Out: Deep. Next: deep_values.py.

Pillow has modes for deep grey. Of deep colours it keeps the high bytes alone; the low ones are had by reading the same file
again with its bytes said to stand in the other order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from tellapart.deep_values import Deep, Span, check_numbers
from tellapart.picture_files import open_picture

FULL: Span = (0.0, 65535.0)  # of 16 bits: the high bytes alone are the picture in 8 bits

_BITS_TAG, _PHOTOMETRIC_TAG = 0x0102, 0x0106
_WHITE_IS_ZERO = 0
_OTHER_ORDER = {"B": "L", "L": "B", "N": "B" if np.little_endian else "L"}
_DEEP_COLOURS = tuple(f"{mode};16{order}" for mode in ("RGB", "RGBA", "RGBX") for order in "BLN")


def is_deep_grey(image: Image.Image) -> bool:
    """Whether a picture is grey of more than 8 bits."""
    return image.mode.startswith("I") or image.mode == "F"


def raw_mode(image: Image.Image) -> str:
    """How the bytes of a picture that has not been loaded stand in its file; "" where that is more than one word."""
    modes = {_raw_mode(tile[3]) for tile in image.tile} if isinstance(image, ImageFile.ImageFile) else set()
    return modes.pop() if len(modes) == 1 else ""


def is_deep_colour(mode: str) -> bool:
    """Whether a raw mode is of RGB or RGBA in 16 bits a channel."""
    return mode in _DEEP_COLOURS


def deep_grey(image: Image.Image) -> Deep:
    """The values of loaded grey; Pillow leaves white-is-zero of TIFF and a transparent key to us.

    Raises: PictureError where they are not numbers.
    """
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})  # TIFF only
    stored = np.asarray(image)
    low, high = check_numbers(stored)
    bits = min(16, *tags.get(_BITS_TAG, (16,)))
    if image.mode.startswith("I;16"):
        usual = 0.0, 2.0**bits - 1  # scientific cameras write 12 bits
    elif image.mode == "I" and (image.format == "PPM" or (low >= 0 and 255 < high <= 65535)):
        usual = FULL
    elif low >= 0 and high <= (1.0 if image.mode == "F" else 255.0):
        usual = 0.0, 1.0 if image.mode == "F" else 255.0
    elif low >= 0 and high <= 255.0:
        usual = 0.0, 255.0
    else:
        usual = low, high
    clear = image.info.get("transparency")
    return Deep(
        values=stored,
        usual=usual,
        inverted=tags.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO,
        clear=float(clear) if isinstance(clear, int | float) else None,
        # Pillow brings the values of PGM to 16 bits itself.
        bits=16 if image.format == "PPM" else bits if bits < 16 else 0,
    )


def deep_colour(image: Image.Image, data: bytes, mode: str) -> Deep:
    """The values of a loaded picture in colour, whose file is `data` and has the raw mode `mode`."""
    low = open_picture(data)
    turned = mode[:-1] + _OTHER_ORDER[mode[-1]]
    if isinstance(low, ImageFile.ImageFile):
        low.tile = [tile._replace(args=_with_raw_mode(tile.args, turned)) for tile in low.tile]
    low.load()
    high_bytes, low_bytes = np.asarray(image), np.asarray(low)
    values = high_bytes[..., :3].astype(np.uint16) * 256 + low_bytes[..., :3]
    opacity = high_bytes[..., 3] if high_bytes.shape[2] == 4 else None
    return Deep(values=values, usual=FULL, opacity=opacity)


def _raw_mode(told: Any) -> str:
    """What Pillow tells a decoder is the raw mode, or begins with it."""
    first = told[0] if isinstance(told, tuple) and told else told
    return first if isinstance(first, str) else ""


def _with_raw_mode(told: Any, mode: str) -> Any:
    return (mode, *told[1:]) if isinstance(told, tuple) else mode
