"""The masks of pictures, as everybody else sees them. In: MaskFile, classes. Out: uint8 [H, W]. Next: mask_settling.py.

However a mask was given, as numbers, colours, a file a class or shapes: here it has the number of a class a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.data.mask_fit import lay
from tellapart.data.mask_pixels import MOST_VALUES, read_values
from tellapart.data.mask_sources import open_source
from tellapart.data.mask_targets import IGNORED, MaskFile
from tellapart.errors import DataError, PictureError
from tellapart.sources.reading import read_bytes

_REMEDY = "Put the mask back as it was, or train again"


def read_mask(target: MaskFile, classes: Sequence[str]) -> NDArray[np.uint8]:
    """The mask at the size of the upright picture, uint8 [H, W]: numbers of `classes`, of which there are K, or IGNORED.

    Raises: DataError where the mask's file is gone, has changed since it was listed, or names what is none of the classes.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    painting = target.painting
    if painting is None:
        return _as_it_is(target, len(classes))
    unknown = sorted({name for name in target.classes if name not in numbers})
    if unknown:
        raise DataError(
            f"the mask {target.path} has pixels of {unknown[0]!r}, which is none of the classes {', '.join(classes)}. "
            "Train again with the masks as they are now."
        )
    try:
        source = open_source(
            target.path, painting.form, item=painting.item, parts=painting.parts, picture=painting.size
        )
        if painting.digest and source.digest != painting.digest:
            raise DataError(f"the mask {target.path} has changed since it was looked at. {_REMEDY}.")
        indices = source.draw().indices
    except PictureError as error:
        raise DataError(f"the mask {target.path} cannot be read: {error}. {_REMEDY}.") from None
    table = np.full(MOST_VALUES, IGNORED, dtype=np.uint8)
    table[: len(painting.values)] = [numbers.get(name, IGNORED) for name in painting.values]
    found: NDArray[np.uint8] = table[lay(indices, painting.size, painting.turned)]
    return found


def _as_it_is(target: MaskFile, classes: int) -> NDArray[np.uint8]:
    """A mask whose values are the numbers of the classes. Raises: DataError where one is none."""
    try:
        found = read_values(read_bytes(target.path))
    except (PictureError, OSError) as error:
        raise DataError(f"the mask {target.path} cannot be read: {error}. {_REMEDY}.") from None
    wrong = [value for value in found.values if value >= classes and value != IGNORED]
    if wrong or found.coloured:
        raise DataError(
            f"the mask {target.path} has the value {(wrong or found.values)[0]}, and there are {classes} classes, whose numbers "
            f"begin at 0; {IGNORED} counts nowhere. Give the data set as a whole, so that its values are known."
        )
    table = np.array(found.values, dtype=np.uint8)
    return table[found.indices]
