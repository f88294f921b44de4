"""Every kind of picture becomes the right RGB pixels; the expected values are worked out by hand."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, features

from tellapart.errors import PictureError
from tellapart.preprocessing import MAX_PIXELS, Interpolation, Preprocessing, decode, load, prepare

# Pillow's warnings are muted by the module itself; pytest would turn them into errors first.
pytestmark = pytest.mark.filterwarnings(r"ignore:::PIL\..*", "ignore::PIL.Image.DecompressionBombWarning")

WHITE, BLACK, RED, LIME, BLUE = [255] * 3, [0] * 3, [255, 0, 0], [0, 255, 0], [0, 0, 255]
PHOTOGRAPHS = Path(sklearn.datasets.__file__).parent / "images"


def encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    """A PNG written by hand; `rows` with the filter byte before each row."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(
    width: int,
    height: int,
    bits: Sequence[int],
    photometric: int,
    data: bytes,
    *,
    big_endian: bool = False,
    **tags: int,
) -> bytes:
    """A TIFF written by hand: one strip, not compressed."""
    fields: dict[int, Any] = {256: width, 257: height, 258: tuple(bits), 259: 1, 262: photometric}
    fields |= {273: 0, 277: len(bits), 278: height, 279: len(data)}
    numbers = {"extra": 338, "sample_format": 339, "orientation": 274}
    fields |= {numbers[name]: value for name, value in tags.items()}
    header = b"MM\0*\0\0\0\x08" if big_endian else b"II*\0\x08\0\0\0"
    directory = TiffImagePlugin.ImageFileDirectory_v2(header)
    for tag, value in fields.items():
        directory[tag] = value
    return header + directory.tobytes(8) + data


def pixels(data: bytes, target: int = 224) -> list[list[int]]:
    """The decoded pixels, row by row."""
    return np.asarray(decode(data, target=target).image).reshape(-1, 3).tolist()


def greys(data: bytes) -> list[int]:
    triples = pixels(data)
    assert all(len(set(triple)) == 1 for triple in triples)
    return [triple[0] for triple in triples]


def picture(mode: str, *values: Any, palette: Sequence[int] = ()) -> Image.Image:
    """A picture one pixel high."""
    image = Image.new(mode, (len(values), 1))
    if palette:
        image.putpalette(list(palette))
    for column, value in enumerate(values):
        image.putpixel((column, 0), value)
    return image


PALETTE = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255])

# Alpha a over white: value * a / 255 + 255 - a; so 100 at 128 becomes 177, and 0 at 128 becomes 127.
MODES: dict[str, tuple[bytes, str, list[list[int]]]] = {
    "1": (encoded(picture("1", 0, 255), "PNG"), "1", [BLACK, WHITE]),
    "1 with a transparent key": (png(2, 1, 1, 0, b"\0\x40", chunk(b"tRNS", b"\0\0")), "1", [WHITE, WHITE]),
    "L": (encoded(picture("L", 0, 100, 255), "PNG"), "L", [BLACK, [100] * 3, WHITE]),
    "L with a transparent key": (png(2, 1, 8, 0, b"\0\0\x40", chunk(b"tRNS", b"\0\0")), "L", [WHITE, [64] * 3]),
    "LA": (encoded(picture("LA", (100, 0), (100, 128), (100, 255)), "PNG"), "LA", [WHITE, [177] * 3, [100] * 3]),
    "La": (tiff(3, 1, (8, 8), 1, bytes([0, 0, 50, 128, 9, 255]), extra=1), "La", [WHITE, [177] * 3, [9] * 3]),
    "P": (encoded(picture("P", 0, 1, 2, palette=PALETTE), "GIF"), "P", [RED, LIME, BLUE]),
    "P with alpha": (
        png(3, 1, 8, 3, b"\0\0\1\2", chunk(b"PLTE", PALETTE) + chunk(b"tRNS", bytes([0, 128]))),
        "P",
        [WHITE, [127, 255, 127], BLUE],
    ),
    "P with a transparent key": (
        encoded(picture("P", 0, 1, 2, palette=PALETTE), "GIF", transparency=1),
        "P",
        [RED, WHITE, BLUE],
    ),
    "PA": (encoded(picture("PA", (0, 0), (2, 128), palette=PALETTE), "TIFF"), "PA", [WHITE, [127, 127, 255]]),
    "RGB": (encoded(picture("RGB", (1, 2, 3), (255, 0, 0)), "PNG"), "RGB", [[1, 2, 3], RED]),
    "RGB with a transparent key": (
        png(2, 1, 8, 2, bytes([0, 9, 8, 7, 1, 2, 3]), chunk(b"tRNS", struct.pack(">3H", 9, 8, 7))),
        "RGB",
        [WHITE, [1, 2, 3]],
    ),
    "RGB of 16 bits": (
        tiff(2, 1, (16, 16, 16), 2, struct.pack("<6H", 0, 257 * 100, 65535, 65535, 0, 255)),
        "RGB",
        [[0, 100, 255], RED],
    ),
    "RGBA": (
        encoded(picture("RGBA", (255, 0, 0, 255), (255, 0, 0, 0), (255, 0, 0, 128)), "PNG"),
        "RGBA",
        [RED, WHITE, [255, 127, 127]],
    ),
    "RGBA of 16 bits": (
        png(1, 1, 16, 6, b"\0" + struct.pack(">4H", 257 * 100, 0, 65535, 257 * 128)),
        "RGBA",
        [[177, 127, 255]],
    ),
    "RGBa": (tiff(2, 1, (8,) * 4, 2, bytes([128, 0, 0, 128, 0, 0, 0, 0]), extra=1), "RGBA", [[255, 127, 127], WHITE]),
    "CMYK": (
        tiff(3, 1, (8,) * 4, 5, bytes([255, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0])),
        "CMYK",
        [[0, 255, 255], BLACK, WHITE],
    ),
    # JFIF: red has Y 76, Cb 85, Cr 255, and comes back as 254 after rounding.
    "YCbCr": (tiff(2, 1, (8,) * 3, 6, bytes([76, 85, 255, 128, 128, 128])), "YCbCr", [[254, 0, 0], [128] * 3]),
    "I;16": (
        tiff(4, 1, (16,), 1, struct.pack("<4H", 0, 257, 32896, 65535)),
        "I;16",
        [BLACK, [1] * 3, [128] * 3, WHITE],
    ),
    "I;16 in PNG": (
        png(4, 1, 16, 0, b"\0" + struct.pack(">4H", 0, 257, 32896, 65535)),
        "I;16",
        [BLACK, [1] * 3, [128] * 3, WHITE],
    ),
    "I;16 with a transparent key": (
        png(2, 1, 16, 0, b"\0" + struct.pack(">2H", 1000, 25700), chunk(b"tRNS", struct.pack(">H", 1000))),
        "I;16",
        [WHITE, [100] * 3],
    ),
    "I;16, white is zero": (tiff(3, 1, (16,), 0, struct.pack("<3H", 0, 257, 65535)), "I;16", [WHITE, [254] * 3, BLACK]),
    "I;16 of 12 bits": (tiff(2, 1, (12,), 1, bytes([0xFF, 0xF8, 0x00])), "I;16", [WHITE, [128] * 3]),
    "I;16B": (
        tiff(3, 1, (16,), 1, struct.pack(">3H", 0, 257, 65535), big_endian=True),
        "I;16B",
        [BLACK, [1] * 3, WHITE],
    ),
    "I from PGM": (b"P5 3 1 65535\n" + struct.pack(">3H", 0, 32896, 65535), "I", [BLACK, [128] * 3, WHITE]),
    "I from a dark PGM": (b"P5 3 1 65535\n" + struct.pack(">3H", 0, 128, 257), "I", [BLACK, BLACK, [1] * 3]),
    "I with a sign": (
        tiff(3, 1, (16,), 1, struct.pack("<3h", -100, 0, 155), sample_format=2),
        "I",
        [BLACK, [100] * 3, WHITE],
    ),
    "I of 32 bits": (tiff(3, 1, (32,), 1, struct.pack("<3I", 0, 100000, 200000)), "I", [BLACK, [128] * 3, WHITE]),
    "F to 1": (tiff(3, 1, (32,), 1, struct.pack("<3f", 0, 0.2, 1), sample_format=3), "F", [BLACK, [51] * 3, WHITE]),
    "F to 255": (
        tiff(3, 1, (32,), 1, struct.pack("<3f", 0, 99.6, 200), sample_format=3),
        "F",
        [BLACK, [100] * 3, [200] * 3],
    ),
    "F stretched": (tiff(3, 1, (32,), 1, struct.pack("<3f", -1, 0, 4), sample_format=3), "F", [BLACK, [51] * 3, WHITE]),
    "F without contrast": (tiff(2, 1, (32,), 1, struct.pack("<2f", -7, -7), sample_format=3), "F", [BLACK, BLACK]),
    "F from PFM": (b"Pf\n3 1\n-1.0\n" + struct.pack("<3f", 0, 0.2, 1), "F", [BLACK, [51] * 3, WHITE]),
}


@pytest.mark.parametrize("name", MODES)
def test_every_mode_becomes_the_right_rgb(name: str) -> None:
    data, mode, expected = MODES[name]
    decoded = decode(data, target=224)
    assert (decoded.mode, decoded.image.mode) == (mode, "RGB")
    assert (decoded.width, decoded.height) == decoded.image.size == (len(expected), 1)
    assert pixels(data) == expected


def test_deep_grey_of_many_rows() -> None:
    # More than the four million pixels that are scaled at a time.
    ramp = np.arange(2200, dtype=np.uint16) * 29
    decoded = decode(encoded(Image.fromarray(np.tile(ramp[:, None], (1, 2000))), "PNG", compress_level=1), target=224)
    np.testing.assert_array_equal(np.asarray(decoded.image)[:, ::500, 1], np.tile(np.rint(ramp / 257)[:, None], (1, 4)))


def test_lab_becomes_srgb() -> None:
    # L* is stored times 255 / 100, a* and b* as signed bytes. Red in Lab of D50, as ICC has it: 54.3, 80.8, 69.9.
    data = tiff(3, 1, (8, 8, 8), 8, bytes([255, 0, 0, 0, 0, 0, 138, 81, 70]))
    assert decode(data, target=224).mode == "LAB"
    np.testing.assert_allclose(pixels(data), [WHITE, BLACK, RED], atol=6)


def test_jpeg_in_cmyk_and_grey() -> None:
    cyan = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=100)
    assert decode(cyan, target=224).mode == "CMYK"
    np.testing.assert_allclose(pixels(cyan), [[0, 255, 255]] * 256, atol=2)
    grey = encoded(Image.new("L", (16, 16), 100), "JPEG", quality=100)
    assert greys(grey) == [100] * 256


ALPHA_FORMATS = [
    pytest.param("PNG", {}, 0),
    pytest.param("TIFF", {}, 0),
    pytest.param("WEBP", {"lossless": True}, 0),
    pytest.param("ICO", {}, 0),
    pytest.param("JPEG2000", {}, 0, marks=pytest.mark.skipif(not features.check("jpg_2000"), reason="no OpenJPEG")),
    pytest.param("SGI", {}, 0),
    pytest.param("QOI", {}, 0),
    pytest.param("AVIF", {"quality": 100}, 2, marks=pytest.mark.skipif(not features.check("avif"), reason="no AVIF")),
]


@pytest.mark.parametrize(("format_", "options", "tolerance"), ALPHA_FORMATS)
def test_alpha_is_composited_on_white_in_every_format(format_: str, options: dict[str, Any], tolerance: int) -> None:
    data = encoded(picture("RGBA", (255, 0, 0, 255), (255, 0, 0, 0), (255, 0, 0, 128)), format_, **options)
    assert decode(data, target=224).format == format_
    np.testing.assert_allclose(pixels(data), [RED, WHITE, [255, 127, 127]], atol=tolerance)


@pytest.mark.parametrize("format_", ["PNG", "BMP", "DIB", "GIF", "PPM", "TIFF", "PCX", "SGI"])
def test_formats_without_loss(format_: str) -> None:
    values = np.arange(0, 240, 20, dtype=np.uint8)
    decoded = decode(encoded(Image.fromarray(values.reshape(3, 4)), format_), target=224)
    assert (decoded.format, decoded.width, decoded.height) == (format_, 4, 3)
    np.testing.assert_array_equal(np.asarray(decoded.image), np.repeat(values.reshape(3, 4, 1), 3, axis=2))


# EXIF 2.32, tag 274: where the stored picture [[1, 2, 3], [4, 5, 6]] belongs when it is upright.
UPRIGHT: dict[int, list[list[int]]] = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


def exif(orientation: object) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("format_", ["PNG", "WEBP", "TIFF"])
def test_orientation_without_loss(format_: str, orientation: int) -> None:
    stored = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8) * 40
    if format_ == "TIFF":
        data = tiff(3, 2, (8,), 1, stored.tobytes(), orientation=orientation)
    else:
        options = {"lossless": True} if format_ == "WEBP" else {}
        data = encoded(Image.fromarray(stored).convert("RGB"), format_, exif=exif(orientation), **options)
    decoded = decode(data, target=224)
    expected = np.array(UPRIGHT[orientation]) * 40
    assert (decoded.height, decoded.width) == expected.shape
    np.testing.assert_array_equal(np.asarray(decoded.image)[..., 0], expected)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_orientation_of_a_large_jpeg_that_is_decoded_smaller(orientation: int) -> None:
    stored = np.kron(np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8) * 40, np.ones((800, 800), dtype=np.uint8))
    decoded = decode(encoded(Image.fromarray(stored), "JPEG", quality=95, exif=exif(orientation)), target=100)
    expected = np.array(UPRIGHT[orientation]) * 40
    assert (decoded.height, decoded.width) == tuple(side * 800 for side in expected.shape)
    assert decoded.image.size == (expected.shape[1] * 100, expected.shape[0] * 100)
    np.testing.assert_allclose(np.asarray(decoded.image)[50::100, 50::100, 0], expected, atol=3)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    assert pixels(encoded(picture("RGB", tuple(RED), tuple(BLUE)), "PNG", exif=exif(orientation))) == [RED, BLUE]


def test_damaged_exif_does_not_spoil_the_pixels() -> None:
    good = encoded(Image.new("L", (16, 16), 100), "JPEG", quality=100, exif=exif(6))
    at = good.index(b"Exif\0\0") + 6
    assert greys(good[:at] + b"\xff" * 20 + good[at + 20 :]) == [100] * 256


FRAMES = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]


@pytest.mark.parametrize(
    ("format_", "options", "tolerance"),
    [
        ("GIF", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("PNG", {}, 0),
        ("PNG", {"default_image": True}, 0),
        ("TIFF", {}, 0),
        ("MPO", {"quality": 100}, 2),
        pytest.param(
            "AVIF", {"quality": 100}, 3, marks=pytest.mark.skipif(not features.check("avif"), reason="no AVIF")
        ),
    ],
)
def test_the_first_frame_is_taken(format_: str, options: dict[str, Any], tolerance: int) -> None:
    data = encoded(FRAMES[0], format_, save_all=True, append_images=FRAMES[1:], **options)
    decoded = decode(data, target=224)
    assert (decoded.format, decoded.width, decoded.height) == (format_, 4, 4)
    np.testing.assert_allclose(pixels(data), [RED] * 16, atol=tolerance)


@pytest.mark.parametrize(
    ("mode", "stored", "target", "decoded"),
    [
        ("RGB", (4000, 3000), 224, (1000, 750)),  # an eighth would be 500 x 375, below 448
        ("RGB", (3584, 3584), 224, (448, 448)),  # 8 x 448: exactly twice the target
        ("RGB", (3583, 3584), 224, (896, 896)),
        ("RGB", (895, 2000), 224, (895, 2000)),
        ("RGB", (896, 2000), 224, (448, 1000)),
        ("RGB", (9000, 447), 224, (9000, 447)),
        ("L", (4000, 3000), 224, (1000, 750)),
        ("CMYK", (2000, 1500), 100, (500, 375)),
        ("RGB", (4000, 3000), 160, (500, 375)),  # 320 is the least
        ("RGB", (4000, 3000), 96, (500, 375)),
    ],
)
def test_large_jpeg_is_decoded_at_no_less_than_twice_the_target(
    mode: str, stored: tuple[int, int], target: int, decoded: tuple[int, int]
) -> None:
    result = decode(encoded(Image.new(mode, stored), "JPEG", quality=1), target=target)
    assert (result.width, result.height) == stored
    assert result.image.size == decoded
    assert result.image.size == stored or min(result.image.size) >= 2 * target


def test_large_mpo_is_decoded_smaller_too() -> None:
    large = Image.new("RGB", (4000, 3000))
    result = decode(encoded(large, "MPO", save_all=True, append_images=[FRAMES[0]]), target=224)
    assert (result.format, result.width, result.image.size) == ("MPO", 4000, (1000, 750))


def test_a_smaller_decoding_shows_the_same_picture() -> None:
    photograph = Image.open(PHOTOGRAPHS / "china.jpg").resize((2560, 1708), Image.Resampling.BICUBIC)
    settings = Preprocessing(size=224)
    drafted = load(encoded(photograph, "JPEG", quality=95), settings)
    whole = load(encoded(photograph, "PNG", compress_level=1), settings)
    assert np.abs(drafted.astype(int) - whole).mean() < 1.5


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty file"),
    "text": (b"a note about cats\n", "not a picture in a known format"),
    "web page": (b"<!doctype html><html></html>", "not a picture in a known format"),
    "EPS": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
        "a drawing in PostScript, which is not read. Save it as PNG or TIFF",
    ),
    "PDF": (b"%PDF-1.7\n", "not a picture in a known format, but a PDF document. Save its pages as PNG"),
    "7z": (
        b"7z\xbc\xaf\x27\x1c" + bytes(40),
        "not a picture in a known format, but a 7z archive. Unpack it, and name the folder or the pictures",
    ),
    "bomb": (
        png(MAX_PIXELS // 10_000 + 1, 10_000, 1, 0, b"\0"),
        "17,001 x 10,000 pixels; the limit is 170,000,000 in all. Store it smaller",
    ),
    "bomb that Pillow refuses": (
        png(50_000, 50_000, 1, 0, b"\0"),
        "more than 170,000,000 pixels, the limit. Store it smaller",
    ),
    "only a signature": (b"\x89PNG\r\n\x1a\n", "not a picture in a known format"),
    "not a number": (
        tiff(2, 1, (32,), 1, struct.pack("<2f", 0, float("nan")), sample_format=3),
        "it holds values that are not numbers",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason(name: str) -> None:
    data, reason = REFUSED[name]
    with pytest.raises(PictureError) as caught:
        decode(data, target=224)
    assert str(caught.value) == reason


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP"])
def test_truncated_is_refused(format_: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), format_)
    with pytest.raises(PictureError, match=r"^damaged or truncated \(.+\)$"):
        decode(data[: len(data) // 2], target=224)


def test_a_file_over_the_limit_of_bytes_is_refused() -> None:
    with pytest.raises(PictureError, match=r"^file of 536,870,913 bytes; the limit is 536,870,912. Store it smaller$"):
        decode(bytes(512 * 1024 * 1024 + 1), target=224)


def test_content_decides_the_type_not_the_claim() -> None:
    assert decode(encoded(FRAMES[0], "GIF"), target=224).format == "GIF"
    assert decode(encoded(FRAMES[0], "MPO"), target=224).format == "JPEG"  # one frame: a plain JPEG


def row(values: Sequence[int], height: int) -> Image.Image:
    return Image.fromarray(np.tile(np.array(values, dtype=np.uint8), (height, 1))).convert("RGB")


def test_prepare_crops_the_centre() -> None:
    # 6 x 4 at crop 0.5: the shorter side stays 4 = 2 / 0.5, and the middle 2 x 2 is left as it is.
    image = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6)).convert("RGB")
    result = prepare(image, Preprocessing(size=2, crop=0.5))
    assert (result.dtype, result.shape) == (np.uint8, (2, 2, 3))
    np.testing.assert_array_equal(result[..., 0], [[8, 9], [14, 15]])


@pytest.mark.parametrize(
    ("interpolation", "expected"),
    [
        # Pixel centres 0.5 to 3.5 onto 1 and 3, support 2: weights 3/7, 3/7, 1/7 from each side.
        ("bilinear", [50, 160]),
        ("nearest", [70, 210]),
    ],
)
def test_prepare_resizes_with_antialiasing(interpolation: Interpolation, expected: list[int]) -> None:
    result = prepare(row([0, 70, 140, 210], 4), Preprocessing(size=2, crop=1.0, interpolation=interpolation))
    np.testing.assert_array_equal(result[..., 0], [expected, expected])


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (3, 2)])
def test_prepare_takes_any_size(size: tuple[int, int]) -> None:
    result = prepare(Image.new("RGB", size, (10, 20, 30)), Preprocessing(size=224))
    assert result.shape == (224, 224, 3)
    assert np.unique(result.reshape(-1, 3), axis=0).tolist() == [[10, 20, 30]]


def torchvision_transform(photograph: Image.Image, size: int, interpolation: str) -> NDArray[np.int64]:
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    resize = Resize(int(size / 0.875), interpolation=InterpolationMode(interpolation))
    return np.asarray(Compose([resize, CenterCrop(size)])(photograph)).astype(np.int64)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize(("corner", "size"), [((480, 384), 112), ((384, 288), 84), ((320, 320), 224)])
def test_prepare_equals_torchvision_where_no_fraction_arises(
    corner: tuple[int, int], size: int, interpolation: Interpolation
) -> None:
    photograph = Image.open(PHOTOGRAPHS / "china.jpg").crop((0, 0, *corner))
    result = prepare(photograph, Preprocessing(size=size, interpolation=interpolation))
    expected = torchvision_transform(photograph, size, interpolation)
    assert np.abs(result - expected).max() <= 1


def in_blocks(image: NDArray[Any]) -> NDArray[np.float64]:
    """Means of 8 x 8 pixels."""
    side = len(image) // 8
    return image.reshape(side, 8, side, 8, 3).mean(axis=(1, 3))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [96, 224])
@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
@pytest.mark.parametrize("turned", [False, True])
def test_prepare_is_within_a_pixel_of_torchvision(
    name: str, size: int, interpolation: Interpolation, turned: bool
) -> None:
    # torchvision rounds the resized picture and its crop to whole pixels, we cut at fractions.
    photograph = Image.open(PHOTOGRAPHS / name)
    photograph = photograph.transpose(Image.Transpose.ROTATE_90) if turned else photograph
    result = prepare(photograph, Preprocessing(size=size, interpolation=interpolation))
    expected = in_blocks(torchvision_transform(photograph, size, interpolation))
    difference = np.abs(in_blocks(result) - expected).mean()
    assert difference < 3
    for shift, axis in ((2, 0), (-2, 0), (2, 1), (-2, 1)):
        assert difference < 0.6 * np.abs(in_blocks(np.roll(result, shift, axis=axis)) - expected).mean()
