"""Formats that need an extra, deep colours, many bands: what they become, and what is said where the extra is missing."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pylibjxl
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tellapart.decoding import decode
from tellapart.errors import PictureError
from tellapart.picture_files import NEEDS, is_heif, readers

pytestmark = pytest.mark.filterwarnings(r"ignore:::pydicom\..*")

HEIC_HEAD = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)


def dicom(values: NDArray[Any], **tags: Any) -> bytes:
    """A DICOM file, part 10, of int16 or uint16 [H, W], or uint8 [H, W, 3]."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, pydicom.uid.generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    dataset.Rows, dataset.Columns = values.shape[:2]
    dataset.SamplesPerPixel = 3 if values.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if values.ndim == 3 else "MONOCHROME2"
    if values.ndim == 3:
        dataset.PlanarConfiguration = 0
    bits = 8 * values.dtype.itemsize
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.PixelData = values.tobytes()
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def tiff(values: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def pixels(data: bytes, **options: Any) -> list[Any]:
    return np.asarray(decode(data, target=8, **options).image).tolist()


HOUNSFIELD = np.array([[-1000, -160, 40, 240, 1000]], dtype=np.int16)


def test_dicom_is_read_by_its_window() -> None:
    data = dicom(HOUNSFIELD + 1024, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=400)
    # PS3.3, C.11.2.1.2.1: the window's ends are 39.5 - 199.5 and 39.5 + 199.5.
    expected = [0, 0, round((40 + 160) / 399 * 255), 255, 255]
    assert pixels(data) == [[[value] * 3 for value in expected]]
    decoded = decode(data, target=8)
    assert (decoded.format, decoded.width, decoded.height) == ("DICOM", 5, 1)
    assert decoded.deep is not None
    assert decoded.deep.depth().windowed
    assert decoded.remark(None) == ""
    assert pixels(data, span=(-1000.0, 1000.0))[0][2] == [round(1040 / 2000 * 255)] * 3, "a range reads all alike"


def test_dicom_without_a_window_is_deep_grey() -> None:
    data = dicom(np.array([[0, 2048, 4095]], dtype=np.uint16), BitsStored=12, HighBit=11)
    assert pixels(data) == [[[0] * 3, [128] * 3, [255] * 3]]
    inverted = dicom(
        np.array([[0, 4095]], dtype=np.uint16), PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11
    )
    assert pixels(inverted) == [[[255] * 3, [0] * 3]]
    assert "range" in decode(data, target=8).remark(None)


def test_dicom_in_colour_several_frames_and_none() -> None:
    colour = np.array([[[255, 0, 0], [0, 0, 255]]], dtype=np.uint8)
    assert pixels(dicom(colour)) == colour.tolist()
    first, second = np.zeros((2, 2), dtype=np.uint8), np.full((2, 2), 255, dtype=np.uint8)
    data = dicom(first, NumberOfFrames=2).replace(first.tobytes(), first.tobytes())
    assert decode(dicom(second), target=8).image.getpixel((0, 0)) == (255, 255, 255)
    with pytest.raises(PictureError, match="damaged or truncated"):
        decode(data, target=8)  # it says two frames and holds one
    with pytest.raises(PictureError, match=r"2 x 2 pixels; the limit is 3 in all"):
        decode(dicom(first), target=8, max_pixels=3)
    with pytest.raises(PictureError, match="packed as a whole"):
        decode(dicom(first).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"), target=8)


@pytest.mark.parametrize(
    ("shape", "options", "bands"),
    [
        ((4, 5, 13), {"planarconfig": "contig"}, "bands 1, 2 and 3 of 13 as red, green and blue"),
        ((13, 4, 5), {"planarconfig": "separate"}, "bands 1, 2 and 3 of 13 as red, green and blue"),
        (
            (4, 5, 13),
            {"planarconfig": "contig", "compression": "zlib"},
            "bands 1, 2 and 3 of 13 as red, green and blue",
        ),
        ((4, 5, 6), {"photometric": "rgb", "planarconfig": "contig"}, "bands 1, 2 and 3 of 6 as red, green and blue"),
        ((2, 4, 5), {"planarconfig": "separate"}, "band 1 of 2"),
    ],
)
def test_many_bands_are_told(shape: tuple[int, ...], options: dict[str, Any], bands: str) -> None:
    values = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    data = tiff(values, **({"photometric": "minisblack"} | options))
    taken = np.moveaxis(values, 0, -1) if options.get("planarconfig") == "separate" else values
    expected = taken[..., :3] if taken.shape[2] >= 3 else np.repeat(taken[..., :1], 3, axis=2)
    decoded = decode(data, target=8)
    assert np.asarray(decoded.image).tolist() == expected.tolist()
    assert decoded.bands == bands
    assert decoded.remark(None) == f"its {bands}"


def test_planes_of_16_bits_and_numbers_of_64() -> None:
    planes = np.array([[[0, 65535]], [[65535, 0]], [[0, 32896]]], dtype=np.uint16)  # [3, 1, 2]
    assert pixels(tiff(planes, photometric="rgb", planarconfig="separate")) == [[[0, 255, 0], [255, 0, 128]]]
    assert pixels(tiff(np.array([[0.0, 0.5, 1.0]]))) == [[[0] * 3, [128] * 3, [255] * 3]]
    with pytest.raises(PictureError, match="not numbers"):
        decode(tiff(np.array([[0.0, np.nan]])), target=8)


def test_a_tiff_that_unpacks_to_more_than_it_says_is_refused() -> None:
    data = bytearray(
        tiff(
            np.zeros((64, 64, 13), dtype=np.uint8), compression="zlib", photometric="minisblack", planarconfig="contig"
        )
    )
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        (tag,) = (tag for tag in file.pages[0].tags if tag.name == "ImageLength")
        rows = next(tag for tag in file.pages[0].tags if tag.name == "RowsPerStrip")
    for found in (tag, rows):
        size = 2 if int(found.dtype) == 3 else 4
        data[found.valueoffset : found.valueoffset + size] = (8).to_bytes(size, "little")
    with pytest.raises(PictureError, match="unpacks to more than it says"):
        decode(bytes(data), target=8)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "packed TIFF", "big-endian TIFF"])
def test_deep_colours_are_read_by_the_range(kind: str) -> None:
    values = np.array([[[0, 1024, 4095], [2048, 15, 16]]], dtype=np.uint16)
    if kind == "PNG":
        data = _png(values)
    else:
        options: dict[str, Any] = {"compression": "zlib"} if kind == "packed TIFF" else {}
        data = tiff(values, photometric="rgb", byteorder=">" if kind == "big-endian TIFF" else "<", **options)
    assert pixels(data, span=(0.0, 4095.0)) == [[[0, 64, 255], [128, 1, 1]]]
    assert pixels(data) == [[[0, 4, 15], [8, 0, 0]]], "without a range the high bytes, as ever"
    assert pixels(data, span=(0.0, 65535.0)) == pixels(data)
    decoded = decode(data, target=8, span="own")
    assert decoded.deep is not None
    assert decoded.deep.values.tolist() == values.tolist()


def _png(values: NDArray[np.uint16]) -> bytes:
    """RGB of 16 bits a channel, written by hand: Pillow writes none."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_jpeg_xl_is_read() -> None:
    values = np.zeros((16, 24, 3), dtype=np.uint8)
    values[:, 12:] = (200, 100, 50)
    decoded = decode(pylibjxl.encode(values, lossless=True), target=8)
    assert np.asarray(decoded.image).tolist() == values.tolist()
    assert (decoded.format, decoded.mode) == ("JXL", "RGB")


def test_heic_is_told_from_avif() -> None:
    assert is_heif(HEIC_HEAD)
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "AVIF")
    assert not is_heif(file.getvalue())
    assert not is_heif(b"\0\0\0\x18ftypisom" + bytes(50))
    with pytest.raises(PictureError, match=r"damaged or truncated \(HEIC/HEIF\)"):
        decode(HEIC_HEAD, target=8)


def test_heic_is_read(repository: Path) -> None:
    """The file was written by pillow-heif 1.8.1, which has an encoder: two halves, the left one of two quarters."""
    decoded = decode((repository / "tests" / "files" / "two_colours.heic").read_bytes(), target=8)
    assert (decoded.format, decoded.width, decoded.height) == ("HEIF", 96, 64)
    for place, colour in (((10, 10), (30, 60, 220)), ((10, 50), (0, 0, 0)), ((80, 30), (200, 100, 50))):
        np.testing.assert_allclose(decoded.image.getpixel(place), colour, atol=6)


WITHOUT = """
import sys
for name in ("pi_heif", "pylibjxl", "pydicom", "tifffile"):
    sys.modules[name] = None  # as if it were not installed: importing it fails
from tellapart.decoding import decode
from tellapart.errors import PictureError
try:
    decode(sys.stdin.buffer.read(), target=8)
except PictureError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("data", "name", "package", "extra"),
    [
        (HEIC_HEAD, "HEIC/HEIF", "pi-heif", "heif"),
        (b"\xff\x0a" + bytes(30), "JPEG XL", "pylibjxl", "jxl"),
        (bytes(128) + b"DICM" + bytes(30), "DICOM", "pydicom", "dicom"),
        (
            tiff(np.zeros((13, 4, 5), np.uint8), photometric="minisblack", planarconfig="separate"),
            "TIFF",
            "tifffile",
            "tiff",
        ),
    ],
)
def test_without_the_extra_the_reason_names_it(data: bytes, name: str, package: str, extra: str) -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT], input=data, capture_output=True, check=True)
    told = run.stdout.decode()
    assert told.startswith(f"a picture in the format {name}")
    assert f'{NEEDS} {package}. Install it with: pip install "tellapart[{extra}]"' in told


def test_what_is_never_read_is_named() -> None:
    for data, words in (
        (b"8BPS" + bytes(99), "a Photoshop file"),
        (b'<svg xmlns="x"></svg>', "an SVG drawing"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a drawing in PostScript"),
        (b"\x93NUMPY\x01\0" + bytes(99), "an array of NumPy"),
        (b"\0\0\0\x18ftypmp42" + bytes(99), "a film"),
        (b"RIFF\0\0\0\0AVI LIST" + bytes(99), "a film or a sound"),
    ):
        with pytest.raises(PictureError, match=f"{words}, which is not read. Save (it|its frames) as PNG"):
            decode(data, target=8)
    with pytest.raises(PictureError, match="not a picture in a known format"):
        decode(b"words", target=8)


def raw_file(order: str, *, first: int, below: int | None = None, dng: bool = False) -> bytes:
    """A preview of 2 x 2 in a TIFF as cameras write it: photometric kinds of the first page and of one below; DNG's mark."""

    def page(kind: int, more: list[tuple[int, int, int, int]]) -> bytes:
        short = [(256, 3, 1, 2), (257, 3, 1, 2), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, kind), (277, 3, 1, 1)]
        entries = sorted([*short, *more])
        rows = [
            struct.pack(f"{order}HHI", tag, type_, count)
            + (struct.pack(f"{order}HH", value, 0) if type_ == 3 else struct.pack(f"{order}I", value))
            for tag, type_, count, value in entries
        ]
        return struct.pack(f"{order}H", len(rows)) + b"".join(rows) + bytes(4)

    strips = [(273, 4, 1, 4000), (278, 3, 1, 2), (279, 4, 1, 4)]
    extra = [*strips, *([(330, 4, 1, 2000)] if below is not None else []), *([(50706, 4, 1, 1)] if dng else [])]
    data = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8) + page(first, extra)
    data = data.ljust(2000, b"\0") + (page(below, strips) if below is not None else b"")
    return data.ljust(4004, b"\x80")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kinds", "raw"),
    [
        ({"first": 1}, False),
        ({"first": 1, "below": 1}, False),
        ({"first": 1, "below": 32803}, True),
        ({"first": 32803}, True),
        ({"first": 1, "below": 34892}, True),
        ({"first": 1, "dng": True}, True),
    ],
)
def test_the_preview_in_a_camera_s_raw_file_does_not_pass_for_the_picture(
    order: str, kinds: dict[str, Any], raw: bool
) -> None:
    data = raw_file(order, **kinds)
    if kinds["first"] == 1:
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (2, 2)  # for Pillow it is a picture
    if raw:
        with pytest.raises(PictureError, match=r"^a camera's raw file, which is not read. Develop it to JPEG, PNG or"):
            decode(data, target=8)
    else:
        assert decode(data, target=8).width == 2


@pytest.mark.parametrize(
    "head",
    [b"II*\0\x10\0\0\0CR\x02\0", b"\0\0\0\x18ftypcrx \0\0\0\1", b"FUJIFILMCCD-RAW ", b"IIRO\x08\0\0\0", b"IIU\0\x18"],
)
def test_raw_files_of_other_makes_are_named(head: bytes) -> None:
    with pytest.raises(PictureError, match="a camera's raw file, which is not read"):
        decode(head + bytes(99), target=8)


def test_the_readers_are_told_by_version() -> None:
    assert f"tifffile-{tifffile.__version__}" in readers().split(",")


@pytest.mark.parametrize(
    ("name", "count", "said"), [("TIFF", 3, True), ("TIFF", 1, False), ("GIF", 2, True), ("GIF", 1, False)]
)
def test_that_only_the_first_page_or_frame_is_read_is_told(name: str, count: int, said: bool) -> None:
    pages = [Image.new("L", (9, 7), 40 * number) for number in range(1, count + 1)]
    file = io.BytesIO()
    pages[0].save(file, name, save_all=True, append_images=pages[1:])
    decoded = decode(file.getvalue(), target=8)
    assert decoded.bands == ("first page or frame of several" if said else "")
    assert decoded.remark(None) == (f"its {decoded.bands}" if said else "")
    assert np.unique(np.asarray(decoded.image)).tolist() == [40], "the first one it is"


def test_a_file_whose_second_frame_is_damaged_is_its_first() -> None:
    pages = [Image.new("L", (90, 70), 40), Image.effect_noise((90, 70), 30)]
    file = io.BytesIO()
    pages[0].save(file, "GIF", save_all=True, append_images=pages[1:])
    first = io.BytesIO()
    pages[0].save(first, "GIF")
    decoded = decode(file.getvalue()[: len(first.getvalue()) + 40], target=8)
    assert decoded.image.getpixel((0, 0)) == (40, 40, 40)
