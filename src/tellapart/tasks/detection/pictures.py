"""Pictures and their boxes, varied together. In: squares, true boxes. Out: BoxPictures, a source of batches. Next: learner.py.

Shapes: N pictures, B rows asked for, S side of the square in pixels, M boxes of the picture that has most. True boxes are float32
[N, M, 6]: class, left, top, right, bottom, and 1 for a difficult one, else 0; rows of NaN stand for none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.augment import Augment
from tellapart.data.augmentation import Augmentation
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Split
from tellapart.data.motion import Motion, into_square, motion_of, move_boxes
from tellapart.features.shrink import ShrunkPictures
from tellapart.preprocessing import Preprocessing
from tellapart.tasks.detection.mosaic import KEPT, PARTS, PartShown, blended, mosaic
from tellapart.tasks.detection.tile_files import TileFile

COLUMNS = 6
_MIXING = 1  # beside seed, picture and epoch: what is drawn for mixing is not what varies the picture


class BoxSquares(Protocol):
    """Pictures as squares by row; features/shrink.py's ShrunkPictures is one."""

    @property
    def problems(self) -> dict[int, str]:
        """Row -> why it must not be asked for."""
        ...

    @property
    def slots(self) -> NDArray[np.int64]:
        """[N] row -> number of its content; copies share one."""
        ...

    @property
    def seeds(self) -> NDArray[np.uint64]:
        """[contents] a number made of each content."""
        ...

    @property
    def side(self) -> int:
        """Pixels, S."""
        ...

    def __len__(self) -> int: ...

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """uint8 [B, S, S, 3]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxPictures:
    """Pictures with boxes in their squares' pixels; where there is an `augment`, varied anew in every epoch."""

    squares: BoxSquares
    boxes: NDArray[np.float32]  # [N, M, 6]
    augment: Augment | None  # None: as they are, in every epoch
    seed: int = 0
    # Float32 [N, 4]: where in its square each picture lies, of which colour is around it; None: it fills the square.
    within: NDArray[np.float32] | None = None
    tiles: tuple[TileFile, ...] = ()  # [N], where the rows to judge by are tiles of pictures

    def __len__(self) -> int:
        return len(self.squares)

    @property
    def problems(self) -> dict[int, str]:
        """Row -> why it must not be asked for."""
        return self.squares.problems

    def get(self, rows: NDArray[np.int64], epoch: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Variants uint8 [B, S, S, 3] and their boxes [B, M, 6]; a function of seed, pictures and epoch alone.

        A box of which a variant shows less than a quarter is left out: what is left of the thing does not tell what it is. With
        mosaics and mixtures there is room for the boxes of all pictures that they are of, eight times M.
        """
        pictures = self.squares.read(rows)
        if self.augment is None:
            return pictures, self.boxes[rows]
        shown = [self._varied(picture, row, epoch) for picture, row in zip(pictures, rows.tolist(), strict=True)]
        settings, most = self.augment.augmentation, self.boxes.shape[1]
        if settings.mosaic or settings.mixup:
            usable = np.setdiff1d(np.arange(len(self)), np.fromiter(self.problems, dtype=np.int64))
            shown = [self._mixed(one, row, epoch, usable) for one, row in zip(shown, rows.tolist(), strict=True)]
            most *= 2 * PARTS
        return np.stack([one.pixels for one in shown]), np.stack([_filled(one.boxes, most) for one in shown])

    def _varied(self, picture: NDArray[np.uint8], row: int, epoch: int, *beside: int) -> PartShown:
        """A variant of one picture; where it is shown `beside` another one, that one's number makes it another variant."""
        augment, number = self.augment, int(self.squares.seeds[self.squares.slots[row]])
        if augment is None:
            raise ValueError("nothing is varied")
        pixels, geometry = augment.vary(picture, (self.seed, number, epoch, *beside))
        moved = _moved(self.boxes[row], motion_of(geometry, side=len(picture), size=len(pixels)))
        return PartShown(pixels, moved[~np.isnan(moved[:, 0])])

    def _mixed(self, shown: PartShown, row: int, epoch: int, usable: NDArray[np.int64]) -> PartShown:
        """Perhaps a mosaic with three others of the `usable` rows, and that perhaps mixed with one that is made likewise."""
        settings = Augmentation() if self.augment is None else self.augment.augmentation
        number = int(self.squares.seeds[self.squares.slots[row]])
        generator = np.random.default_rng((self.seed, number, epoch, _MIXING))

        def another() -> PartShown:
            other = int(usable[generator.integers(len(usable))])
            (picture,) = self.squares.read(np.array([other]))
            return self._varied(picture, other, epoch, number, int(generator.integers(2**31)))

        def perhaps(first: PartShown) -> PartShown:
            across, down, chance = generator.random(3).tolist()
            if chance >= settings.mosaic:
                return first
            parts = [first, *(another() for _ in range(PARTS - 1))]
            return mosaic([parts[at] for at in generator.permutation(PARTS)], across=across, down=down)

        whole = perhaps(shown)
        if not settings.mixup:
            return whole
        return blended(whole, perhaps(another()), float(generator.beta(settings.mixup, settings.mixup)))

    def boxes_of(self, rows: NDArray[np.int64], views: NDArray[np.int64]) -> NDArray[np.float32]:
        """The boxes [B, M, 6] alone, of a variant of each row as `get` makes it in the epoch that `views` [B] names."""
        if self.augment is None:
            return self.boxes[rows]
        numbers, augment = self.squares.seeds[self.squares.slots[rows]].tolist(), self.augment
        side = self.squares.side
        return np.stack(
            [
                _moved(own, motion_of(augment.geometry((self.seed, number, view)), side=side, size=augment.size))
                for own, number, view in zip(self.boxes[rows], numbers, views.tolist(), strict=True)
            ]
        )


def box_pictures(
    dataset: Dataset, split: Split, pictures: ShrunkPictures, *, augment: Augment | None, seed: int
) -> BoxPictures:
    """A split of a data set whose targets are boxes [N, M, 6] in pixels of the upright pictures, as the loop reads it."""
    return box_pictures_at(dataset, dataset.rows[split], pictures, augment=augment, seed=seed)


def box_pictures_at(
    dataset: Dataset, rows: NDArray[np.int64], pictures: ShrunkPictures, *, augment: Augment | None, seed: int
) -> BoxPictures:
    """The same for some `rows` [n] of the data set, whose squares `pictures` are in that order."""
    examples = [dataset.examples[index] for index in dataset.indices[rows]]
    sizes = [(example.width, example.height) for example in examples]
    boxes = in_squares(dataset.targets[rows], sizes, pictures.preprocessing)
    tiles = tuple(one for one in pictures.pictures if isinstance(one, TileFile)) if augment is None else ()
    whole = np.array([[(0, 0), size] for size in sizes], dtype=np.float64).reshape(-1, 2, 2)
    within = [
        into_square(corners, width=size[0], height=size[1], preprocessing=pictures.preprocessing)
        for corners, size in zip(whole, sizes, strict=True)
    ]
    edges = np.array(within, dtype=np.float32).reshape(-1, 4)
    return BoxPictures(squares=pictures, boxes=boxes, augment=augment, seed=seed, within=edges, tiles=tiles)


def _moved(boxes: NDArray[np.float32], motion: Motion) -> NDArray[np.float32]:
    """Boxes [M, 6] of a picture as those of its variant, again [M, 6]."""
    known = boxes[~np.isnan(boxes[:, 0])]
    corners, kept = move_boxes(known[:, 1:5], motion, keep=KEPT)
    moved = np.full_like(boxes, np.nan)
    moved[: len(kept)] = known[kept]
    moved[: len(kept), 1:5] = corners
    return moved


def _filled(boxes: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Boxes [n, 6] as [most, 6], filled up with NaN."""
    filled = np.full((most, COLUMNS), np.nan, dtype=np.float32)
    filled[: len(boxes)] = boxes
    return filled


def in_squares(
    boxes: NDArray[np.floating], sizes: Sequence[tuple[int, int]], preprocessing: Preprocessing
) -> NDArray[np.float32]:
    """Boxes [N, M, 6] in pixels of upright pictures, whose `sizes` are width and height, as those of their squares."""
    moved = np.array(boxes, dtype=np.float32)
    for own, (width, height) in zip(moved, sizes, strict=True):
        corners = own[:, 1:5].reshape(-1, 2, 2)
        own[:, 1:5] = into_square(corners, width=width, height=height, preprocessing=preprocessing).reshape(-1, 4)
    return moved
