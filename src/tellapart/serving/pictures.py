"""What may come in as a picture. In: file bytes, pixels or a ready input. Out: uint8 [S, S, 3]. Next: versions.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.errors import PictureError
from tellapart.preprocessing import MAX_PIXELS, Preprocessing, check_pixels, load, prepare


# Compared by identity: == on arrays gives an array.
@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A picture file: JPEG, PNG, WebP ..., of any size and mode."""

    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """A decoded RGB picture of any size, treated as a file of these pixels would be."""

    array: NDArray[np.uint8]  # [H, W, 3]


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A picture that the client has resized and cropped itself; the network gets it as it is."""

    array: NDArray[np.uint8]  # [S, S, 3]


Picture = Encoded | Pixels | Ready


def make_ready(picture: Picture, preprocessing: Preprocessing, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The network's input, uint8 [S, S, 3]. Raises: PictureError, also for more than `max_pixels` pixels."""
    if isinstance(picture, Encoded):
        return load(picture.data, preprocessing, max_pixels=max_pixels)
    height, width, channels = picture.array.shape
    size = preprocessing.size
    if channels != 3 or min(height, width) == 0:
        raise PictureError(f"pixels of shape {list(picture.array.shape)}; they must be [height, width, 3], RGB, uint8")
    if isinstance(picture, Ready):
        if (height, width) != (size, size):
            raise PictureError(
                f"a prepared picture of {width} x {height}; this network takes {size} x {size}. "
                "Send it without `prepared`, and the server resizes it"
            )
        return picture.array
    check_pixels(width, height, most=max_pixels)
    return prepare(Image.fromarray(np.ascontiguousarray(picture.array)), preprocessing)
