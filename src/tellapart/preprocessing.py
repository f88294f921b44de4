"""A picture file becomes pixels, the same way everywhere. In: bytes. Out: uint8 [H, W, 3]. Next: runtime.py.

This is the only copy: training, evaluation, command line, server and tests all come through here.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tellapart.errors import PictureError

# Pillow warns about oddities in files (corrupt EXIF, palette transparency) that are either harmless here or
# become a PictureError below. A filter at import, since warnings.catch_warnings is not safe between threads.
warnings.filterwarnings("ignore", module=r"PIL\..*")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

MAX_PIXELS = 170_000_000  # just under the count at which Pillow itself refuses; 510 MB once decoded
MAX_FILE_BYTES = 512 * 1024 * 1024

_DRAFT_FACTOR = 2
_STRIP_PIXELS = 4_000_000
_REDUCING_GAP = 3.0  # Pillow's own figure for "no visible difference from a full resize"
_COMMON = ("JPEG", "PNG", "GIF", "BMP", "PPM")  # loaded with Pillow; the others cost 0.1 s to import once
# Raster formats only: EPS, PDF and WMF run interpreters, and TGA has no signature, so any bytes may pass for it.
_OTHERS = ("TIFF", "WEBP", "AVIF", "JPEG2000", "MPO", "ICO", "DIB", "PCX", "SGI", "QOI")

_RESAMPLING: Mapping[str, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

_BITS_TAG, _PHOTOMETRIC_TAG, _ORIENTATION_TAG = 0x0102, 0x0106, 0x0112
_WHITE_IS_ZERO = 0
_UPRIGHT: Mapping[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How a picture is made ready for one network."""

    size: int  # pixels, width and height of the network's input
    crop: float = 0.875  # size / shorter side after the resize, in (0, 1]
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)  # of RGB in [0, 1]
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """An upright RGB picture and what its file said."""

    image: Image.Image  # mode RGB; of a large JPEG it may be smaller than width x height
    width: int  # pixels of the stored picture, upright
    height: int
    format: str  # Pillow's name, from the content: JPEG, PNG ...
    mode: str  # Pillow's mode as stored: RGB, L, RGBA, P ...
    turned: bool  # EXIF says that the stored pixels do not stand upright


def decode(data: bytes, *, target: int, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode the bytes of a picture file to upright RGB.

    `target` is the side in pixels that the picture will be resized to: a JPEG may be decoded at a reduced scale,
    never with its shorter side below twice `target`. Alpha is composited on white, 16-bit grey is scaled to 8 bits,
    and of an animation the first frame is taken. Orientation follows EXIF 2.32, tag 274.
    `max_pixels`, at most MAX_PIXELS, is compared with what the header says, before anything is decoded.
    Raises: PictureError with the reason when the bytes are no picture, damaged, or over the limits.
    """
    if not data:
        raise PictureError("empty file")
    if len(data) > MAX_FILE_BYTES:
        raise PictureError(f"file of {len(data):,} bytes; the limit is {MAX_FILE_BYTES:,}. Store it smaller")
    try:
        return _decode(data, target, max_pixels)
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError("not a picture in a known format") from None
    except Image.DecompressionBombError:
        raise PictureError(f"more than {MAX_PIXELS:,} pixels, the limit. Store it smaller") from None
    except MemoryError:
        raise PictureError("not enough memory to decode it") from None
    # Pillow's decoders answer damaged bytes with many kinds of exception; each of them means: cannot be read.
    except Exception as error:
        raise PictureError(f"damaged or truncated ({_one_line(error)})") from None


def prepare(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Resize and centre-crop an RGB picture to uint8 [size, size, 3], in one step from the source pixels.

    The geometry is timm's evaluation transform (shorter side to floor(size / crop), then a centre crop of `size`);
    resizing only the crop's box saves a third of the work.
    """
    size = preprocessing.size
    resized = image.resize(
        (size, size),
        _RESAMPLING[preprocessing.interpolation],
        box=shown_part(image.width, image.height, preprocessing),
        reducing_gap=_REDUCING_GAP,
    )
    return np.asarray(resized)


def shown_part(width: int, height: int, preprocessing: Preprocessing) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what `prepare` keeps of a picture of that size, in its pixels: a square in the middle."""
    size = preprocessing.size
    side = min(width, height) * size / max(size, math.floor(size / preprocessing.crop))
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def load(data: bytes, preprocessing: Preprocessing, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Bytes of a picture file to the network's input, uint8 [size, size, 3]. Raises: PictureError."""
    return prepare(decode(data, target=preprocessing.size, max_pixels=max_pixels).image, preprocessing)


def check_pixels(width: int, height: int, *, most: int) -> None:
    """Raises: PictureError when a picture has more than `most` pixels."""
    if width * height > most:
        raise PictureError(f"{width:,} x {height:,} pixels; the limit is {most:,} in all. Store it smaller")


def _decode(data: bytes, target: int, max_pixels: int) -> Decoded:
    image = _open(data)
    width, height = image.size
    check_pixels(width, height, most=max_pixels)
    format_name, mode = str(image.format), image.mode
    image.draft(None, (target * _DRAFT_FACTOR, target * _DRAFT_FACTOR))
    image.load()
    upright = _UPRIGHT.get(_orientation(image))
    rgb = _to_rgb(image)
    if upright is not None:
        rgb = rgb.transpose(upright)
        if upright in (_UPRIGHT[5], _UPRIGHT[6], _UPRIGHT[7], _UPRIGHT[8]):
            width, height = height, width
    return Decoded(image=rgb, width=width, height=height, format=format_name, mode=mode, turned=upright is not None)


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_COMMON)
    except UnidentifiedImageError:
        Image.init()
        return Image.open(io.BytesIO(data), formats=[name for name in _OTHERS if name in Image.OPEN])


def _orientation(image: Image.Image) -> int:
    # Asked after load(): Pillow turns TIFF itself and then drops the tag. Damaged EXIF does not spoil the pixels.
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _scale_deep_grey(image).convert("RGB")
    if image.mode == "LAB":
        from PIL import ImageCms

        converted = ImageCms.profileToProfile(
            image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        if converted is None:
            raise PictureError("the LAB colours cannot be converted")
        return converted
    if image.mode == "La":
        image = image.convert("LA")  # the one way out of La that Pillow has
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa"):
        with_alpha = image if image.mode == "RGBA" else image.convert("RGBA")
        on_white = Image.new("RGB", image.size, "white")
        on_white.paste(with_alpha, mask=with_alpha)
        return on_white
    return image.convert("RGB")


def _scale_deep_grey(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits to mode L: 16 bits are divided by 257; other ranges are stretched to fit 0 to 255.

    Pillow leaves two things to us here: white-is-zero of TIFF, and a transparent key.
    """
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})  # TIFF only
    stored = np.asarray(image)
    low, high = float(stored.min()), float(stored.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise PictureError("it holds values that are not numbers")
    if image.mode.startswith("I;16"):
        low, high = 0.0, 2.0 ** min(16, *tags.get(_BITS_TAG, (16,))) - 1  # scientific cameras write 12 bits
    elif image.mode == "I" and (image.format == "PPM" or (low >= 0 and 255 < high <= 65535)):
        low, high = 0.0, 65535.0
    elif low >= 0 and high <= (1.0 if image.mode == "F" else 255.0):
        low, high = 0.0, 1.0 if image.mode == "F" else 255.0
    elif low >= 0 and high <= 255.0:
        low, high = 0.0, 255.0
    grey = np.empty(stored.shape, dtype=np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width)  # whole, the largest picture would take 4 GB in float64
    for top in range(0, image.height, rows):
        values = stored[top : top + rows].astype(np.float64)
        scaled = (values - low) * (255.0 / max(high - low, 1e-12))
        if tags.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO:
            scaled = 255.0 - scaled
        if "transparency" in image.info:
            scaled[values == image.info["transparency"]] = 255.0
        grey[top : top + rows] = np.rint(scaled)
    return Image.fromarray(grey)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:120]
    return text or type(error).__name__
