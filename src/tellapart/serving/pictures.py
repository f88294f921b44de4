"""What may come in as a picture. In: file bytes, pixels or a ready input. Out: the network's input. Next: versions.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Answering, InputRecord, Placement
from tellapart.errors import PictureError
from tellapart.preprocessing import MAX_PIXELS


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


def make_ready(
    picture: Picture, answering: Answering[Any, Any], inputs: InputRecord, *, max_pixels: int = MAX_PIXELS
) -> tuple[NDArray[Any], Placement]:
    """The network's input, without the dimension N, mostly uint8 [S, S, 3], and the way back.

    Raises: PictureError, also for more than `max_pixels` pixels.
    """
    if isinstance(picture, Encoded):
        return answering.prepare(picture.data, inputs, max_pixels=max_pixels)
    height, width, channels = picture.array.shape
    if channels != 3 or min(height, width) == 0:
        raise PictureError(f"pixels of shape {list(picture.array.shape)}; they must be [height, width, 3], RGB, uint8")
    if isinstance(picture, Pixels):
        return answering.prepare(picture.array, inputs, max_pixels=max_pixels)
    size = inputs.size
    if (height, width) != (size, size):
        raise PictureError(
            f"a prepared picture of {width} x {height}; this network takes {size} x {size}. "
            "Send it without `prepared`, and the server resizes it"
        )
    return picture.array, Placement(width=size, height=size, left=0, top=0, right=size, bottom=size)
