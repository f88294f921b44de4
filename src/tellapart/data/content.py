"""What a picture shows, as a number: the same for every file that shows it. In: Decoded. Out: hash. Next: perceptual_hash.py."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace

import numpy as np

from tellapart.decoding import Decoded, decode
from tellapart.deep_values import Deep

_STRIP_BYTES = 16 * 1024 * 1024


def content_hash(decoded: Decoded) -> str:
    """32 hex digits of the sizes and the RGB pixels, the same for every file that shows the same picture."""
    image = decoded.image
    sizes = struct.pack("<4I", *image.size, decoded.width, decoded.height)
    if decoded.deep is not None:
        return _deep_hash(decoded.deep, sizes, turned=decoded.turned)
    digest = hashlib.sha256(sizes)
    # In strips: a second copy of 170 million pixels would not stay small.
    rows = max(1, _STRIP_BYTES // (3 * image.width))
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        strip = image if bottom - top == image.height else image.crop((0, top, image.width, bottom))
        digest.update(strip.tobytes())
    return digest.hexdigest()[:32]


def stored_hash(data: bytes, *, target: int) -> str:
    """The content hash that versions before colour profiles and deep values gave the bytes of a picture: its pixels as stored.

    `target` is what the picture was decoded for, in pixels. Raises: PictureError.
    """
    return content_hash(replace(decode(data, target=target, colour="stored"), deep=None))


def _deep_hash(deep: Deep, sizes: bytes, *, turned: bool) -> str:
    """The values themselves: which of them are black and white is the data set's affair, not the picture's."""
    digest, values = hashlib.sha256(sizes), np.ascontiguousarray(deep.values)
    told = (str(values.dtype), values.shape, deep.inverted, deep.clear, deep.usual if deep.windowed else None, turned)
    digest.update(repr(told).encode())
    digest.update(values.data)
    if deep.opacity is not None:
        digest.update(np.ascontiguousarray(deep.opacity).data)
    return digest.hexdigest()[:32]
