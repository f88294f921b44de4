"""Pictures as PNG files, the one place that makes them. In: a picture. Out: bytes, or a file. Next: lettering.py."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.storage import write_bytes


def encode_png(picture: Image.Image | NDArray[np.uint8], *, smallest: bool = False) -> bytes:
    """A picture, or uint8 [H, W], [H, W, 3] or [H, W, 4] (RGBA), as the bytes of a PNG file: every pixel exact.

    `smallest` tries harder, for what travels inside a page.
    """
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=smallest)
    return file.getvalue()


def write_png(path: Path, picture: Image.Image | NDArray[np.uint8]) -> None:
    """Write a picture, also uint8 [H, W, 3], whole or not at all, whatever the name ends in. Raises: StorageError."""
    write_bytes(path, encode_png(picture))
