"""Boxes found in tiles become those of the picture. In: each tile's boxes. Out: arrays of one picture. Next: detection.py.

Two tiles see the same thing where what they say of the pixels that both show agrees. Of boxes that agree the most certain whole
one stays, with the highest score of them; one that a tile's edge cuts gives way to it, however certain it is. Where all are cut,
the thing is larger than what tiles share, and the box around all of them stays. Boxes of one tile are left as the network left
them. n boxes of a tile; boxes are left, top, right, bottom in pixels of the picture.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Placement
from tellapart.answers.boxes import found_at, in_source, overlaps

if TYPE_CHECKING:
    from tellapart.bundle import DetectionRecord

AGREEING = 0.4  # IoU of two boxes within what both tiles show; of small things two views differ by a pixel or two
CUT = 0.01  # of a tile's side: a box that comes so near to an edge beyond which the picture goes on is cut by it


@dataclass(frozen=True, slots=True, eq=False)
class _Tile:
    """What was found in one tile."""

    place: Placement
    first: int  # number of its first box
    boxes: NDArray[np.float32]  # [n, 4]
    scores: NDArray[np.float32]  # [n]
    labels: NDArray[np.int64]  # [n]


class BoxMerging:
    """The Merging of boxes. Its arrays are as those of a network that leaves out boxes on others itself."""

    def __init__(self, whole: Placement, record: DetectionRecord) -> None:
        self._whole, self._record = whole, record
        self._tiles: list[_Tile] = []
        self._novelties: list[float] = []
        self._owners: list[int] = []  # of each box, the number of its tile
        # Number of a box -> the boxes of other tiles that agree with it: how well, and their numbers.
        self._agreeing: dict[int, list[tuple[float, int]]] = defaultdict(list)

    def add(self, arrays: Mapping[str, NDArray[Any]], places: Sequence[Placement]) -> None:
        """Boxes as shares of each tile's side, as the network gives them."""
        for number, place in enumerate(places):
            found = found_at(arrays, number, self._record)
            boxes = in_source(found.boxes, place)
            there = (found.scores > 0) & (boxes[:, 2:] > boxes[:, :2]).all(1)
            tile = _Tile(place, len(self._owners), boxes[there], found.scores[there], found.labels[there])
            for other in self._beside(place):
                self._compare(other, tile)
            self._owners += [len(self._tiles)] * len(tile.boxes)
            self._tiles.append(tile)
        if "novelty" in arrays:
            self._novelties += arrays["novelty"].tolist()

    def finish(self) -> dict[str, NDArray[Any]]:
        """`boxes` [1, D, 4] as shares of the picture's sides, `scores` and `labels` [1, D], the most certain first.

        `novelty` [1] is the mean over the tiles: how much of the picture is unlike what the network knows.
        """
        kept = list(self._kept())
        boxes = np.array([box for box, _, _ in kept], dtype=np.float32).reshape(-1, 4)
        scores = np.array([score for _, score, _ in kept], dtype=np.float32)
        labels = np.array([label for _, _, label in kept], dtype=np.int64)
        order = np.argsort(-scores, kind="stable")
        sides = np.array([self._whole.width, self._whole.height] * 2, dtype=np.float32)
        found = {
            "boxes": (boxes[order] / sides)[None],
            "scores": scores[order][None],
            "labels": labels[order][None],
        }
        novelty = {"novelty": np.array([np.mean(self._novelties)], dtype=np.float32)} if self._novelties else {}
        return found | novelty

    def _beside(self, place: Placement) -> Iterator[_Tile]:
        """The tiles before it that share pixels with it."""
        for other in reversed(self._tiles):
            if other.place.bottom <= place.top:
                return  # they come row by row
            if other.place.left < place.right and place.left < other.place.right:
                yield other

    def _compare(self, one: _Tile, other: _Tile) -> None:
        ours, theirs = one.place, other.place
        low = max(ours.left, theirs.left), max(ours.top, theirs.top)
        high = min(ours.right, theirs.right), min(ours.bottom, theirs.bottom)
        agreement = overlaps(_within(one.boxes, low, high), _within(other.boxes, low, high))
        agreement *= one.labels[:, None] == other.labels[None]
        for first, second in np.argwhere(agreement >= AGREEING).tolist():
            how = float(agreement[first, second])
            self._agreeing[one.first + first].append((how, other.first + second))
            self._agreeing[other.first + second].append((how, one.first + first))

    def _kept(self) -> Iterator[tuple[NDArray[np.float32], float, int]]:
        """Each box that stays, with its score and its class."""
        if not self._owners:
            return
        boxes = np.concatenate([tile.boxes for tile in self._tiles])
        scores = np.concatenate([tile.scores for tile in self._tiles])
        labels = np.concatenate([tile.labels for tile in self._tiles])
        cut = np.concatenate([_cut(tile.boxes, tile.place) for tile in self._tiles])
        taken = np.zeros(len(self._owners), dtype=np.bool_)
        for head in np.lexsort((-scores, cut)).tolist():
            if taken[head]:
                continue
            group = self._group(head, taken, grows=bool(cut[head]))
            box = boxes[head]
            if cut[head]:
                box = np.concatenate([boxes[group, :2].min(0), boxes[group, 2:].max(0)])
            yield box, float(scores[group].max()), int(labels[head])

    def _group(self, head: int, taken: NDArray[np.bool_], *, grows: bool) -> list[int]:
        """The box `head` and those of other tiles that are of the same thing, which are `taken` from now on.

        Of each tile the one that agrees best, and all that agree as well as boxes that a tile leaves out itself. Where it `grows`,
        those that agree with one of them come with it.
        """
        group, tiles = [head], {self._owners[head]}
        taken[head] = True
        for member in group:  # it may grow meanwhile
            for how, number in sorted(self._agreeing.get(member, ()), key=lambda one: (-one[0], one[1])):
                another = self._owners[number] in tiles and (grows or how <= self._record.overlap)
                if not taken[number] and not another:
                    taken[number] = True
                    tiles.add(self._owners[number])
                    group.append(number)
            if not grows:
                break
        return group


def _within(boxes: NDArray[np.float32], low: tuple[float, float], high: tuple[float, float]) -> NDArray[np.float32]:
    """Boxes [n, 4] as far as they lie between two corners; of no area where they do not."""
    return boxes.reshape(-1, 2, 2).clip(low, high).reshape(-1, 4)


def _cut(boxes: NDArray[np.float32], place: Placement) -> NDArray[np.bool_]:
    """Which of the boxes [n, 4] of a tile end at an edge of it beyond which the picture goes on."""
    across, down = CUT * (place.right - place.left), CUT * (place.bottom - place.top)
    cut = np.zeros(len(boxes), dtype=np.bool_)
    if place.left > 0:
        cut |= boxes[:, 0] <= place.left + across
    if place.top > 0:
        cut |= boxes[:, 1] <= place.top + down
    if place.right < place.width:
        cut |= boxes[:, 2] >= place.right - across
    if place.bottom < place.height:
        cut |= boxes[:, 3] >= place.bottom - down
    return cut
