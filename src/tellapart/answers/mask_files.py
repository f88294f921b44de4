"""Masks as PNG files with a palette, and their colours. In: a mask, colours. Out: bytes. Next: mask_tensors.py.

A pixel's value is the number of its class, the palette says how it is shown: any viewer shows colours, any program reads numbers.
"""

from __future__ import annotations

import base64
import binascii
import colorsys
import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.decoding import MAX_PIXELS

Colour = tuple[int, int, int]  # red, green, blue, 0 to 255

# Source: Okabe and Ito 2008, Color Universal Design, https://jfly.uni-koeln.de/color/
OKABE_ITO: tuple[Colour, ...] = (
    (0, 114, 178),  # blue
    (230, 159, 0),  # orange
    (0, 158, 115),  # bluish green
    (213, 94, 0),  # vermilion
    (204, 121, 167),  # reddish purple
    (86, 180, 233),  # sky blue
    (240, 228, 66),  # yellow
)
BLACK: Colour = (0, 0, 0)
IGNORED_COLOUR: Colour = (128, 128, 128)  # of pixels that count nowhere
IGNORED = 255
_ROUNDED = 5  # of 255: certainties that travel as a picture are told in steps of 2 %, so that it is small
_GOLDEN = 0.618033988749895  # hues a golden section apart are never near each other


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Painted:
    """A mask, and how it is shown; K classes."""

    mask: NDArray[np.uint8]  # [H, W], numbers of classes
    colours: tuple[Colour, ...]  # [K]
    background: int | None  # number of the class that is not laid over a picture


@runtime_checkable
class PaintsMasks(Protocol):
    """The Answering of a task that makes masks."""

    def painted(self, answer: Any) -> Painted:
        """The mask of a picture that could be read. Raises: ValueError for another."""

    def with_outlines(self) -> Any:
        """An Answering whose rows tell the borders of parts as polygons, too."""


def class_colours(classes: int, *, background: int | None = None) -> tuple[Colour, ...]:
    """A colour for each class, all different: those that most colour-blind people tell apart, and black for the background.

    Beyond the seven of Okabe and Ito there are hues a golden section apart, light and dark in turn.
    """
    found = list(OKABE_ITO)
    step = 0
    while len(found) < classes:
        step += 1
        red, green, blue = colorsys.hls_to_rgb(step * _GOLDEN % 1.0, (0.35, 0.72)[step % 2], 0.65)
        colour = (round(255 * red), round(255 * green), round(255 * blue))
        if colour not in found and colour not in (BLACK, IGNORED_COLOUR):
            found.append(colour)
    colours = found[:classes]
    if background is not None:
        colours = [*found[:background], BLACK, *found[background : classes - 1]]
    return tuple(colours)


def mask_png(mask: NDArray[np.uint8], colours: Sequence[Colour]) -> bytes:
    """A PNG file of a mask [H, W]: its values as they are, the colours [K] as its palette; what counts nowhere (255) is grey."""
    image = Image.fromarray(mask).convert("L")
    image.putpalette([part for one in _palette(colours) for part in one])
    return _png(image)


def certainty_png(certainty: NDArray[np.uint8]) -> bytes:
    """A PNG file of certainties [H, W] in grey, 255 for 1, in steps of 2 %."""
    return _png(Image.fromarray((np.rint(certainty / _ROUNDED) * _ROUNDED).astype(np.uint8)))


def coloured(mask: NDArray[np.uint8], colours: Sequence[Colour]) -> NDArray[np.uint8]:
    """The mask [H, W] in the colours of its classes, [H, W, 3]."""
    return np.array(_palette(colours), dtype=np.uint8)[mask]


def read_png(png: bytes) -> NDArray[np.uint8]:
    """The numbers [H, W] of a mask that this program wrote."""
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image)


def as_base64(png: bytes) -> str:
    """As JSON carries it."""
    return base64.b64encode(png).decode("ascii")


def read_base64(text: object) -> NDArray[np.uint8]:
    """Values [H, W] of a PNG file as `mask_png` and `certainty_png` write it. Raises: ValueError for anything else."""
    if not isinstance(text, str):
        raise ValueError(f"a {type(text).__name__}, where a file in base64 was expected")
    try:
        image = Image.open(io.BytesIO(base64.b64decode(text.encode("ascii"), validate=True)), formats=["PNG"])
        if image.mode not in ("P", "L") or image.width * image.height > MAX_PIXELS:
            raise ValueError(f"a PNG of {image.width} x {image.height} in mode {image.mode}, where a mask was expected")
        return np.array(image)
    except (binascii.Error, UnicodeEncodeError, OSError, SyntaxError, EOFError, zlib.error, struct.error) as error:
        raise ValueError(f"no PNG file: {error}") from None


def _palette(colours: Sequence[Colour]) -> list[Colour]:
    return [*colours, *([IGNORED_COLOUR] * (256 - len(colours)))]


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
