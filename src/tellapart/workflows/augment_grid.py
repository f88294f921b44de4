"""One picture in many variants, or many with their labels. In: a picture, a data set. Out: a PNG. Next: drawing/picture_grid.py."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import Augmentation, switched_on
from tellapart.data.examples import Listing
from tellapart.drawing.lettering import Say, listed
from tellapart.drawing.picture_grid import draw_grid
from tellapart.drawing.png import write_png
from tellapart.errors import DataError, PictureError, SettingsError
from tellapart.preprocessing import MAX_PIXELS, UNSCALED, Preprocessing, decode, prepare
from tellapart.sources.reading import read_bytes
from tellapart.workflows.augment_sample import LARGEST, View, none_readable, sampled_pictures, told_label

_MOST = 20  # rows, and columns


class PictureGrid(NamedTuple):
    """How many pictures, below each other and side by side."""

    rows: int
    columns: int

    @property
    def cells(self) -> int:
        """In all."""
        return self.rows * self.columns


def parse_grid(text: str) -> PictureGrid:
    """`3x3`: rows, then columns. Raises: SettingsError."""
    found = re.fullmatch(r"\s*(\d{1,2})\s*[xX×*]\s*(\d{1,2})\s*", text)
    if found is None or not all(1 <= int(number) <= _MOST for number in found.groups()):
        raise SettingsError(f"--grid is {text!r}; it is rows x columns, each from 1 to {_MOST}. Give 3x3, for example.")
    return PictureGrid(int(found[1]), int(found[2]))


def grid_of_variants(
    picture: Path, *, out: Path, augmentation: Augmentation, view: View, grid: PictureGrid, seed: int, say: Say = str
) -> Image.Image:
    """The picture of one file, varied as training would: a variant a cell. Raises: DataError, StorageError."""
    try:
        image = decode(
            read_bytes(picture), target=MAX_PIXELS if view.fit in UNSCALED else LARGEST, span=view.value_range
        ).image
    except (PictureError, OSError) as error:
        raise DataError(
            f"{str(picture)!r} cannot be shown: {getattr(error, 'strerror', None) or error}. Give another."
        ) from None
    augment = build_augmentation(augmentation, size=view.size)
    source = _source(image, view)
    pixels = [augment(source, (seed, 0, number)) for number in range(grid.cells)]
    return _written(out, pixels, [""] * grid.cells, grid, picture.name, augmentation, say)


def grid_of_pictures(
    listing: Listing, *, out: Path, augmentation: Augmentation, view: View, grid: PictureGrid, seed: int, say: Say = str
) -> tuple[Image.Image, list[tuple[Path, str]]]:
    """Pictures of a data set with their labels, each varied once (not at all by the preset none), and what could not be read.

    Raises: DataError where none can be read; StorageError.
    """
    sampled, unreadable = sampled_pictures(listing, grid.cells, seed, view)
    if not sampled:
        raise none_readable(listing.source, unreadable)
    augment = build_augmentation(augmentation, size=view.size)
    pixels = [augment(_source(decoded.image, view), (seed, number, 0)) for number, (_, decoded) in enumerate(sampled)]
    labels = [told_label(entry) for entry, _ in sampled]
    return _written(out, pixels, labels, grid, listing.source.name, augmentation, say), unreadable


def _source(image: Image.Image, view: View) -> NDArray[np.uint8]:
    """What is varied: a little more than the network sees, where a training has that."""
    side = max(view.size, math.floor(view.size / view.crop))
    fit = "pad" if view.fit == "tile" else view.fit
    return prepare(
        image.convert("L").convert("RGB") if view.grey else image, Preprocessing(size=side, crop=1.0, fit=fit)
    )


def _written(
    out: Path,
    pixels: Sequence[NDArray[np.uint8]],
    names: Sequence[str],
    grid: PictureGrid,
    title: str,
    augmentation: Augmentation,
    say: Say,
) -> Image.Image:
    settings = switched_on(augmentation)
    told = [listed(settings, say), say("Drawn at random.")] if settings else [say("As validation and test see them.")]
    sheet = draw_grid(pixels, names, columns=grid.columns, title=title, told=told)
    write_png(out, sheet)
    return sheet
