"""A picture in overlapping tiles, answered as one. In: a file's bytes. Out: arrays of one picture. Next: deciding.py.

However large the picture is, only a few batches of its tiles are there at a time. Where tiles lie and what they show, the ground
floor says (../tiling.py); how what is said of them becomes one, the task's Merging. N tiles of a batch, S side of a tile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.answers.answering import Answering, InputRecord, PictureData, Placement
from tellapart.answers.pictures import opened_picture
from tellapart.preprocessing import MAX_PIXELS
from tellapart.runtime import BATCH, cores
from tellapart.threads import pool_in_order
from tellapart.tiling import Beyond, TilePart, cut_part, tile_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tellapart.bundle import TaskRecord

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
Run: TypeAlias = Callable[[NDArray[np.uint8]], Arrays]  # uint8 [N, S, S, 3] to outputs by name, each [N, ...]
Check: TypeAlias = Callable[[], None]  # called before each batch of tiles; raises where nobody waits any more


class Merging(Protocol):
    """What is said of the tiles of one picture, on the way to one answer."""

    def add(self, arrays: Arrays, places: Sequence[Placement]) -> None:
        """What the network gives of the next tiles, each array [N, ...], and where these lie; in the order of the tiles."""

    def finish(self) -> Arrays:
        """Arrays [1, ...] of the whole picture, as `decide` takes them with the place of the whole. Once, at the end."""


@runtime_checkable
class MergesTiles(Protocol):
    """What an Answering has as well, where pictures of its task may be cut into tiles."""

    beyond: Beyond  # what tiles show beyond the edge of a small picture

    def merging(self, whole: Placement, inputs: InputRecord, record: TaskRecord) -> Merging:
        """For the tiles of one picture, which lies at `whole`. Raises: ValueError for another task's record."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutPicture:
    """An opened picture, and where its tiles lie, row by row."""

    whole: Placement  # of all its pixels, as a `decide` takes it
    places: tuple[Placement, ...]
    image: Image.Image  # RGB, upright
    inputs: InputRecord
    beyond: Beyond = "colour"

    def tiles(self, start: int, stop: int) -> NDArray[np.uint8]:
        """The pixels of some of the tiles, uint8 [N, S, S, 3]."""
        parts = (TilePart(one.left, one.top, one.right, one.bottom) for one in self.places[start:stop])
        return np.stack([cut_part(self.image, part, self.inputs, self.beyond) for part in parts])


def in_tiles(inputs: InputRecord) -> bool:
    """Whether pictures are cut for this network."""
    return bool(inputs.fit == "tile")


def cut_picture(
    data: PictureData, inputs: InputRecord, *, max_pixels: int = MAX_PIXELS, beyond: Beyond = "colour"
) -> CutPicture:
    """A picture as its tiles, not yet cut. Raises: PictureError, also for too many pixels."""
    image, width, height, remark = opened_picture(data, inputs, max_pixels=max_pixels)
    return CutPicture(
        whole=_whole(width, height, remark),
        places=tile_places(width, height, inputs, remark=remark),
        image=image,
        inputs=inputs,
        beyond=beyond,
    )


def ready_tile(pixels: NDArray[np.uint8], inputs: InputRecord) -> CutPicture:
    """A picture that is a network's input already, uint8 [S, S, 3]: one tile, as it is."""
    whole = _whole(pixels.shape[1], pixels.shape[0], "")
    return CutPicture(whole=whole, places=(whole,), image=Image.fromarray(np.ascontiguousarray(pixels)), inputs=inputs)


def tile_places(width: int, height: int, inputs: InputRecord, *, remark: str = "") -> tuple[Placement, ...]:
    """Where the tiles of an upright picture of that size lie, row by row."""
    parts = tile_parts(width, height, inputs)
    return tuple(
        Placement(
            width=width,
            height=height,
            left=part.left,
            top=part.top,
            right=part.right,
            bottom=part.bottom,
            remark=remark,
            tile=number,
            tiles=len(parts),
        )
        for number, part in enumerate(parts)
    )


def merging_of(answering: Answering[Any, Any]) -> MergesTiles:
    """How the task puts tiles together. Raises: ValueError where its pictures are not cut."""
    if not isinstance(answering, MergesTiles):
        raise ValueError(f"{type(answering).__name__} does not put tiles together")
    return answering


def merged(
    picture: CutPicture,
    run: Run,
    merging: Merging,
    *,
    pool: ThreadPoolExecutor | None = None,
    check: Check = lambda: None,
    batch: int = BATCH,
) -> dict[str, NDArray[Any]]:
    """Arrays [1, ...] of the whole picture, from a network that sees `batch` tiles at a time.

    With a `pool`, one thread a core, its threads cut and run, a few batches ahead. Raises: what `run` and `check` raise.
    """

    def look(start: int) -> tuple[int, Arrays]:
        check()
        return start, run(picture.tiles(start, start + batch))

    starts = range(0, len(picture.places), batch)
    seen = map(look, starts) if pool is None else pool_in_order(pool, starts, look, ahead=2 * cores())
    for start, arrays in seen:
        merging.add(arrays, picture.places[start : start + batch])
    return dict(merging.finish())


def _whole(width: int, height: int, remark: str) -> Placement:
    return Placement(width=width, height=height, left=0, top=0, right=width, bottom=height, remark=remark)
