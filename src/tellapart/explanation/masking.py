"""Heat for one box: what must be seen for it to be found. In: a picture, a detector. Out: a heatmap. Next: gradients.py.

The picture is shown through random masks; where it was seen whenever the box was found again, it is hot. Works with every file that
gives boxes and scores. Source: D-RISE, Petsiuk et al. 2021, arXiv 2006.03204, section 3; masks as in RISE, 1806.07421, section 3.2.

Shapes: N pictures, S side of the picture, M masks, D boxes or places of a picture, K classes; sides are shares of S.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.answers.answering import Placement
from tellapart.answers.boxes import overlaps
from tellapart.runtime import BATCH

# uint8 [N, S, S, 3] -> `boxes` [N, D, 4], `scores` [N, D] with `labels` [N, D], or [N, D, K] without.
Find = Callable[[NDArray[np.uint8]], Mapping[str, NDArray[Any]]]

MASKS = 480  # the paper's 5,000 are smoother, and take ten times as long
_SHOWN = 0.5  # share of the cells of a mask that show the picture
_LEAST_CELLS, _MOST_CELLS = 5, 16  # a side; the paper's 16 for small things
_CELLS_A_BOX = 2.0  # a side of the box
_TOGETHER = 8  # batches at a time: memory stays flat, and all cores work
_MOST_VALUES = 64 * 320 * 320 * 3  # of pictures at a time, 4 bytes each: fewer of large ones
_TOO_FAINT = 1e-6  # heat that is nothing but rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxTarget:
    """The box that is explained, as the detector gave it of the whole picture."""

    sides: tuple[float, float, float, float]  # left, top, right, bottom as shares of the input's side
    label: int  # number of its class

    @classmethod
    def of_source(cls, sides: tuple[float, float, float, float], place: Placement, label: int) -> BoxTarget:
        """The box with these sides in pixels of the source: the inverse of `Placement.to_source`."""
        across, down = place.right - place.left, place.bottom - place.top
        left, top, right, bottom = sides
        shares = (
            (left - place.left) / across,
            (top - place.top) / down,
            (right - place.left) / across,
            (bottom - place.top) / down,
        )
        return cls(sides=shares, label=label)

    @property
    def cells(self) -> int:
        """Of a mask, a side: coarse for large boxes, which needs fewer masks."""
        left, top, right, bottom = self.sides
        longer = max(right - left, bottom - top, 1e-3)
        return int(np.clip(round(_CELLS_A_BOX / longer), _LEAST_CELLS, _MOST_CELLS))


def masked_heat(
    image: NDArray[np.uint8],
    target: BoxTarget,
    *,
    find: Find,
    background: NDArray[np.uint8],
    masks: int = MASKS,
    seed: int = 0,
    enough: Callable[[], bool] = lambda: False,
) -> NDArray[np.float32]:
    """How much surer the box is found where a place of the picture uint8 [S, S, 3] is seen than where not: [S, S] in [0, 1].

    What a mask hides has the colour `background`, uint8 [3]. All 0 where nothing makes a difference. Fewer masks than `masks` are
    tried where `enough` says so after some; their heat is coarser.
    """
    side = len(image)
    shown_sum, hidden_sum = np.zeros((side, side)), np.zeros((side, side))
    shown_weight, hidden_weight = np.zeros((side, side)), np.zeros((side, side))
    plain = np.broadcast_to(background, image.shape).astype(np.float32)
    picture = image.astype(np.float32)
    drawn = random_masks(masks, side, target.cells, seed=seed)
    together = max(BATCH, min(_TOGETHER * BATCH, _MOST_VALUES // image.size))
    while part := list(itertools.islice(drawn, together)):
        seen = np.stack(part)
        mixed = np.rint(plain + seen[..., None] * (picture - plain)).astype(np.uint8)
        weights = found_again(find(mixed), target).astype(np.float64)
        shown_sum += np.tensordot(weights, seen, axes=1)
        hidden_sum += np.tensordot(weights, 1 - seen, axes=1)
        shown_weight += seen.sum(axis=0)
        hidden_weight += (1 - seen).sum(axis=0)
        if enough():
            break
    heat = shown_sum / np.maximum(shown_weight, 1e-9) - hidden_sum / np.maximum(hidden_weight, 1e-9)
    most = float(heat.max())
    if most <= _TOO_FAINT:
        return np.zeros((side, side), dtype=np.float32)
    return np.asarray(np.clip(heat / most, 0, 1), dtype=np.float32)


def found_again(outputs: Mapping[str, NDArray[Any]], target: BoxTarget) -> NDArray[np.float32]:
    """How surely each of N pictures shows the box, [N] in [0, 1]: the highest score of its class times IoU with it."""
    boxes, scores, labels = outputs["boxes"], outputs["scores"], outputs.get("labels")
    own = scores[..., target.label] if labels is None else np.where(labels == target.label, scores, 0)
    if not own.shape[1]:
        return np.zeros(len(own), dtype=np.float32)
    with_it = overlaps(boxes.reshape(-1, 4), np.array([target.sides])).reshape(own.shape)
    return np.asarray((own * with_it).max(axis=1), dtype=np.float32)


def random_masks(count: int, side: int, cells: int, *, seed: int) -> Iterator[NDArray[np.float32]]:
    """`count` masks [S, S] in [0, 1], smooth between `cells` x `cells` cells that show or hide, each moved by part of a cell."""
    generator = np.random.default_rng(seed)
    cell = int(np.ceil(side / cells))
    whole = (cells + 1) * cell
    for _ in range(count):
        grid = (generator.random((cells + 1, cells + 1)) < _SHOWN).astype(np.float32)
        large = np.asarray(Image.fromarray(grid).resize((whole, whole), Image.Resampling.BILINEAR))
        top, left = generator.integers(0, cell, 2).tolist()
        yield large[top : top + side, left : left + side]
