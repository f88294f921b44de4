"""Found boxes on their picture, and cut out of it, as files. In: a picture's bytes, a Page. Out: bytes. Next: boxes.py."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image

from tellapart.answers.box_forms import Page
from tellapart.decoding import decode
from tellapart.drawing.boxes import DrawnBox, draw_boxes
from tellapart.preprocessing import Preprocessing

JPEG = ".jpg"
_JPEG_ENDINGS = (JPEG, ".jpeg", ".jpe", ".jfif", ".mpo")
_QUALITY = 95
_WHOLE_SIZE = 1_000_000  # pixels of a side for which no JPEG is decoded at a reduced scale
_DECIMALS = 3  # of a pixel; beyond is rounding, which takes in no further pixel


def ending_for(name: str) -> str:
    """How a picture is kept that was made of the one called so: JPEG where it was JPEG, else PNG, which loses nothing."""
    return JPEG if name.lower().endswith(_JPEG_ENDINGS) else ".png"


def whole_picture(data: bytes, inputs: Preprocessing | None) -> Image.Image:
    """Upright RGB at its whole size, values and colours as a model with these `inputs` reads them. Raises: PictureError."""
    own = inputs or Preprocessing(size=1)
    return decode(data, target=_WHOLE_SIZE, span=own.value_range, colour=own.colour).image


def with_boxes(picture: Image.Image, page: Page, numbers: Mapping[str, int], ending: str) -> bytes:
    """The picture with its boxes drawn, large ones reduced; `numbers` of the classes decide colours."""
    boxes = [
        DrawnBox(
            sides=(box.left, box.top, box.right, box.bottom),
            label=box.label,
            number=numbers[box.label],
            score=box.score,
        )
        for box in page.boxes
    ]
    return encoded_as(draw_boxes(np.asarray(picture), boxes), ending)


def cut_out(picture: Image.Image, page: Page, ending: str) -> Iterator[bytes]:
    """The part of the picture that each box covers, whole pixels."""
    for box in page.boxes:
        left, top = (math.floor(round(side, _DECIMALS)) for side in (box.left, box.top))
        right, bottom = (math.ceil(round(side, _DECIMALS)) for side in (box.right, box.bottom))
        yield encoded_as(picture.crop((left, top, max(right, left + 1), max(bottom, top + 1))), ending)


def encoded_as(picture: Image.Image, ending: str) -> bytes:
    """The bytes of a file whose name ends so, JPEG or PNG."""
    file = io.BytesIO()
    if ending == JPEG:
        picture.save(file, "JPEG", quality=_QUALITY)
    else:
        picture.save(file, "PNG")
    return file.getvalue()
