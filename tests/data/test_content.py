"""What a picture shows, as a number. In: encoded pictures. Out: hashes, beside those worked out from the pixels themselves."""

from __future__ import annotations

import hashlib
import io
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.content import content_hash, stored_hash
from tellapart.decoding import decode
from tests.test_colour_profiles import P3, profile, saved

SIDES = (11, 7)  # pixels: width, height
NOISE = np.random.default_rng(0).integers(0, 256, (SIDES[1], SIDES[0], 3), dtype=np.uint8)


def plain_hash(pixels: NDArray[np.uint8]) -> str:
    """Of RGB pixels [H, W, 3]: width and height twice, as numbers of four bytes, and then the pixels."""
    return hashlib.sha256(struct.pack("<4I", *SIDES, *SIDES) + pixels.tobytes()).hexdigest()[:32]


def test_of_a_plain_picture_both_hashes_are_that_of_its_pixels() -> None:
    data = saved(Image.fromarray(NOISE), None)
    assert content_hash(decode(data, target=224)) == stored_hash(data, target=224) == plain_hash(NOISE)


def test_the_earlier_hash_is_of_the_pixels_before_their_profile_was_followed() -> None:
    data = saved(Image.fromarray(NOISE), profile(P3, 2.2))
    assert stored_hash(data, target=224) == plain_hash(NOISE)
    assert content_hash(decode(data, target=224)) != plain_hash(NOISE)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_the_earlier_hash_of_16_bits_is_of_what_they_were_made(kind: str) -> None:
    """Grey of 16 bits was shown by its whole range, 0 to 65,535."""
    values = np.random.default_rng(1).integers(0, 65536, SIDES[::-1]).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind)
    shown = np.rint(values * (255 / 65535)).astype(np.uint8)
    assert stored_hash(file.getvalue(), target=224) == plain_hash(np.stack([shown] * 3, axis=2))
