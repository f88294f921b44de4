"""Colours as their profile means them. The profiles are written by hand; expected colours come from the matrices."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from tellapart.colour_profiles import BROKEN
from tellapart.data.content import content_hash
from tellapart.decoding import decode

# Of RGB to XYZ, relative to D50 (ICC.1:2022, annex E): sRGB, and Display P3 (Apple).
SRGB = ((0.43607, 0.38515, 0.14307), (0.22249, 0.71687, 0.06061), (0.01392, 0.09708, 0.71410))
P3 = ((0.51512, 0.29198, 0.15710), (0.24120, 0.69225, 0.06657), (-0.00105, 0.04189, 0.78407))


def profile(
    matrix: tuple[tuple[float, ...], ...], gamma: float, *, space: bytes = b"RGB ", name: str = "ours"
) -> bytes:
    """An ICC profile of version 2 with three primaries and one curve, or of grey with a curve."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    text = name.encode() + b"\0"
    description = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    tags = {b"desc": description, b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642) + fixed(1) + fixed(0.8249)}
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        for column, letter in enumerate(b"rgb"):
            values = b"".join(fixed(row[column]) for row in matrix)
            tags[bytes([letter]) + b"XYZ"] = b"XYZ " + bytes(4) + values
            tags[bytes([letter]) + b"TRC"] = curve
    body, table, at = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        value += bytes(-len(value) % 4)
        table += tag + struct.pack(">II", at + len(body), len(value))
        body += value
    head = bytearray(128)
    head[4:8], head[8:12], head[12:16], head[16:20], head[20:24] = b"test", b"\2\x40\0\0", b"mntr", space, b"XYZ "
    head[36:40], head[68:80] = b"acsp", fixed(0.9642) + fixed(1) + fixed(0.8249)
    whole = bytes(head) + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def saved(image: Image.Image, icc: bytes | None, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind, icc_profile=icc)
    return file.getvalue()


def srgb_of(colour: tuple[int, int, int], matrix: tuple[tuple[float, ...], ...], gamma: float) -> list[int]:
    """By the definition: the curve, the matrix, the inverse of sRGB's matrix, and sRGB's own curve (IEC 61966-2-1)."""
    linear = np.clip(np.linalg.inv(SRGB) @ np.array(matrix) @ ((np.array(colour) / 255) ** gamma), 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return [round(255 * value) for value in curved.tolist()]


COLOUR = (200, 120, 60)
ONE = Image.new("RGB", (8, 8), COLOUR)


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("TIFF", "RGB"), ("PNG", "P")])
def test_a_profile_is_followed(kind: str, mode: str) -> None:
    image = ONE.quantize(2) if mode == "P" else ONE.convert(mode)
    data = saved(image, profile(P3, 2.2, name="Wide"), kind)
    decoded = decode(data, target=8)
    np.testing.assert_allclose(decoded.image.getpixel((3, 3)), srgb_of(COLOUR, P3, 2.2), atol=1)
    assert decoded.profile == "Wide"
    assert decode(data, target=8, colour="stored").image.getpixel((3, 3)) == COLOUR, "as older models saw it"


def test_what_is_transparent_stays_white() -> None:
    image = Image.new("RGBA", (2, 1), (*COLOUR, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    decoded = decode(saved(image, profile(P3, 2.2)), target=8).image
    assert decoded.getpixel((1, 0)) == (255, 255, 255)
    np.testing.assert_allclose(decoded.getpixel((0, 0)), srgb_of(COLOUR, P3, 2.2), atol=1)


def test_grey_follows_its_curve() -> None:
    decoded = decode(saved(Image.new("L", (4, 4), 128), profile(SRGB, 1.0, space=b"GRAY")), target=8)
    assert decoded.image.getpixel((0, 0)) == (188, 188, 188)  # 128 / 255 of the light, through sRGB's curve
    assert decoded.profile == "ours"


def test_usual_profiles_of_srgb_change_nothing() -> None:
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = decode(saved(ONE, None), target=8)
    found = decode(saved(ONE, own), target=8)
    assert found.profile == ""
    assert content_hash(found) == content_hash(plain)
    followed = decode(saved(ONE, profile(P3, 2.2)), target=8)
    assert content_hash(followed) != content_hash(plain), "what looks different is no copy"


@pytest.mark.parametrize(
    "icc", [b"not a profile", bytes(4096), profile(P3, 2.2)[:200], profile(SRGB, 1.0, space=b"GRAY")]
)
def test_a_broken_profile_is_ignored_and_told(icc: bytes) -> None:
    decoded = decode(saved(ONE, icc), target=8)
    assert decoded.image.getpixel((0, 0)) == COLOUR
    assert decoded.profile == BROKEN
    assert decoded.remark(None) == "its colour profile is broken and was ignored"
