"""Pictures of a report with boxes drawn on them. In: BoxView. Out: list[Shown]. Next: drawn.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from tellapart.drawing.boxes import DrawnBox, Window, draw_boxes
from tellapart.errors import PictureError
from tellapart.preprocessing import Preprocessing, decode_for
from tellapart.reporting.facts import CaptionLine, Shown
from tellapart.reporting.pictures import address
from tellapart.runtime import cores
from tellapart.sources.reading import read_bytes

EMPHASIS = 1.6  # of lines and letters, since the page shows pictures at some six tenths of their size


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxView:
    """A picture to show, or a part of it, with boxes; both in pixels of the upright picture."""

    path: Path
    size: tuple[int, int]  # width and height of the upright picture
    label: str  # what it shows, in a word or two, for who cannot see it
    boxes: Sequence[DrawnBox] = ()
    window: Window | None = None  # None: all of it
    caption: tuple[CaptionLine, ...] = ()


def show_boxes(views: Sequence[BoxView], preprocessing: Preprocessing, *, side: int, least: int) -> list[Shown]:
    """Draw them, the longer side of each between `least` and `side` pixels; a picture that is gone keeps its place.

    Of each file no more pixels are read than are shown, where its format allows that. Its values and colours are read as the
    network reads them.
    """

    def read(view: BoxView) -> Image.Image | None:
        left, top, right, bottom = view.window or (0, 0, *view.size)
        target = math.ceil(side * max(view.size) / max(right - left, bottom - top))
        try:
            return decode_for(read_bytes(view.path), preprocessing, target=min(target, max(view.size))).image
        except (OSError, PictureError):
            return None

    with ThreadPoolExecutor(cores()) as pool:
        # Letters are drawn by one thread: fonts are shared.
        images = pool.map(read, views)
        return [_show(view, image, side, least) for view, image in zip(views, images, strict=True)]


def _show(view: BoxView, image: Image.Image | None, side: int, least: int) -> Shown:
    shown = Shown(name=view.path.name, picture=None, label=view.label, caption=view.caption)
    if image is None:
        return shown
    # A large JPEG may come reduced.
    across, down = image.width / view.size[0], image.height / view.size[1]
    boxes = [
        replace(box, sides=(box.sides[0] * across, box.sides[1] * down, box.sides[2] * across, box.sides[3] * down))
        for box in view.boxes
    ]
    window = None
    if view.window is not None:
        left, top, right, bottom = view.window
        left, top = min(int(left * across), image.width - 1), min(int(top * down), image.height - 1)
        right, bottom = math.ceil(right * across), math.ceil(bottom * down)
        window = (left, top, min(max(right, left + 1), image.width), min(max(bottom, top + 1), image.height))
    drawn = draw_boxes(np.asarray(image), boxes, window=window, longest=side, least=least, emphasis=EMPHASIS)
    return replace(shown, picture=address(drawn, sharp=True))
