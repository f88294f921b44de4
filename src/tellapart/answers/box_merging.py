"""Boxes found in tiles become those of the picture. In: each tile's boxes. Out: arrays of one picture. Next: detection.py.

Two tiles see the same thing where what they say of the pixels that both show agrees. Of boxes that agree the most certain whole
one stays, with the highest score of them; one that a tile's edge cuts gives way to it, however certain it is. Where all are cut,
the thing is larger than what tiles share, and the box around all of them stays. Boxes of one tile are left as the network left
them. n boxes of a tile; boxes are left, top, right, bottom in pixels of the picture.
"""

from __future__ import annotations

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
        self._count = 0
        # Of tiles that share pixels: numbers of boxes that agree, and how well. As arrays: of a network that knows little, which
        # finds a hundred boxes in every tile, lists would take gigabytes.
        self._agreeing: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]] = []

    def add(self, arrays: Mapping[str, NDArray[Any]], places: Sequence[Placement]) -> None:
        """Boxes as shares of each tile's side, as the network gives them."""
        for number, place in enumerate(places):
            found = found_at(arrays, number, self._record)
            boxes = in_source(found.boxes, place)
            there = (found.scores > 0) & (boxes[:, 2:] > boxes[:, :2]).all(1)
            tile = _Tile(place, self._count, boxes[there], found.scores[there], found.labels[there])
            for other in self._beside(place):
                self._compare(other, tile)
            self._count += len(tile.boxes)
            self._tiles.append(tile)
        if "novelty" in arrays:
            self._novelties += arrays["novelty"].tolist()

    def finish(self) -> dict[str, NDArray[Any]]:
        """`boxes` [1, D, 4] as shares of the picture's sides, `scores` and `labels` [1, D], the most certain first.

        `novelty` [1] is the mean over the tiles: how much of the picture is unlike what the network knows.
        """
        boxes, scores, labels = self._kept()
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
        first, second = np.nonzero(agreement >= AGREEING)
        if len(first):
            how = agreement[first, second].astype(np.float32)
            self._agreeing.append(((one.first + first).astype(np.int32), (other.first + second).astype(np.int32), how))

    def _kept(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """The boxes that stay, [D, 4], their scores and classes, [D]."""
        if not self._count:
            return np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64)
        boxes = np.concatenate([tile.boxes for tile in self._tiles])
        scores = np.concatenate([tile.scores for tile in self._tiles])
        labels = np.concatenate([tile.labels for tile in self._tiles])
        cut = np.concatenate([_cut(tile.boxes, tile.place) for tile in self._tiles])
        owners = np.repeat(np.arange(len(self._tiles)), [len(tile.boxes) for tile in self._tiles])
        groups = _Groups(owners, self._agreeing, self._record.overlap)
        heads = []
        for head in np.lexsort((-scores, cut)).tolist():
            group = groups.take(head, grows=bool(cut[head]))
            heads += group[:1]
            if len(group) > 1:
                scores[head] = scores[group].max()
                if cut[head]:
                    boxes[head] = [*boxes[group, :2].min(0), *boxes[group, 2:].max(0)]
        return boxes[heads], scores[heads], labels[heads]


class _Groups:
    """Which boxes are of the same thing: each is taken once."""

    def __init__(
        self,
        owners: NDArray[np.int64],
        agreeing: Sequence[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]],
        overlap: float,
    ) -> None:
        """`owners`: of each box the number of its tile; `agreeing`: pairs of boxes, and how well they agree."""
        self._owners, self._overlap = owners, overlap
        self._taken = np.zeros(len(owners), dtype=np.bool_)
        one, other, how = (np.concatenate([np.empty(0), *(pair[part] for pair in agreeing)]) for part in range(3))
        first, second, how = np.concatenate([one, other]), np.concatenate([other, one]), np.concatenate([how, how])
        order = np.lexsort((second, -how, first))  # of each box those that agree best first
        self._second, self._how = second[order].astype(np.int32), how[order].astype(np.float32)
        self._starts = np.searchsorted(first[order], np.arange(len(owners) + 1))

    def take(self, head: int, *, grows: bool) -> list[int]:
        """The box `head` and those of other tiles that are of the same thing; nothing where it is taken already.

        Of each tile the one that agrees best, and all that agree as well as boxes that a tile leaves out itself. Where it `grows`,
        those that agree with one of them come with it.
        """
        if self._taken[head]:
            return []
        group, tiles = [head], {int(self._owners[head])}
        self._taken[head] = True
        for member in group:  # it may grow meanwhile
            part = slice(self._starts[member], self._starts[member + 1])
            for number, how in zip(self._second[part].tolist(), self._how[part].tolist(), strict=True):
                owner = int(self._owners[number])
                if not self._taken[number] and (owner not in tiles or (how > self._overlap and not grows)):
                    self._taken[number] = True
                    tiles.add(owner)
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
