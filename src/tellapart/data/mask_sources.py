"""What a mask is read from, in whichever form it is. In: a path. Out: MaskSource. Next: mask_pixels.py."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.data.mask_drawing import Canvas
from tellapart.data.mask_fit import Size
from tellapart.data.mask_pixels import Values, cut_in_the_middle, read_values
from tellapart.data.mask_targets import MaskForm
from tellapart.data.masks_coco import draw_image, find_image
from tellapart.data.masks_labelme import draw_labelme
from tellapart.errors import PictureError
from tellapart.sources.reading import read_bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskSource:
    """A mask as its file has it, not yet decoded."""

    digest: str  # SHA-256 of what was read, 64 hex digits
    draw: Callable[[], Values]  # raises PictureError with the reason why it can be none


def open_source(
    path: Path,
    form: MaskForm = "pixels",
    *,
    item: str = "",
    parts: Sequence[tuple[str, Path]] = (),
    picture: Size = (0, 0),
) -> MaskSource:
    """Read a mask. Shapes of which nobody says the size are drawn at that of the picture.

    Raises: PictureError with the reason why it cannot be read.
    """
    if form == "coco":
        image = find_image(path, item)
        return MaskSource(digest=image.digest(), draw=lambda: draw_image(image, picture))
    if form == "parts":
        return _joined(parts)
    data = _read(path)
    digest = hashlib.sha256(data).hexdigest()
    if form == "labelme":
        return MaskSource(digest=digest, draw=lambda: draw_labelme(data, picture))
    if form == "smoothed":
        return MaskSource(digest=digest, draw=lambda: cut_in_the_middle(read_values(data)))
    return MaskSource(digest=digest, draw=lambda: read_values(data))


def _joined(parts: Sequence[tuple[str, Path]]) -> MaskSource:
    """One mask a class laid on each other; what is not 0, or not black, is of the class."""
    read = [(name, path, _read(path)) for name, path in parts]
    digest = hashlib.sha256()
    for name, _, data in read:
        digest.update(f"{name}\0".encode("utf-8", "surrogatepass") + hashlib.sha256(data).digest())
    return MaskSource(digest=digest.hexdigest(), draw=lambda: _join(read))


def _join(parts: Sequence[tuple[str, Path, bytes]]) -> Values:
    canvas: Canvas | None = None
    for name, path, data in parts:
        values = read_values(data)
        values = cut_in_the_middle(values) if values.smoothed else values
        if len(values.values) > 2:
            raise PictureError(
                f"{path.name} is the mask of {name!r} alone, and has {len(values.values)} values, not two"
            )
        canvas = canvas or Canvas(values.size)
        if canvas.size != values.size:
            raise PictureError(f"{path.name} has another size than the masks of the other classes")
        canvas.draw(name, np.array([value != 0 for value in values.values])[values.indices])
    if canvas is None:
        raise PictureError("no file of any class")
    return canvas.values()


def _read(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except FileNotFoundError:
        raise PictureError("there is no such file") from None
    except PermissionError:
        raise PictureError("no permission to read it") from None
    except MemoryError:
        raise PictureError("not enough memory to read it") from None
    except (OSError, ValueError) as error:
        raise PictureError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
