"""One tile of a picture, read as a file of its own, and the boxes that it shows. In: a picture. Out: TileFile. Next: tiled.py."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakValueDictionary

from PIL import Image

from tellapart.answers.answering import Placement
from tellapart.data.examples import PictureFile
from tellapart.data.targets import Boxes
from tellapart.preprocessing import Preprocessing, decode_for
from tellapart.tasks.detection.matching import TrueBoxes
from tellapart.tasks.detection.mosaic import KEPT
from tellapart.tiling import TilePart, cut_part

_LOCKS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TileFile(PictureFile):
    """One tile of a picture; its content hash is the picture's, and where it lies."""

    place: Placement
    inputs: Preprocessing
    whole: str  # content hash of the picture
    truth: TrueBoxes = field(compare=False)  # of the picture, in its pixels

    def read(self) -> bytes:
        """The tile's pixels as a file. Raises: PictureError when the picture has vanished or changed, or cannot be decoded."""
        image = _OPENED.get(self, lambda: decode_for(PictureFile.read(self), self.inputs).image)
        part = TilePart(self.place.left, self.place.top, self.place.right, self.place.bottom)
        buffer = io.BytesIO()
        Image.fromarray(cut_part(image, part, self.inputs)).save(buffer, "BMP")
        return buffer.getvalue()


class _Opened:
    """Decoded pictures, for as long as some thread is at work on one: each keeps the last one that it cut."""

    def __init__(self) -> None:
        self._own, self._kept = threading.local(), WeakValueDictionary[tuple[Any, ...], Image.Image]()
        self._locks = [threading.Lock() for _ in range(_LOCKS)]  # so that one picture is decoded by one thread alone

    def get(self, tile: TileFile, decode: Callable[[], Image.Image]) -> Image.Image:
        key = (tile.path, tile.file_hash, tile.inputs)
        if getattr(self._own, "key", None) == key:
            mine: Image.Image = self._own.image
            return mine
        with self._locks[hash(key) % _LOCKS]:
            image = self._kept.get(key)
            if image is None:
                image = self._kept[key] = decode()
        self._own.key, self._own.image = key, image
        return image


_OPENED = _Opened()


def boxes_seen(boxes: Boxes, place: Placement, inputs: Preprocessing) -> Boxes:
    """The boxes that a tile shows, in its own pixels and within it; not those of which it shows less than a quarter."""
    scale = inputs.size / (place.right - place.left), inputs.size / (place.bottom - place.top)
    found = []
    for box in boxes.boxes:
        left, right = ((x - place.left) * scale[0] for x in (box.left, box.right))
        top, bottom = ((y - place.top) * scale[1] for y in (box.top, box.bottom))
        low, high = (max(left, 0.0), max(top, 0.0)), (min(right, float(inputs.size)), min(bottom, float(inputs.size)))
        across, down = high[0] - low[0], high[1] - low[1]
        if min(across, down) > 0 and across * down >= KEPT * (right - left) * (bottom - top):
            found.append(replace(box, left=low[0], top=low[1], right=high[0], bottom=high[1]))
    return Boxes(tuple(found))
