"""Which format the bytes of a picture have, and who reads it. In: bytes. Out: Pillow's picture, or values. Next: deep_pictures.py.

Pillow reads the usual formats. Some need a package more, which comes with an extra: without it the reason names both.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import io
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from PIL import Image, UnidentifiedImageError

from tellapart.errors import PictureError

_COMMON = ("JPEG", "PNG", "GIF", "BMP", "PPM")  # loaded with Pillow; the others cost 0.1 s to import once
# Raster formats only: EPS, PDF and WMF run interpreters, and TGA has no signature, so any bytes may pass for it.
_OTHERS = ("TIFF", "WEBP", "AVIF", "JPEG2000", "MPO", "ICO", "DIB", "PCX", "SGI", "QOI")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# What is often taken for a picture and is none that is read; what it begins with.
_CAMERA_RAW = "a camera's raw file"
_UNREAD: Mapping[bytes, str] = {
    b"8BPS": "a Photoshop file",
    b"FUJIFILMCCD-RAW": _CAMERA_RAW,
    b"IIRO": _CAMERA_RAW,  # of Olympus
    b"IIRS": _CAMERA_RAW,
    b"IIU\0": _CAMERA_RAW,  # of Panasonic
    b"SIMPLE  =": "a FITS file",
    b"\x76\x2f\x31\x01": "an OpenEXR file",
    b"%!PS": "a drawing in PostScript",
    b"\xc5\xd0\xd3\xc6": "a drawing in PostScript",
    b"\x93NUMPY": "an array of NumPy",
    b"RIFF": "a film or a sound",  # of WebP's kind, but not WebP
    b"\x1aE\xdf\xa3": "a film",
}
# What holds no picture itself, and what to do with it; what it begins with.
_UNPACK = "Unpack it, and name the folder or the pictures"
_TABLE = "--list takes the pictures that a table names"
_OTHERS_THAN_PICTURES: Mapping[bytes, str] = {
    b"7z\xbc\xaf\x27\x1c": f"a 7z archive. {_UNPACK}",
    b"Rar!\x1a\x07": f"a RAR archive. {_UNPACK}",
    b"\xfd7zXZ\0": f"a file packed with xz. {_UNPACK}",
    b"BZh": f"a file packed with bzip2. {_UNPACK}",
    b"\x28\xb5\x2f\xfd": f"a file packed with zstd. {_UNPACK}",
    b"\x1f\x8b": f"a file packed with gzip. {_UNPACK}",
    b"PK\3\4": f"a zip archive, or a table or document of Office. {_UNPACK}; {_TABLE}",
    b"PAR1": f"a parquet table. Name it by its ending .parquet; {_TABLE}",
    b"ARROW1": f"an Arrow table. Name it by its ending .arrow; {_TABLE}",
    b"%PDF-": "a PDF document. Save its pages as PNG",
    b"SQLite format 3\0": "a database. Save its pictures as files",
}
_FILMS = (b"isom", b"iso2", b"mp41", b"mp42", b"avc1", b"qt  ", b"M4V ", b"3gp4", b"3gp5")
_PHOTOMETRIC, _SUB_PAGES, _DNG_VERSION = 0x0106, 0x014A, 0xC612  # tags of TIFF
_FILTERED = (32803, 34892)  # values behind a colour filter, and those made linear
_WIDTHS: Mapping[int, int] = {1: 1, 3: 2, 4: 4, 13: 4}  # bytes of TIFF's kinds of whole numbers
_MOST_PAGES = 16  # below the first one that are looked at
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


def other_than_picture(data: bytes) -> str:
    """What bytes are that hold no picture themselves, and what to do, in words; "" where that is not known."""
    return next((what for start, what in _OTHERS_THAN_PICTURES.items() if data.startswith(start)), "")


def is_camera_raw(data: bytes) -> bool:
    """Whether the bytes are of a camera's raw file in TIFF's clothes: DNG, NEF, CR2, ARW, PEF and their like.

    Their first page is a small preview, which must not pass for the picture. What tells them: the mark of DNG or CR2, or a page
    of values behind a colour filter, which is the first one or below it. Source: TIFF 6.0, section 2; TIFF/EP, ISO 12234-2.
    """
    if data[8:11] == b"CR\x02" or data[2:4] not in (b"*\0", b"\0*"):  # BigTIFF is laid out in another way
        return data[8:11] == b"CR\x02"
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    first = _tags(data, int.from_bytes(data[4:8], order), order)
    pages = [first, *(_tags(data, place, order) for place in first.get(_SUB_PAGES, ())[:_MOST_PAGES])]
    return _DNG_VERSION in first or any(page.get(_PHOTOMETRIC, (0,))[0] in _FILTERED for page in pages)


def _tags(data: bytes, place: int, order: Literal["little", "big"]) -> dict[int, tuple[int, ...]]:
    """The whole numbers of a page of a TIFF, by tag; of other values the tag alone. Empty where the page lies beyond the file."""
    count = int.from_bytes(data[place : place + 2], order)
    found: dict[int, tuple[int, ...]] = {}
    for start in range(place + 2, min(place + 2 + 12 * count, len(data) - 11), 12):
        tag, kind = (int.from_bytes(data[at : at + 2], order) for at in (start, start + 2))
        number, width = int.from_bytes(data[start + 4 : start + 8], order), _WIDTHS.get(kind, 0)
        number = min(number, _MOST_PAGES)
        at = start + 8 if number * width <= 4 else int.from_bytes(data[start + 8 : start + 12], order)
        found[tag] = tuple(int.from_bytes(data[at + i * width : at + (i + 1) * width], order) for i in range(number))
    return found


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


def check_camera_raw(data: bytes) -> None:
    """Raises: PictureError for a camera's raw file in TIFF's clothes."""
    if is_camera_raw(data):
        raise not_read(_CAMERA_RAW)


def not_read(name: str) -> PictureError:
    """The error for a picture of a format that is not read."""
    film = "Save its frames as PNG or JPEG" if "film" in name else "Save it as PNG or TIFF"
    remedy = "Develop it to JPEG, PNG or TIFF" if name == _CAMERA_RAW else film
    return PictureError(f"{name}, which is not read. {remedy}")


def _name_unread(data: bytes) -> None:
    """Raises: PictureError for what has a name, but is not read."""
    if data[4:12] == b"ftypcrx ":  # of Canon
        raise not_read(_CAMERA_RAW)
    for start, name in _UNREAD.items():
        if data.startswith(start):
            raise not_read(name)
    if data[4:8] == b"ftyp" and data[8:12] in _FILMS:
        raise not_read("a film")
    if data.lstrip()[:5] in (b"<svg ", b"<?xml") and b"<svg" in data[:4096]:
        raise PictureError("an SVG drawing, which is not read. Save it as PNG")
