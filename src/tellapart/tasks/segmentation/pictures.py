"""Pictures and their masks, opened whole and kept for a while. In: PictureFile, MaskFile. Out: Opened. Next: crops.py.

Shapes: H W height and width of one picture in its own pixels, which differ from picture to picture; K classes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import PictureFile
from tellapart.errors import DataError, PictureError
from tellapart.features.shrink import content_number
from tellapart.preprocessing import Preprocessing, decode_for

KEPT_BYTES = 1 << 30  # of opened pictures in one process; what does not fit is opened anew
_PLACES = 256  # of each class in a picture that crops may be laid around

ReadMask = Callable[[int], NDArray[np.uint8]]  # number of a picture -> [H, W], numbers of classes, IGNORED


class Opened(NamedTuple):
    """One picture, upright."""

    pixels: NDArray[np.uint8]  # [H, W, 3], RGB
    mask: NDArray[np.uint8]  # [H, W], numbers of classes, IGNORED
    places: tuple[NDArray[np.int32], ...]  # [K] of [n, 2]: rows and columns of some pixels of each class


class OpenedPictures:
    """Pictures by number. May be asked from several threads; travels to other processes without what it keeps."""

    def __init__(
        self,
        pictures: tuple[PictureFile, ...],
        read_mask: ReadMask,
        *,
        class_count: int,
        preprocessing: Preprocessing,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self.pictures, self.class_count, self.preprocessing = pictures, class_count, preprocessing
        self.numbers = [content_number(picture.content_hash) for picture in pictures]  # a number of each content
        self._read_mask, self._limit = read_mask, kept_bytes
        self._begin()

    def __getitem__(self, number: int) -> Opened:
        """Raises: DataError where a file is gone or has changed since the audit."""
        with self._lock:
            found = self._kept.get(number)
            if found is not None:
                self._kept.move_to_end(number)
                return found
        opened = self._open(number)
        with self._lock:
            if number not in self._kept:
                self._kept[number] = opened
                self._bytes += _size(opened)
            while self._bytes > self._limit and len(self._kept) > 1:
                self._bytes -= _size(self._kept.popitem(last=False)[1])
        return opened

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_lock", "_kept", "_bytes")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Opened] = OrderedDict()
        self._bytes = 0

    def _open(self, number: int) -> Opened:
        picture = self.pictures[number]
        try:
            image = decode_for(picture.read(), self.preprocessing).image
            mask = self._read_mask(number)
        except PictureError as error:
            raise DataError(
                f"{picture.path}: {error}. Training needs it in every epoch; put it back as it was, or train again."
            ) from None
        if mask.shape != (image.height, image.width):
            raise DataError(
                f"{picture.path} has {image.width} x {image.height} pixels, its mask {mask.shape[1]} x {mask.shape[0]}; they must "
                "be alike. Put both back as they were, or train again."
            )
        chance = np.random.default_rng(self.numbers[number])
        return Opened(np.asarray(image), mask, _places(mask, self.class_count, chance))


def _places(mask: NDArray[np.uint8], class_count: int, chance: np.random.Generator) -> tuple[NDArray[np.int32], ...]:
    flat = mask.reshape(-1)
    order = np.argsort(flat, kind="stable")
    ends = np.searchsorted(flat[order], np.arange(class_count + 1))
    found = []
    for first, last in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        chosen = order[chance.integers(first, last, min(_PLACES, last - first))] if last > first else order[:0]
        found.append(np.stack(np.unravel_index(chosen, mask.shape), axis=1).astype(np.int32))
    return tuple(found)


def _size(opened: Opened) -> int:
    return opened.pixels.nbytes + opened.mask.nbytes
