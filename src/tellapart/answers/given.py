"""What a Python caller gives becomes pictures. In: paths, bytes, images, arrays, tables. Out: items. Next: items.py.

A model here and a server far away take the same. Pixels are never guessed at: what is not plainly a picture is refused.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.items import PathItem, expand
from tellapart.errors import DataError, kind_of, one_line
from tellapart.preprocessing import MAX_FILE_BYTES
from tellapart.texts.cleaning import as_utf8

if TYPE_CHECKING:
    from PIL import Image

# A path or an address, the bytes of a picture file, an open file, an open picture, or pixels: uint8 [H, W, 3], [H, W, 4] or grey
# [H, W], uint16 [H, W, 3] or [H, W], a torch tensor [3, H, W].
PictureLike: TypeAlias = "str | os.PathLike[str] | bytes | io.BufferedIOBase | Image.Image | NDArray[Any]"

PATH_COLUMNS = (
    "path",
    "image",
    "filename",
    "file_name",
    "file",
    "filepath",
    "image_path",
)  # of a table, the first of them
_AS_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # whole and lossless
_AS_TIFF = ("CMYK", "YCbCr", "LAB", "F", "I", "PA")
_CONVERT = {"La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "HSV": "RGB"}  # what no format holds as it is


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GivenItem:
    """What is no file: a picture file's bytes, upright RGB pixels [H, W, 3], a text, or why it is none."""

    data: bytes | NDArray[np.uint8] | str = b""
    error: str = ""
    path: str = ""
    named: bool = True


def gather(pictures: PictureLike | Sequence[PictureLike]) -> Iterator[PathItem | GivenItem]:
    """One item a picture, in order; a folder or a glob stands for the pictures in it.

    An array [N, H, W, 3] or a tensor [N, 3, H, W] stands for N pictures, a table for those that its column of paths names.
    Raises: DataError for what cannot be a picture.
    """
    for number, picture in enumerate(_several(pictures)):
        if isinstance(picture, str | os.PathLike):
            yield from expand([os.fspath(picture)], tolerant=True)
        elif isinstance(picture, bytes | bytearray | memoryview):
            yield GivenItem(data=bytes(picture))
        elif isinstance(picture, np.ndarray):
            yield GivenItem(data=_from_array(picture, number))
        elif _is_tensor(picture):
            yield GivenItem(data=_from_tensor(picture, number))
        elif hasattr(picture, "read"):
            yield _from_file(picture, number)
        else:
            yield _from_image(picture, number)


def encoded(data: bytes | NDArray[np.uint8] | str) -> bytes:
    """A picture as a file's bytes; pixels [H, W, 3] become a PNG, which loses nothing. A text is UTF-8."""
    from PIL import Image

    if isinstance(data, str):
        return as_utf8(data)
    return data if isinstance(data, bytes) else _save(Image.fromarray(data), "PNG")


def _several(pictures: Any) -> Sequence[Any]:
    if isinstance(pictures, np.ndarray):
        if pictures.ndim == 1 and pictures.dtype.kind in "OU":  # paths, such as a table's column.to_numpy() gives
            return list(pictures.tolist())
        return list(pictures) if pictures.ndim == 4 else [pictures]
    if isinstance(pictures, list | tuple):
        return pictures
    if _is_tensor(pictures):
        return list(pictures) if pictures.ndim == 4 else [pictures]
    if hasattr(pictures, "columns"):
        return _column(pictures)
    # Of a mapping only the keys would be taken.
    single = isinstance(pictures, str | os.PathLike | bytes | bytearray | memoryview | Mapping) or hasattr(
        pictures, "read"
    )
    return list(pictures) if isinstance(pictures, Iterable) and not single else [pictures]


def _column(table: Any) -> Sequence[Any]:
    """The paths of a DataFrame. Raises: DataError where no column is called as paths are."""
    columns = [str(name) for name in table.columns]
    name = next((name for name in PATH_COLUMNS if name in columns), None)
    if name is None:
        raise DataError(
            f"the table has the columns {', '.join(columns)[:300]}; none is called {', '.join(PATH_COLUMNS[:-1])} or "
            f"{PATH_COLUMNS[-1]}. Give its paths alone, as table[COLUMN]."
        )
    paths = list(table[name])
    for row, path in enumerate(paths):
        if not isinstance(path, str | os.PathLike):
            raise DataError(
                f"row {row} of the table's column {name!r} is {path!r}, no path. Correct it or leave it out."
            )
    return paths


def _is_tensor(picture: Any) -> bool:
    """Whether it is torch's, which is not imported to find out."""
    return type(picture).__module__.partition(".")[0] == "torch" and hasattr(picture, "detach")


def _from_tensor(tensor: Any, number: int) -> bytes | NDArray[np.uint8]:
    """Pixels of a tensor [C, H, W] or [H, W]: uint8, or floats from 0 to 1 as torchvision makes them."""
    whole = tensor.detach().cpu()
    array: NDArray[Any] = (whole.float() if whole.is_floating_point() else whole).numpy()
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[0] in (1, 3, 4))
    if shaped and array.size and array.dtype == np.float32 and array.min() >= 0 and array.max() <= 1:
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype not in (np.uint8, np.uint16) or not shaped or not array.size:
        kind, shape = str(tensor.dtype).removeprefix("torch."), ", ".join(map(str, tuple(tensor.shape)))
        raise DataError(
            f"picture {number} is a tensor of {kind} [{shape}]; pixels are uint8 from 0 to 255, uint16 (by the model's range), or "
            "floats from 0 to 1, [3, H, W] or [1, H, W]. Give it before it is normalised."
        )
    return _from_array(array if array.ndim == 2 else np.moveaxis(array, 0, 2), number)


def _from_array(array: NDArray[Any], number: int) -> bytes | NDArray[np.uint8]:
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype.kind == "u" and array.dtype.itemsize == 2 and array.size and shaped and array.shape[2:] != (4,):
        return deep_png(array)
    if array.dtype != np.uint8 or not shaped or 0 in array.shape:
        shape = ", ".join(map(str, array.shape))
        raise DataError(
            f"picture {number} is an array of {array.dtype} [{shape}]; pixels are uint8 [H, W, 3], [H, W, 4] or [H, W], "
            "from 0 to 255, or uint16 [H, W, 3] or [H, W], read by the model's range. Scale and convert it first."
        )
    if array.shape[2:] == (3,):
        return np.ascontiguousarray(array)
    from PIL import Image

    return _save(Image.fromarray(np.ascontiguousarray(array)), "PNG")


def deep_png(array: NDArray[np.uint16]) -> bytes:
    """A PNG of 16 bits from values [H, W] or [H, W, 3], which Pillow cannot write in colour. Source: the PNG standard, 5 and 7."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = array.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, 16, 2 if array.ndim == 3 else 0, 0, 0, 0)
    rows = array.astype(">u2").reshape(height, -1).view(np.uint8)
    data = np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()  # each row after the number of its filter, none
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _from_file(file: Any, number: int) -> GivenItem:
    """What an open file holds from where it stands."""
    try:
        data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return GivenItem(error=f"cannot be read: {error.strerror or error}")
    if not isinstance(data, bytes | bytearray):
        raise DataError(f"picture {number} is a file that gives {kind_of(data)}, not bytes. Open it with mode 'rb'.")
    if len(data) > MAX_FILE_BYTES:
        return GivenItem(error=f"file of more than {MAX_FILE_BYTES:,} bytes, which is the limit. Store it smaller")
    return GivenItem(data=bytes(data))


def _from_image(picture: Any, number: int) -> GivenItem:
    """The same pixels, upright. A picture that cannot be read has its reason in `error`."""
    from PIL import Image, ImageOps

    if not isinstance(picture, Image.Image):
        raise DataError(
            f"picture {number} is {kind_of(picture)}; a picture is a path, the bytes of a picture file, an open file, a "
            "PIL image, a NumPy array of uint8 or a torch tensor. Give one of these."
        )
    try:
        upright = ImageOps.exif_transpose(picture)
        if upright.mode == "RGB" and not upright.info.get("icc_profile") and "transparency" not in upright.info:
            return GivenItem(data=np.asarray(upright))
        upright = upright.convert(_CONVERT[upright.mode]) if upright.mode in _CONVERT else upright
        if upright.mode not in (*_AS_PNG, *_AS_TIFF):
            upright = upright.convert("RGB")
        return GivenItem(data=_save(upright, "TIFF" if upright.mode in _AS_TIFF else "PNG"))
    except Exception as error:  # Pillow's readers answer strange bytes with many kinds; the picture is read only now
        return GivenItem(error=f"damaged or truncated ({one_line(error, most=120)})")


def _save(image: Image.Image, layout: str) -> bytes:
    file = io.BytesIO()
    # Only time is lost with a higher level: the line to a server is mostly quicker than the compression.
    image.save(file, layout, **({"compress_level": 1} if layout == "PNG" else {}))
    return file.getvalue()
