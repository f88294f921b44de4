"""Crops of pictures and their masks, varied together. In: OpenedPictures. Out: Crops, a source of batches. Next: learner.py.

A picture is never made smaller: what is learned from are squares of its own pixels, laid anew in every epoch, half of them
around a pixel of a class that is drawn first, so that a class that covers little occurs. An epoch has as many crops of a picture
as would cover it. Shapes: N crops, B of them asked for, S side of a crop in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.augment import Augment
from tellapart.data.elastic import bend, draw_mesh
from tellapart.data.motion import motion_of, move_mask
from tellapart.data.targets import IGNORED
from tellapart.tasks.segmentation.pictures import Opened, OpenedPictures

_BY_CLASS = 0.5  # of the crops are laid around a class
_MARGIN = 1.5  # sides of the square that a crop is varied in: as much as a turned one needs
_WHERE, _BENT = 1, 2  # beside seed, picture and epoch: what is drawn for one thing is not what another depends on


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crops:
    """Crops by row; where there is an `augment`, laid and varied anew in every epoch."""

    pictures: OpenedPictures
    origin: NDArray[np.int64]  # [N], the picture that each row is of
    turn: NDArray[np.int64]  # [N], which of that picture's rows it is
    corners: NDArray[np.int64]  # [N, 2], row and column of the upper left pixel where nothing is varied
    size: int  # pixels, S
    augment: Augment | None
    seed: int = 0

    @property
    def problems(self) -> dict[int, str]:
        """None: a picture that has vanished stops the training."""
        return {}

    def __len__(self) -> int:
        return len(self.origin)

    def get(self, rows: NDArray[np.int64], epoch: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Pixels uint8 [B, S, S, 3] and masks uint8 [B, S, S]; a function of seed, pictures and epoch alone.

        What lies beyond a picture is its mirror image, and counts nowhere. Raises: DataError, as OpenedPictures.
        """
        shown = [self._varied(row, epoch) if self.augment is not None else self._still(row) for row in rows.tolist()]
        return np.stack([one[0] for one in shown]), np.stack([one[1] for one in shown])

    def _still(self, row: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """As it lies; of pixels that an earlier row shows too the mask counts nowhere."""
        opened, (top, left) = self.pictures[int(self.origin[row])], self.corners[row].tolist()
        pixels, mask = cut(opened, top, left, self.size)
        own = self.corners[self.origin == self.origin[row]]
        above, before = own[own[:, 0] < top, 0], own[own[:, 1] < left, 1]
        if len(above):
            mask[: max(0, int(above.max()) + self.size - top)] = IGNORED
        if len(before):
            mask[:, : max(0, int(before.max()) + self.size - left)] = IGNORED
        return pixels, mask

    def _varied(self, row: int, epoch: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if self.augment is None:
            raise ValueError("nothing is varied")
        number = int(self.origin[row])
        opened = self.pictures[number]
        seed = (self.seed, self.pictures.numbers[number], epoch, int(self.turn[row]))
        top, left = lay(opened, self.size, np.random.default_rng((*seed, _WHERE)))
        side = math.ceil(self.size * _MARGIN) if _needs_margin(self.augment) else self.size
        beside = (side - self.size) // 2
        around, mask = cut(opened, top - beside, left - beside, side)
        pixels, geometry = self.augment.vary(around, seed)
        mask = move_mask(mask, motion_of(geometry, side=side, size=self.size), fill=IGNORED)
        strength = self.augment.augmentation.elastic
        return bend(pixels, mask, draw_mesh((*seed, _BENT), strength=strength)) if strength else (pixels, mask)


def crops_of(
    pictures: OpenedPictures,
    sizes: Sequence[tuple[int, int]],
    *,
    size: int,
    augment: Augment | None,
    seed: int,
) -> Crops:
    """Crops of `size` pixels of pictures whose widths and heights are `sizes`; as many of each as it takes to cover it once."""
    corners = [_covering(width, height, size) for width, height in sizes]
    return Crops(
        pictures=pictures,
        origin=np.repeat(np.arange(len(sizes)), [len(one) for one in corners]).astype(np.int64),
        turn=np.concatenate([np.arange(len(one)) for one in corners]).astype(np.int64),
        corners=np.concatenate(corners),
        size=size,
        augment=augment,
        seed=seed,
    )


def cut(opened: Opened, top: int, left: int, side: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The square [side, side] whose upper left pixel is there, of pixels and mask; beyond the picture mirrored, and IGNORED."""
    height, width = opened.mask.shape
    rows, columns = np.arange(top, top + side), np.arange(left, left + side)
    if top >= 0 and left >= 0 and top + side <= height and left + side <= width:
        inside = np.s_[top : top + side, left : left + side]
        return opened.pixels[inside].copy(), opened.mask[inside].copy()
    there = np.ix_(_mirrored(rows, height), _mirrored(columns, width))
    pixels, mask = opened.pixels[there], opened.mask[there]
    mask[(rows < 0) | (rows >= height)] = IGNORED
    mask[:, (columns < 0) | (columns >= width)] = IGNORED
    return pixels, mask


def lay(opened: Opened, size: int, chance: np.random.Generator) -> tuple[int, int]:
    """Row and column of a crop's upper left pixel: anywhere, or so that it shows a pixel of a class that is drawn first."""
    by_class, which, place, down, across = chance.random(5).tolist()
    height, width = opened.mask.shape
    shown = [places for places in opened.places if len(places)]
    if by_class >= _BY_CLASS or not shown:
        return _within(down * (height - size + 1), height, size), _within(across * (width - size + 1), width, size)
    places = shown[int(which * len(shown))]
    row, column = places[int(place * len(places))].tolist()
    return _within(row - down * (size - 1), height, size), _within(column - across * (size - 1), width, size)


def _within(start: float, length: int, size: int) -> int:
    """Where a crop begins that does not reach beyond the picture, if that is large enough; a small one begins with it."""
    return max(0, min(math.floor(start), length - size))


def _needs_margin(augment: Augment) -> bool:
    settings = augment.augmentation
    return bool(settings.rotation or settings.shift or settings.shear or settings.zoom or settings.crop < 1) or (
        settings.policy != "none"
    )


def _mirrored(places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Rows or columns beyond a picture as those of its mirror image, as often as it takes."""
    inside = places % (2 * length)
    return np.minimum(inside, 2 * length - 1 - inside)


def _covering(width: int, height: int, size: int) -> NDArray[np.int64]:
    """The upper left corners [n, 2] of crops that cover a picture, evenly laid."""
    starts = (np.linspace(0, max(0, length - size), max(1, math.ceil(length / size))) for length in (height, width))
    down, across = (np.rint(one).astype(np.int64) for one in starts)
    return np.stack(np.meshgrid(down, across, indexing="ij"), axis=-1).reshape(-1, 2)
