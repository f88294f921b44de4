"""Pictures without their object, as features. In: an engine. Out: engines of parts. Next: workflows/shortcuts.py.

What tells the class although the object cannot be seen is a shortcut: a frame, a stamp, a table, a light. Each part is an Engine,
so that its features are computed, shown and cached as embeddings are. B pictures of S x S pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.features.engine import Engine
from tellapart.runtime import BATCH, cores

PartName = Literal["border", "masked", "marks", "thumbnail", "colour"]

EDGE = 1 / 8  # of the side: as much as the border shows on each of the four
HIDDEN = 1 / 2  # of the side: the square in the middle that is hidden
THUMBNAIL = 8  # pixels a side
CELLS = 8  # a side; those at the edge are looked at for marks
CELL_NUMBERS = 4  # of each: mean, least, most and spread of its grey levels
_LEVELS, _SHADES = 16, 4  # of each channel alone, and of all three together
_GREY = 128

Images = NDArray[np.uint8]  # [B, S, S, 3]
Vectors = NDArray[np.float32]


class Partly:
    """An engine that sees a part of each picture."""

    def __init__(self, engine: Engine, part: PartName, hide: Callable[[Images], Images]) -> None:
        self.name = f"{engine.name}, {part} alone 1"
        self.batch, self.workers = engine.batch, engine.workers
        self._engine, self._hide = engine, hide

    def embed(self, images: Images) -> Vectors:
        """Pictures [B, S, S, 3] to embeddings [B, D] of what is left of them."""
        return self._engine.embed(self._hide(images))


class Plainly:
    """No network: numbers that are counted of the pixels."""

    batch = BATCH

    def __init__(self, part: PartName, count: Callable[[Images], Vectors], length: int) -> None:
        self.name, self.workers, self.length = f"{part} 1", cores(), length
        self._count = count

    def embed(self, images: Images) -> Vectors:
        """Pictures [B, S, S, 3] to float32 [B, `length`]."""
        return self._count(images)


def border_alone(images: Images) -> Images:
    """Grey but for an eighth at each side."""
    return _grey(images, EDGE)


def centre_masked(images: Images) -> Images:
    """The middle square, of half the side, in grey."""
    return _grey(images, (1 - HIDDEN) / 2)


def thumbnails(images: Images) -> Vectors:
    """Means of 8 x 8 parts, in [0, 1], float32 [B, 192]; S is at least 8."""
    count, side = images.shape[:2]
    places = np.arange(THUMBNAIL) * side // THUMBNAIL
    sums = np.add.reduceat(np.add.reduceat(images, places, axis=1, dtype=np.float32), places, axis=2, dtype=np.float32)
    sizes = np.diff([*places.tolist(), side])
    means = sums / (sizes[:, None, None] * sizes[:, None]) / 255
    return np.asarray(means.reshape(count, -1), dtype=np.float32)


def edge_cells() -> list[tuple[int, int]]:
    """Row and column of the cells at the edge, 28 of 8 x 8, in the order of `marks`."""
    cells = [(row, column) for row in range(CELLS) for column in range(CELLS)]
    return [cell for cell in cells if not {0, CELLS - 1}.isdisjoint(cell)]


def marks(images: Images) -> Vectors:
    """Mean, least, most and standard deviation of the grey levels of each cell at the edge, float32 [B, 112].

    A date, a logo, a frame: what a network's means over large parts drown stands out in a cell of its own.
    """
    grey = images.mean(axis=3, dtype=np.float32)
    places = np.arange(CELLS + 1) * images.shape[1] // CELLS
    found = []
    for row, column in edge_cells():
        cell = grey[:, places[row] : places[row + 1], places[column] : places[column + 1]].reshape(len(images), -1)
        found += [cell.mean(axis=1), cell.min(axis=1), cell.max(axis=1), cell.std(axis=1)]
    return np.stack(found, axis=1)


def colours(images: Images) -> Vectors:
    """Shares of the pixels: 16 levels of each channel, and 4 x 4 x 4 colours, float32 [B, 112]; places play no part."""
    count, pixels = len(images), images.shape[1] * images.shape[2]
    flat = images.reshape(count, pixels, 3)
    coarse = (flat // (256 // _SHADES)).astype(np.int64) @ np.array([_SHADES * _SHADES, _SHADES, 1])
    found = []
    for levels, shades in zip(flat // (256 // _LEVELS), coarse, strict=True):
        alone = [np.bincount(levels[:, channel], minlength=_LEVELS) for channel in range(3)]
        found.append(np.concatenate([*alone, np.bincount(shades, minlength=_SHADES**3)]))
    # Square roots, so that a difference of rare colours counts (Hellinger's distance).
    return np.asarray(np.sqrt(np.array(found) / pixels), dtype=np.float32)


def partial_engines(engine: Engine) -> Mapping[PartName, Partly | Plainly]:
    """Each part as an engine; those that need the network use `engine`."""
    return {
        "border": Partly(engine, "border", border_alone),
        "masked": Partly(engine, "masked", centre_masked),
        **plain_engines(),
    }


def plain_engines() -> Mapping[PartName, Plainly]:
    """Those that need no network."""
    return {
        "marks": Plainly("marks", marks, CELL_NUMBERS * len(edge_cells())),
        "thumbnail": Plainly("thumbnail", thumbnails, 3 * THUMBNAIL**2),
        "colour": Plainly("colour", colours, 3 * _LEVELS + _SHADES**3),
    }


def _grey(images: Images, start: float) -> Images:
    """The middle from that share of the side to as far from the other edge in grey."""
    side = images.shape[1]
    first = round(side * start)
    hidden = images.copy()
    hidden[:, first : side - first, first : side - first] = _GREY
    return hidden
