"""Tiles of a large picture, blended into one mask. In: probabilities of tiles. Out: mask, certainty. Next: mask_files.py.

Where tiles overlap their probabilities are averaged with weights that fall towards each tile's edge, where a network sees
least of what is around. Only a band of rows, as high as a tile, is kept as probabilities; rows that no further tile reaches
are decided. So a picture of 12,000 x 12,000 pixels needs two bytes a pixel and one band. K classes, S a tile's side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Placement

KEPT_BYTES = 64 * 1024**2  # of probabilities as bytes, that a picture's answer keeps beside its mask
Arrays = Mapping[str, NDArray[np.generic]]


class MaskMerging:
    """Takes the tiles of one picture in order of rows, and gives the arrays of the whole."""

    def __init__(self, place: Placement, *, classes: int, overlap: int) -> None:
        """`place` is that of the whole picture; `overlap` in pixels, over which a tile's weight falls."""
        self._width, self._height, self._classes, self._overlap = place.width, place.height, classes, overlap
        self._mask = np.zeros((place.height, place.width), dtype=np.uint8)
        self._certainty = np.zeros((place.height, place.width), dtype=np.uint8)
        kept = classes * place.height * place.width <= KEPT_BYTES
        self._kept = np.zeros((classes, place.height, place.width), dtype=np.uint8) if kept else None
        self._top = 0  # of the band
        self._sums = np.zeros((classes, 0, place.width), dtype=np.float32)
        self._weights = np.zeros((0, place.width), dtype=np.float32)
        self._novelty = self._covered = 0.0

    def add(self, arrays: Arrays, places: Sequence[Placement]) -> None:
        """Tiles with `probabilities` [n, K, S, S] and, where there is one, `novelty` [n]; places in pixels of the picture.

        What of a tile lies outside the picture is left out. Raises: ValueError for a tile above one that was given before.
        """
        probabilities, novelty = arrays["probabilities"], arrays.get("novelty")
        for number, place in enumerate(places):
            left, top = round(place.left), round(place.top)
            if max(0, top) < self._top:
                raise ValueError(f"a tile begins at row {top}, and rows above {self._top} are decided")
            share = self._add_one(np.asarray(probabilities[number], dtype=np.float32), left, top)
            if novelty is not None:
                self._novelty += share * float(novelty[number])
                self._covered += share

    def finish(self) -> dict[str, NDArray[np.generic]]:
        """`mask` and `certainty` uint8 [1, H, W]; `probabilities` uint8 [1, K, H, W], 255 for 1, unless they are too many;
        `novelty` [1].

        The novelty is the mean of those of the tiles, by the pixels of the picture that they show.
        """
        self._decide(self._height)
        found: dict[str, NDArray[np.generic]] = {"mask": self._mask[None], "certainty": self._certainty[None]}
        if self._kept is not None:
            found["probabilities"] = self._kept[None]
        if self._covered:
            found["novelty"] = np.array([self._novelty / self._covered], dtype=np.float32)
        return found

    def _add_one(self, tile: NDArray[np.float32], left: int, top: int) -> float:
        """Add one tile [K, h, w]; how many pixels of the picture it shows."""
        _, high, wide = tile.shape
        x0, x1 = max(0, left), min(self._width, left + wide)
        y0, y1 = max(0, top), min(self._height, top + high)
        if x0 >= x1 or y0 >= y1:
            return 0.0
        if (x0, y0, x1, y1) == (0, 0, self._width, self._height) and not len(self._weights) and not self._top:
            self._settle(tile[:, -top : y1 - top, -left : x1 - left], 0)  # a picture of one tile
            self._top = self._height
            return float(self._width * self._height)
        self._decide(y0)
        self._grow(y1)
        weights = np.outer(_ramp(high, self._overlap), _ramp(wide, self._overlap))
        inner = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        band = np.s_[y0 - self._top : y1 - self._top, x0:x1]
        self._sums[:, *band] += tile[:, *inner] * weights[inner]
        self._weights[band] += weights[inner]
        return float((y1 - y0) * (x1 - x0))

    def _settle(self, probabilities: NDArray[np.float32], top: int) -> None:
        """Whole rows [K, h, W], from that one on, as they are in the end."""
        rows = np.s_[top : top + probabilities.shape[1]]
        self._mask[rows], self._certainty[rows] = most_probable(probabilities)
        if self._kept is not None:
            self._kept[:, rows] = as_bytes(probabilities)

    def _grow(self, bottom: int) -> None:
        """Let the band reach down to that row."""
        missing = bottom - self._top - len(self._weights)
        if missing > 0:
            self._sums = np.pad(self._sums, ((0, 0), (0, missing), (0, 0)))
            self._weights = np.pad(self._weights, ((0, missing), (0, 0)))

    def _decide(self, row: int) -> None:
        """Decide the rows above that one, and let go of them."""
        count = min(row - self._top, len(self._weights))
        if count > 0:
            # Pixels that no tile shows stay at class 0, certainty 0.
            sums = np.asarray(
                self._sums[:, :count] / np.maximum(self._weights[:count], np.finfo(np.float32).tiny), np.float32
            )
            self._settle(sums, self._top)
            self._sums, self._weights = self._sums[:, count:].copy(), self._weights[count:].copy()
        self._top = max(self._top, row)


def most_probable(probabilities: NDArray[np.floating]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The most probable class of each pixel of [K, H, W], of equal ones the first, and its probability, 255 for 1; [H, W] each."""
    best = probabilities[0].copy()
    mask = np.zeros(best.shape, dtype=np.uint8)
    for number, plane in enumerate(
        probabilities[1:], start=1
    ):  # plane by plane, which is several times as quick as argmax(0)
        np.copyto(mask, number, where=plane > best)
        np.maximum(best, plane, out=best)
    return mask, as_bytes(best)


def as_bytes(probabilities: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Probabilities as bytes, 255 for 1; what arithmetic leaves beyond [0, 1] is cut off."""
    scaled = probabilities * np.float32(255)
    scaled += np.float32(0.5)
    np.clip(scaled, 0, 255.5, out=scaled)
    return np.asarray(scaled.astype(np.uint8))


def _ramp(length: int, overlap: int) -> NDArray[np.float32]:
    """Weights along a tile's side: rising over the overlap, 1 inside, falling again; never 0, and those of two neighbours sum
    to 1.
    """
    place = np.arange(length, dtype=np.float32) + np.float32(0.5)
    return np.asarray(np.minimum(np.minimum(place, length - place) / max(overlap, 1), 1.0), dtype=np.float32)
