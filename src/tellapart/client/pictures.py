"""What a caller gives becomes picture files to send. In: paths, bytes, images, arrays. Out: groups of items. Next: retries.py."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.answers.items import PathItem, expand, read_file
from tellapart.errors import DataError, PictureError

if TYPE_CHECKING:
    from PIL import Image

# A path, the bytes of a picture file, an open picture, or pixels: uint8 [H, W, 3], [H, W, 4] or grey [H, W].
PictureLike: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]"

MOST_PICTURES = 8  # of one request: as many as the server runs at once
MOST_BYTES = 16 * 1024 * 1024  # of one request, unless one picture alone has more; the server takes 64 MiB by default
_AS_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # whole and lossless
_AS_TIFF = ("CMYK", "YCbCr", "LAB", "F", "I", "PA")
_CONVERT = {"La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "HSV": "RGB"}  # what no format holds as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A picture on its way to the server, or why it is not."""

    name: str  # its path; "" where it has none
    data: bytes = b""  # of a picture file
    error: str = ""
    skip: bool = False  # nobody named it, and it is no picture: it gets no row


def gather(pictures: PictureLike | Sequence[PictureLike]) -> Iterator[Item]:
    """One item a picture, in order; a folder or a glob stands for the pictures in it.

    An array [N, H, W, 3] stands for N pictures. Raises: DataError for what cannot be a picture.
    """
    for number, picture in enumerate(_several(pictures)):
        if isinstance(picture, str | os.PathLike):
            yield from map(read, expand([os.fspath(picture)]))
        elif isinstance(picture, bytes | bytearray | memoryview):
            yield Item(name="", data=bytes(picture))
        elif isinstance(picture, np.ndarray):
            yield Item(name="", data=_encode_array(picture, number))
        else:
            yield _encode_image(picture, number)


def read(source: PathItem) -> Item:
    """The file behind a path, as `tellapart predict` reads it."""
    try:
        data = read_file(source.path)
    except PictureError as error:
        return Item(name=source.path, error=str(error), skip=_unasked(source))
    if _unasked(source) and not _is_picture(data):
        return Item(name=source.path, error="not a picture in a known format", skip=True)
    return Item(name=source.path, data=data)


def group(items: Iterable[Item], *, most: int = MOST_PICTURES) -> Iterator[list[Item]]:
    """Items in lists, each for one request; those that are skipped are gone."""
    current: list[Item] = []
    size = 0
    for item in items:
        if item.skip:
            continue
        if current and (len(current) >= most or size + len(item.data) > MOST_BYTES):
            yield current
            current, size = [], 0
        current.append(item)
        size += len(item.data)
    if current:
        yield current


def _several(pictures: Any) -> Sequence[Any]:
    if isinstance(pictures, np.ndarray):
        return list(pictures) if pictures.ndim == 4 else [pictures]
    if isinstance(pictures, list | tuple):
        return pictures
    if isinstance(pictures, Iterable) and not isinstance(pictures, str | os.PathLike | bytes | bytearray | memoryview):
        return list(pictures)
    return [pictures]


def _unasked(source: PathItem) -> bool:
    # A text file that lies in a folder of pictures is no news; one that the user named is.
    return not source.named and Path(source.path).suffix.lower() not in FORMAT_OF_EXTENSION


def _is_picture(data: bytes) -> bool:
    """Whether it claims to be one: a film in the folder should not travel to the server to be refused."""
    from PIL import Image

    try:
        Image.open(io.BytesIO(data)).close()
    except Exception:  # Pillow's readers answer strange bytes with many kinds of exception
        return False
    return True


def _encode_array(array: NDArray[Any], number: int) -> bytes:
    from PIL import Image

    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not shaped or 0 in array.shape:
        shape = ", ".join(map(str, array.shape))
        raise DataError(
            f"picture {number} is an array of {array.dtype} [{shape}]; pixels are uint8 [H, W, 3], [H, W, 4] or [H, W], "
            "from 0 to 255. Scale and convert it first."
        )
    return _save(Image.fromarray(np.ascontiguousarray(array)), "PNG")


def _encode_image(picture: Any, number: int) -> Item:
    """A file that holds the same pixels, upright. A picture that cannot be read has its reason in `error`."""
    from PIL import Image, ImageOps

    if not isinstance(picture, Image.Image):
        raise DataError(
            f"picture {number} is a {type(picture).__name__}; a picture is a path, the bytes of a picture file, a PIL image "
            "or a NumPy array of uint8. Give one of these."
        )
    try:
        upright = ImageOps.exif_transpose(picture)
        upright = upright.convert(_CONVERT[upright.mode]) if upright.mode in _CONVERT else upright
        if upright.mode not in (*_AS_PNG, *_AS_TIFF):
            upright = upright.convert("RGB")
        return Item(name="", data=_save(upright, "TIFF" if upright.mode in _AS_TIFF else "PNG"))
    except Exception as error:  # as above; the picture is read only now
        return Item(
            name="", error=f"damaged or truncated ({' '.join(str(error).split())[:120] or type(error).__name__})"
        )


def _save(image: Image.Image, layout: str) -> bytes:
    file = io.BytesIO()
    # Only time is lost with a higher level: the line to the server is mostly quicker than the compression.
    image.save(file, layout, **({"compress_level": 1} if layout == "PNG" else {}))
    return file.getvalue()
