"""A picture to a network's input, and the way back. In: a file's bytes, or pixels. Out: array, Placement. Next: deciding.py.

What every task on whole pictures does; one that must keep the picture's edges prepares in a way of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.answers.answering import InputRecord, PictureData, Placement
from tellapart.errors import PictureError
from tellapart.preprocessing import MAX_PIXELS, check_pixels, decode_for, prepare, shown_part

AT_ONCE = 8  # larger batches fall out of a core's cache and run slower


def prepare_picture(
    data: PictureData, inputs: InputRecord, *, max_pixels: int = MAX_PIXELS
) -> tuple[NDArray[np.uint8], Placement]:
    """uint8 [size, size, 3], and which part of the source it shows. Raises: PictureError, also for too many pixels."""
    image, width, height, remark = opened_picture(data, inputs, max_pixels=max_pixels)
    return prepare(image, inputs), place(width, height, inputs, remark=remark)


def stack_pictures(prepared: Sequence[NDArray[Any]], inputs: InputRecord) -> NDArray[Any]:
    """Pictures of one size, one after the other."""
    return np.stack(prepared)


def opened_picture(
    data: PictureData, inputs: InputRecord, *, max_pixels: int = MAX_PIXELS
) -> tuple[Image.Image, int, int, str]:
    """The picture, its own width and height, and what to know of how it was read. Raises: PictureError.

    A large JPEG may have been decoded at a reduced scale, unless it is to be cut: its own size counts for the way back.
    """
    if isinstance(data, str):
        raise PictureError("a text, and the model takes pictures")
    if isinstance(data, np.ndarray):
        height, width, _ = data.shape
        check_pixels(width, height, most=max_pixels)
        return Image.fromarray(np.ascontiguousarray(data)), width, height, ""
    decoded = decode_for(data, inputs, max_pixels=max_pixels)
    return decoded.image, decoded.width, decoded.height, decoded.remark(inputs.value_range)


def place(width: int, height: int, inputs: InputRecord, *, remark: str = "") -> Placement:
    """Which part of a picture of that size, upright, the network's input shows."""
    left, top, right, bottom = shown_part(width, height, inputs)
    return Placement(width=width, height=height, left=left, top=top, right=right, bottom=bottom, remark=remark)
