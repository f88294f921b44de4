"""The pixels of a mask as its file has them. In: bytes. Out: Values. Next: mask_fit.py.

Numbers stay numbers: no colour profile, no scaling, no alpha over white. What cannot be a mask is refused with the reason: JPEG
changes the values along every edge, and a photo has no classes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from tellapart.decoding import MAX_FILE_BYTES, MAX_PIXELS, UNKNOWN_FORMAT, check_pixels
from tellapart.errors import PictureError, one_line
from tellapart.picture_files import open_picture

MOST_VALUES = 256  # different ones in a mask
_LOSSY = ("JPEG", "MPO", "HEIF", "AVIF")
_BAND_PIXELS = 1 << 20  # looked at together, so that memory does not grow with the mask
_LARGE_PIXELS = 30_000_000  # one of so many is read at a time
_PHOTO_VALUES = 24  # from so many values on it may be a photo
_PHOTO_ALIKE = 0.6  # share of pixels like their right neighbour below which it is one
_NEAR_ENDS = 32  # grey levels from black or white that smoothing leaves
_AT_ENDS = 0.9  # share of the pixels that have them

_one_large = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Values:
    """A mask's different values, and where they are."""

    indices: NDArray[np.uint8]  # [H, W], positions in `values`
    values: tuple[int, ...]  # ascending: numbers, or colours as 0xRRGGBB
    coloured: bool = False  # the values are colours
    palette: tuple[int, ...] = ()  # of a file with a palette: the colour of each value
    names: tuple[str, ...] = ()  # of what was drawn, or given a file a class: the class of each value
    smoothed: bool = False  # black and white with greys between them, as smoothing leaves along edges

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.indices.shape[1], self.indices.shape[0]


def read_values(data: bytes) -> Values:
    """The values of a mask's file. Raises: PictureError with the reason why it can be none."""
    if not data:
        raise PictureError("empty file")
    if len(data) > MAX_FILE_BYTES:
        raise PictureError(f"file of {len(data):,} bytes; the limit is {MAX_FILE_BYTES:,}. Store it smaller")
    try:
        image = open_picture(data)
        check_pixels(*image.size, most=MAX_PIXELS)
        if lossy := _lossy(image, data):
            raise PictureError(
                f"a mask saved as {lossy}, which changes values along every edge. Save the original as PNG"
            )
        if image.width * image.height > _LARGE_PIXELS:
            with _one_large:
                return _values(image)
        return _values(image)
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError(UNKNOWN_FORMAT) from None
    except Image.DecompressionBombError:
        raise PictureError(f"more than {MAX_PIXELS:,} pixels, the limit. Store it smaller") from None
    except MemoryError:
        raise PictureError("not enough memory to decode it") from None
    # Decoders answer damaged bytes with many kinds of exception; each of them means: cannot be read.
    except Exception as error:
        reason = one_line(error, most=120)
        raise PictureError(f"damaged or truncated ({reason})") from None


def cut_in_the_middle(found: Values) -> Values:
    """A smoothed mask of black and white as one of the values 0 and 255, cut at 128."""
    white = np.array([255 if value >= 128 else 0 for value in found.values], dtype=np.uint8)
    return replace(found, indices=(white[found.indices] > 0).astype(np.uint8), values=(0, 255), smoothed=False)


def _lossy(image: Image.Image, data: bytes) -> str:
    """The format, where it does not keep values; "" where it does."""
    if image.format == "TIFF" and image.info.get("compression") == "jpeg":
        return "TIFF with JPEG in it"
    if image.format == "WEBP":
        return "WEBP" if _has_chunk(data, b"VP8 ") else ""
    return str(image.format) if image.format in _LOSSY else ""


def _has_chunk(data: bytes, name: bytes) -> bool:
    """Whether a RIFF file has a chunk of that name."""
    place = 12
    while place + 8 <= len(data):
        if data[place : place + 4] == name:
            return True
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + size + size % 2
    return False


def _values(image: Image.Image) -> Values:
    image.load()
    if image.getexif().get(0x0112, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA"):
        image = _without_alpha(image)
    if image.mode == "1":
        image = image.convert("L")
    if image.mode == "RGB":
        return _checked(_of_colours(image))
    if image.mode not in ("L", "P", "I", "I;16", "I;16B", "I;16L", "F"):
        raise PictureError(f"a mask in mode {image.mode}, which is none of indices, grey or RGB. Save it as PNG")
    colours = _palette(image)
    pixels = np.asarray(image)
    if colours and all(colour % 0x010101 == 0 for colour in colours):
        pixels = np.array([colour & 255 for colour in colours], dtype=np.uint8)[pixels]  # a picture in grey, packed
        colours = ()
    found = _of_numbers(pixels)
    if colours:
        found = replace(found, palette=tuple(colours[value] for value in found.values))
    return _checked(found)


def _without_alpha(image: Image.Image) -> Image.Image:
    """The colours; or the alpha, where it alone says something."""
    plain, alpha = image.convert("L" if image.mode == "LA" else "RGB"), image.getchannel("A")
    return alpha if _is_flat(plain) and not _is_flat(alpha) else plain


def _is_flat(image: Image.Image) -> bool:
    """Whether each channel has one value."""
    return all(band.getextrema()[0] == band.getextrema()[1] for band in image.split())


def _palette(image: Image.Image) -> tuple[int, ...]:
    """The colours 0xRRGGBB of a palette, black where it says nothing; () where there is none."""
    flat = image.getpalette("RGB") if image.mode == "P" else None
    if not flat:
        return ()
    flat = [*flat, *([0] * (3 * MOST_VALUES - len(flat)))]
    return tuple((flat[at] << 16) | (flat[at + 1] << 8) | flat[at + 2] for at in range(0, 3 * MOST_VALUES, 3))


def _of_numbers(pixels: NDArray[Any]) -> Values:
    if pixels.dtype.kind == "f":
        if not np.isfinite(pixels).all() or (pixels != np.rint(pixels)).any() or np.abs(pixels).max(initial=0) > 1e9:
            raise PictureError("a mask of values that are no whole numbers. Save classes as numbers, or as colours")
        pixels = pixels.astype(np.int64)
    values = _distinct(_bands(pixels), pixels.dtype)
    return Values(indices=_indices(pixels, values), values=tuple(values.tolist()))


def _of_colours(image: Image.Image) -> Values:
    """Of greys in three channels the numbers."""
    stored = _distinct(_strips(image), np.dtype(np.uint32))
    colours = ((stored & 255) << 16) | (stored & 0xFF00) | (stored >> 16)
    grey = bool((colours == (colours & 255) * 0x010101).all())
    values = np.sort(colours & 255 if grey else colours)
    table = np.zeros(1 << 24, dtype=np.uint8)  # pages that no colour asks for are never made
    table[stored] = np.searchsorted(values, colours & 255 if grey else colours)
    indices = np.empty((image.height, image.width), dtype=np.uint8)
    for rows, strip in zip(_bands(indices), _strips(image), strict=True):
        rows[:] = table[strip]
    return Values(indices=indices, values=tuple(values.tolist()), coloured=not grey)


def _strips(image: Image.Image) -> Iterator[NDArray[np.uint32]]:
    """The rows of a picture [H, W] as Pillow stores them, red lowest, some at a time, so that no whole copy is made."""
    rows = max(1, _BAND_PIXELS // max(1, image.width))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(image.height, top + rows)))
        yield np.frombuffer(strip.tobytes("raw", "RGBX"), dtype="<u4").reshape(strip.height, strip.width) & np.uint32(
            0xFFFFFF
        )


def _bands(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The rows of an array, some at a time."""
    rows = max(1, _BAND_PIXELS // max(1, pixels.shape[1]))
    return (pixels[start : start + rows] for start in range(0, pixels.shape[0], rows))


def _distinct(bands: Iterable[NDArray[Any]], kind: np.dtype[Any]) -> NDArray[Any]:
    """The different values, ascending. Raises: PictureError where there are too many for a mask."""
    found = np.empty(0, dtype=kind)
    for band in bands:
        flat = band.reshape(-1)
        # Only where the value changes along a row: a mask is made of areas.
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        found = np.union1d(found, flat[np.concatenate(([0], changes))])
        if len(found) > MOST_VALUES:
            raise PictureError(
                f"more than {MOST_VALUES} different values, as a photo has, or a mask that was smoothed or saved as JPEG, or one "
                "that numbers things. Save a class a pixel as PNG"
            )
    return found


def _indices(pixels: NDArray[Any], values: NDArray[Any]) -> NDArray[np.uint8]:
    """Positions in the values, uint8 [H, W]."""
    if pixels.dtype == np.uint8 and np.array_equal(values, np.arange(len(values))):
        return pixels.astype(np.uint8, copy=False)
    places = np.empty(pixels.shape, dtype=np.uint8)
    table = np.zeros(int(values[-1]) + 1 if values[0] >= 0 and values[-1] < 1 << 24 else 0, dtype=np.uint8)
    if len(table):
        table[values] = np.arange(len(values))
    for rows, band in zip(_bands(places), _bands(pixels), strict=True):
        rows[:] = table[band] if len(table) else np.searchsorted(values, band)
    return places


def _checked(found: Values) -> Values:
    """The same, marked where smoothed. Raises: PictureError for a photo."""
    if len(found.values) < 3:
        return found
    if not found.coloured and not found.palette and found.values[-1] <= 255 and _is_smoothed(found):
        return replace(found, smoothed=True)
    if len(found.values) >= _PHOTO_VALUES and _alike(found.indices) < _PHOTO_ALIKE:
        raise PictureError(
            f"{len(found.values)} different values that change from pixel to pixel, as in a photo. A mask has a class a pixel: "
            "save it as PNG with a number or a colour for each class"
        )
    return found


def _alike(indices: NDArray[np.uint8]) -> float:
    """The share of pixels that are like their right neighbour."""
    pairs = indices.shape[0] * (indices.shape[1] - 1)
    same = sum(int(np.count_nonzero(band[:, 1:] == band[:, :-1])) for band in _bands(indices))
    return same / pairs if pairs else 1.0


def _is_smoothed(found: Values) -> bool:
    """Whether nearly all of it is black or white, with several greys between them."""
    # 0, 1, 2 and 255 are classes and what counts nowhere; smoothing leaves values on both sides of the middle.
    between = [value for value in found.values if 2 * _NEAR_ENDS < value < 255 - 2 * _NEAR_ENDS]
    if found.values[0] > _NEAR_ENDS or found.values[-1] < 255 - _NEAR_ENDS or len(between) < 3:
        return False
    return black_or_white(found.values, count(found.indices, len(found.values)))


def black_or_white(values: Sequence[int], pixels: Sequence[int]) -> bool:
    """Whether nearly all pixels are near 0 or 255; `pixels` of each of the grey `values`."""
    near = sum(
        number for value, number in zip(values, pixels, strict=True) if not _NEAR_ENDS < value < 255 - _NEAR_ENDS
    )
    return near >= _AT_ENDS * sum(pixels)


def count(indices: NDArray[np.uint8], values: int) -> tuple[int, ...]:
    """How many pixels have each index below `values`."""
    total = np.zeros(values, dtype=np.int64)
    for band in _bands(indices):
        total += np.bincount(band.reshape(-1), minlength=values)
    return tuple(total.tolist())
