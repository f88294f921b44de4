"""What may come in as a picture. In: file bytes, pixels or a ready input. Out: the network's input. Next: versions.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Answering, InputRecord, PictureData, Placement
from tellapart.answers.tiling import CutPicture, cut_picture, merging_of, ready_tile
from tellapart.errors import PictureError
from tellapart.preprocessing import MAX_PIXELS

# What the protocols call the one input, of pictures or of texts.
IMAGE, TEXT = "image", "text"


# Compared by identity: == on arrays gives an array.
@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A picture file: JPEG, PNG, WebP ..., of any size and mode; or a text in UTF-8."""

    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """A decoded RGB picture of any size, treated as a file of these pixels would be."""

    array: NDArray[np.uint8]  # [H, W, 3]


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A picture that the client has resized and cropped itself; the network gets it as it is."""

    array: NDArray[np.uint8]  # [S, S, 3]


# A str or bytes is a text as it came: of many an object each would cost more than to answer it.
Picture = Encoded | Pixels | Ready | str | bytes
RGB = TypeVar("RGB", Pixels, Ready)


def make_ready(
    picture: Picture, answering: Answering[Any, Any], inputs: InputRecord, *, max_pixels: int = MAX_PIXELS
) -> tuple[NDArray[Any], Placement]:
    """The network's input, without the dimension N, mostly uint8 [S, S, 3], and the way back.

    Raises: PictureError, also for more than `max_pixels` pixels.
    """
    if isinstance(picture, Ready):
        pixels = _checked(picture, inputs).array
        size = inputs.size
        return pixels, Placement(width=size, height=size, left=0, top=0, right=size, bottom=size)
    return answering.prepare(_data_of(picture), inputs, max_pixels=max_pixels)


def make_tiles(
    picture: Picture, answering: Answering[Any, Any], inputs: InputRecord, *, max_pixels: int = MAX_PIXELS
) -> CutPicture:
    """The same for a network that reads pictures in tiles; a ready one is one tile. Raises: PictureError, as `make_ready`."""
    if isinstance(picture, Ready):
        return ready_tile(_checked(picture, inputs).array, inputs)
    beyond = merging_of(answering).beyond
    return cut_picture(_data_of(picture), inputs, max_pixels=max_pixels, beyond=beyond)


def text_of(picture: Picture) -> PictureData:
    """What a model of texts is given of what came: a text, bytes, or pixels, which it will refuse."""
    if isinstance(picture, str | bytes):
        return picture
    return picture.data if isinstance(picture, Encoded) else picture.array


def _data_of(picture: Encoded | Pixels | str | bytes) -> PictureData:
    """Raises: PictureError for pixels that are no RGB picture."""
    return _rgb(picture).array if isinstance(picture, Pixels) else text_of(picture)


def _checked(picture: Ready, inputs: InputRecord) -> Ready:
    """Raises: PictureError for another size than the network's."""
    height, width, _ = _rgb(picture).array.shape
    size = inputs.size
    if (height, width) != (size, size):
        raise PictureError(
            f"a prepared picture of {width} x {height}; this network takes {size} x {size}. "
            "Send it without `prepared`, and the server resizes it"
        )
    return picture


def _rgb(picture: RGB) -> RGB:
    height, width, channels = picture.array.shape
    if channels != 3 or min(height, width) == 0:
        raise PictureError(f"pixels of shape {list(picture.array.shape)}; they must be [height, width, 3], RGB, uint8")
    return picture
