"""Pictures small enough to travel inside a page. In: paths, arrays. Out: data addresses. Next: advice.py."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.drawing.png import encode_png
from tellapart.errors import PictureError
from tellapart.preprocessing import Colour, Preprocessing, decode
from tellapart.runtime import cores
from tellapart.sources.reading import read_bytes

_QUALITY, _SHARP_QUALITY = 80, 86  # of JPEG
_SPRITE_QUALITY = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Sprites:
    """Many small pictures on one sheet, row by row."""

    address: str  # data:image/jpeg;base64,...
    side: int  # pixels of one picture
    columns: int


def thumbnails(paths: Sequence[Path], *, side: int, read_as: Preprocessing | None = None) -> list[Image.Image | None]:
    """Each picture upright, its longer side at most `side` pixels; None where it can no longer be read.

    Values of more than 8 bits and colours are read as `read_as` says.
    """
    span = None if read_as is None else read_as.value_range
    colour: Colour = "srgb" if read_as is None else read_as.colour

    def make(path: Path) -> Image.Image | None:
        try:
            image = decode(read_bytes(path), target=side, span=span, colour=colour).image
        except (OSError, PictureError):
            return None
        image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
        return image

    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(make, paths))


def address(image: Image.Image | NDArray[np.uint8], *, sharp: bool = False) -> str:
    """A picture, RGB or uint8 [H, W, 3], as the address of a JPEG that is in the address itself; `sharp` keeps thin lines."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    return _address(image, _SHARP_QUALITY, subsampling=0) if sharp else _address(image, _QUALITY)


def pixel_address(values: NDArray[np.uint8]) -> str:
    """uint8 [H, W, 4] (RGBA) as the address of a PNG: every pixel exact."""
    return f"data:image/png;base64,{base64.b64encode(encode_png(values, smallest=True)).decode()}"


def sprites(
    images: Sequence[Image.Image | None], *, side: int, background: tuple[int, int, int] = (128, 128, 128)
) -> Sprites:
    """One sheet of all pictures, each fitted into a square of `side` pixels."""
    columns = max(1, int(np.ceil(np.sqrt(len(images)))))
    rows = max(1, -(-len(images) // columns))
    sheet = Image.new("RGB", (columns * side, rows * side), background)
    for number, image in enumerate(images):
        if image is None:
            continue
        fitted = image.copy()
        fitted.thumbnail((side, side), Image.Resampling.LANCZOS)
        left, top = (number % columns) * side, (number // columns) * side
        sheet.paste(fitted, (left + (side - fitted.width) // 2, top + (side - fitted.height) // 2))
    return Sprites(address=_address(sheet, _SPRITE_QUALITY), side=side, columns=columns)


def _address(image: Image.Image, quality: int, **options: int) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True, **options)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
