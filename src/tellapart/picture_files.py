"""Which format the bytes of a picture have, and who reads it. In: bytes. Out: Pillow's picture, or values. Next: deep_pictures.py.

Pillow reads the usual formats. Some need a package more, which comes with an extra: without it the reason names both.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import io
from collections.abc import Mapping
from typing import Any, NamedTuple

from PIL import Image, UnidentifiedImageError

from tellapart.errors import PictureError

_COMMON = ("JPEG", "PNG", "GIF", "BMP", "PPM")  # loaded with Pillow; the others cost 0.1 s to import once
# Raster formats only: EPS, PDF and WMF run interpreters, and TGA has no signature, so any bytes may pass for it.
_OTHERS = ("TIFF", "WEBP", "AVIF", "JPEG2000", "MPO", "ICO", "DIB", "PCX", "SGI", "QOI")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# What is often taken for a picture and is none that is read; what it begins with.
_UNREAD: Mapping[bytes, str] = {
    b"8BPS": "a Photoshop file",
    b"FUJIFILMCCD-RAW": "a camera's raw file",
    b"SIMPLE  =": "a FITS file",
    b"\x76\x2f\x31\x01": "an OpenEXR file",
}
NEEDS = "reading it needs the package"  # in the reason where one is missing: installed, the file can be read


class Needed(NamedTuple):
    """A package that reads a format."""

    name: str  # of the format
    package: str
    module: str
    extra: str


HEIF = Needed(
    "HEIC/HEIF", "pi-heif", "pi_heif", "heif"
)  # pillow-heif's own reader without x265, which is under the GPL
JPEG_XL = Needed("JPEG XL", "pylibjxl", "pylibjxl", "jxl")  # pillow-jxl-plugin is under the GPL
DICOM = Needed("DICOM", "pydicom", "pydicom", "dicom")
TIFF = Needed(
    "TIFF that Pillow does not read, with many bands or numbers of another kind", "tifffile", "tifffile", "tiff"
)


def open_picture(data: bytes) -> Image.Image:
    """Pillow's picture, of which only the head has been read.

    Raises: UnidentifiedImageError for what is no picture in a known format; PictureError where a package is missing, or where
    the format is known not to be read; what Pillow raises of a damaged head.
    """
    try:
        return Image.open(io.BytesIO(data), formats=_COMMON)
    except UnidentifiedImageError:
        Image.init()
    if is_heif(data):
        _register(HEIF, "HEIF", "register_heif_opener")
        try:
            return Image.open(io.BytesIO(data), formats=["HEIF"])
        except UnidentifiedImageError:
            raise PictureError("damaged or truncated (HEIC/HEIF)") from None
    if data.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")):
        _register(JPEG_XL, "JXL", "register_pillow")
        return Image.open(io.BytesIO(data), formats=["JXL"])
    try:
        return Image.open(io.BytesIO(data), formats=[name for name in _OTHERS if name in Image.OPEN])
    except UnidentifiedImageError:
        _name_unread(data)
        raise


def is_heif(data: bytes) -> bool:
    """Whether the bytes are of HEIF; AVIF begins alike, with brands of its own."""
    if data[4:8] != b"ftyp":
        return False
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, min(64, int.from_bytes(data[:4], "big")), 4))]
    return b"avif" not in brands and b"avis" not in brands and any(brand in _HEIF_BRANDS for brand in brands)


def is_dicom(data: bytes) -> bool:
    """Whether the bytes are of DICOM, part 10: a preamble of 128 bytes, then its name."""
    return data[128:132] == b"DICM"


def is_tiff(data: bytes) -> bool:
    """Whether the bytes are of TIFF or BigTIFF."""
    return data.startswith(_TIFF)


def load_reader(needed: Needed) -> Any:
    """The module that reads a format. Raises: PictureError where it is not installed."""
    try:
        return importlib.import_module(needed.module)
    except ImportError:
        raise PictureError(
            f"a picture in the format {needed.name}; {NEEDS} {needed.package}. "
            f'Install it with: pip install "tellapart[{needed.extra}]"'
        ) from None


def readers() -> str:
    """Which versions of the packages are installed: with others, the same files may give other pixels."""
    found = []
    for needed in (HEIF, JPEG_XL, DICOM, TIFF):
        try:
            found.append(f"{needed.package}-{importlib.metadata.version(needed.package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ",".join(found)


def _register(needed: Needed, name: str, function: str) -> None:
    """Let Pillow know of a format, once."""
    if name in Image.OPEN:
        return
    module = load_reader(needed)
    getattr(module, function)()


def _name_unread(data: bytes) -> None:
    """Raises: PictureError for what has a name, but is not read."""
    for start, name in _UNREAD.items():
        if data.startswith(start):
            raise PictureError(f"{name}, which is not read. Save it as PNG or TIFF")
    if data.lstrip()[:5] in (b"<svg ", b"<?xml") and b"<svg" in data[:4096]:
        raise PictureError("an SVG drawing, which is not read. Save it as PNG")
