"""Pictures that Pillow does not read: DICOM, TIFF with many bands or other numbers. In: bytes. Out: Raw. Next: decoding.py.

pydicom and tifffile read them; each comes with an extra. Sizes are compared with the limits before anything is decoded.
"""

from __future__ import annotations

import importlib
import io
import logging
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.deep_values import Deep, Span, check_numbers
from tellapart.errors import PictureError
from tellapart.picture_files import DICOM, TIFF, load_reader

# Both warn of oddities in files. As in decoding.py, at import: warnings.catch_warnings is not safe between threads.
warnings.filterwarnings("ignore", module=r"pydicom\..*")
warnings.filterwarnings("ignore", module=r"tifffile\..*")

CheckPixels = Callable[[int, int], None]  # width, height; raises PictureError

_MOST_BYTES = 2 * 1024**3  # of decoded values
_DEFLATED_DICOM = b"1.2.840.10008.1.2.1.99"  # unpacked whole before anything can be asked of it
_HEAD = 8192
_DEFLATE = (8, 32946, 50013)  # TIFF's numbers of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A picture that stands upright: either an 8-bit picture or deep values."""

    format: str
    mode: str
    width: int
    height: int
    image: Image.Image | None = None  # L or RGB
    deep: Deep | None = None
    bands: str = ""  # which of many are taken, in words


def read_dicom(data: bytes, check: CheckPixels) -> Raw:
    """The first frame of a DICOM file, by the window that it tells: grey or RGB.

    Raises: PictureError; what pydicom raises.
    """
    pydicom = load_reader(DICOM)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE  # odd dates are no matter of pixels
    if _DEFLATED_DICOM in data[:_HEAD]:
        raise PictureError("DICOM packed as a whole (deflated), which is not read. Save it without")
    dataset = pydicom.dcmread(io.BytesIO(data))
    if "PixelData" not in dataset:
        raise PictureError("a DICOM file without a picture")
    width, height = int(dataset.Columns), int(dataset.Rows)
    check(width, height)
    kind = str(dataset.PhotometricInterpretation)
    pixels = importlib.import_module("pydicom.pixels")
    values = np.asarray(pixels.pixel_array(dataset, index=0))
    if not values.size:
        raise PictureError("a DICOM file without a picture")
    if kind == "PALETTE COLOR":
        values = pixels.apply_color_lut(values, dataset)
    if values.ndim == 3:
        return _coloured(values, "DICOM", bands="")
    values, window = _windowed(pixels, values, dataset)
    low, high = check_numbers(values)
    bits = int(dataset.BitsStored)
    usual = window or ((0.0, 2.0**bits - 1) if low >= 0 and high < 2**bits else (low, high))
    deep = Deep(values=values, usual=usual, inverted=kind == "MONOCHROME1", windowed=window is not None)
    return Raw(format="DICOM", mode=f"I;{bits}", width=width, height=height, deep=deep)


def _windowed(pixels: Any, values: NDArray[Any], dataset: Any) -> tuple[NDArray[Any], Span | None]:
    """Values in the units of the file, such as Hounsfield's, and its window; a curve is already followed.

    Source: DICOM PS3.3, C.11.1.1 and C.11.2.1.
    """
    values = pixels.apply_modality_lut(values, dataset)
    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        return pixels.apply_voi(values, dataset), (0.0, 2.0**bits - 1)
    if "WindowWidth" not in dataset or "WindowCenter" not in dataset:
        return values, None
    function = str(dataset.get("VOILUTFunction", "LINEAR"))
    if function == "SIGMOID":
        ends = pixels.apply_windowing(np.array([[-1e9, 1e9]]), dataset)
        return pixels.apply_windowing(values, dataset), (float(ends[0, 0]), float(ends[0, 1]))
    centre, width = (float(_first(dataset[name].value)) for name in ("WindowCenter", "WindowWidth"))
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    return values, (centre - width / 2, centre + max(width, 1e-6) / 2)


def _first(value: Any) -> Any:
    """Of several windows the first."""
    return value[0] if hasattr(value, "__len__") and not isinstance(value, str) else value


def read_tiff(data: bytes, check: CheckPixels) -> Raw:
    """The first page of a TIFF: grey or RGB, of many bands the first three.

    Raises: PictureError; what tifffile raises of a damaged one.
    """
    tifffile = load_reader(TIFF)
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it tells the screen of every oddity in a file
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        width, height, samples = int(page.imagewidth), int(page.imagelength), int(page.samplesperpixel)
        check(width, height)
        if min(width, height, samples) < 1:
            raise PictureError(f"a TIFF of {width} x {height} pixels and {samples} bands, which holds no picture")
        if page.dtype is None or page.dtype.kind not in "buif" or page.nbytes > _MOST_BYTES or page.imagedepth != 1:
            raise PictureError(
                f"a TIFF of {samples} bands of {page.dtype or page.bitspersample}, which is not read. Save it as PNG"
            )
        _check_deflated(file, page)
        values = np.asarray(page.asarray(maxworkers=1))
        values = np.moveaxis(values.reshape(samples, height, width), 0, -1) if page.planarconfig == 2 else values
        inverted = int(page.photometric) == 0
    values = values.reshape(height, width, samples)
    taken = values[..., :3] if samples >= 3 else values[..., 0]
    bands = {1: "", 2: "band 1 of 2", 3: ""}.get(samples, f"bands 1, 2 and 3 of {samples} as red, green and blue")
    if taken.dtype == np.bool_:
        taken = taken.astype(np.uint8) * np.uint8(255)
    if taken.ndim == 3:
        return _coloured(taken, "TIFF", bands=bands)
    if taken.dtype == np.uint8:
        grey = Image.fromarray(np.ascontiguousarray(255 - taken if inverted else taken))
        return Raw(format="TIFF", mode="L", width=width, height=height, image=grey, bands=bands)
    deep = Deep(values=taken, usual=_usual(taken), inverted=inverted)
    return Raw(format="TIFF", mode=f"grey {taken.dtype}", width=width, height=height, deep=deep, bands=bands)


def _coloured(values: NDArray[Any], name: str, *, bands: str) -> Raw:
    height, width, _ = values.shape
    if values.dtype == np.uint8:
        image = Image.fromarray(np.ascontiguousarray(values))
        return Raw(format=name, mode="RGB", width=width, height=height, image=image, bands=bands)
    deep = Deep(values=values, usual=_usual(values))
    return Raw(format=name, mode=f"RGB {values.dtype}", width=width, height=height, deep=deep, bands=bands)


def _usual(values: NDArray[Any]) -> Span:
    """Unsigned integers by their type; other numbers from 0 to 1 where they lie in it, or by their own limits."""
    low, high = check_numbers(values)
    if values.dtype == np.uint16:
        return 0.0, 65535.0
    return (0.0, 1.0) if low >= 0 and high <= 1 and values.dtype.kind == "f" else (low, high)


def _check_deflated(file: Any, page: Any) -> None:
    """Unpack each part with a bound first, since tifffile has none. Raises: PictureError for more than the head promises."""
    if int(page.compression) not in _DEFLATE:
        return
    most = int(np.prod(page.chunks)) * page.dtype.itemsize
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.filehandle.seek(offset)
        unpacked = zlib.decompressobj().decompress(file.filehandle.read(count), most + 1)
        if len(unpacked) > most:
            raise PictureError("a TIFF that unpacks to more than it says; it is damaged or made to do harm")
