"""What a network that finds boxes sees of a picture and tells of it. In: a file. Out: Looked, SeenPart. Next: explain_each.py.

Pictures that are cut are told of as a whole; one box is then explained in a tile of its own, with the box in the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.answers.answering import Placement
from tellapart.answers.items import read_file
from tellapart.answers.pictures import place as place_of
from tellapart.answers.table import ANSWERINGS
from tellapart.answers.tiling import cut_picture, in_tiles, merged, merging_of
from tellapart.drawing.boxes import Sides
from tellapart.explanation.laying import as_seen, onto
from tellapart.preprocessing import decode_for, prepare
from tellapart.runs.open import OpenRun
from tellapart.tiling import cut_part, part_around

SIDE = 448  # pixels, of what is shown to a person

Find = Callable[[NDArray[np.uint8]], Mapping[str, NDArray[Any]]]  # uint8 [N, S, S, 3] to outputs by name, each [N, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenPart:
    """One input of the network, and how it is shown."""

    image: NDArray[np.uint8]  # [S, S, 3], what the network sees
    place: Placement  # of that
    large: NDArray[np.uint8]  # [H, W, 3], the same for a person, in the picture's own shape
    shown: Sides  # what `large` shows, in pixels of the upright picture
    lay: Callable[[NDArray[np.float32]], NDArray[np.float32]]  # heat [h, w] of `image` to what lies on `large`


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looked:
    """What is told of a picture, and what is seen of it around a box."""

    answer: Any  # the task's
    around: Callable[[Sides], SeenPart]  # of a box in pixels of the upright picture


def look(opened: OpenRun, path: str, find: Find) -> Looked:
    """Answer a picture through `find`. Raises: PictureError, DataError for what cannot be read."""
    return _look_in_tiles(opened, path, find) if in_tiles(opened.preprocessing) else _look_at_whole(opened, path, find)


def _look_at_whole(opened: OpenRun, path: str, find: Find) -> Looked:
    preprocessing, manifest = opened.preprocessing, opened.manifest
    decoded = decode_for(read_file(path), preprocessing, target=SIDE)
    image = prepare(decoded.image, preprocessing)
    place = place_of(decoded.width, decoded.height, preprocessing)
    (answer,) = ANSWERINGS[manifest.task].decide(find(image[None]), [place], manifest.record, classes=manifest.classes)
    seen = SeenPart(
        image=image,
        place=place,
        large=as_seen(decoded.image, preprocessing, side=max(SIDE, preprocessing.size)),
        shown=(
            max(place.left, 0.0),
            max(place.top, 0.0),
            min(place.right, float(place.width)),
            min(place.bottom, float(place.height)),
        ),
        lay=lambda heat: onto(heat, decoded.image, preprocessing),
    )
    return Looked(answer=answer, around=lambda _: seen)


def _look_in_tiles(opened: OpenRun, path: str, find: Find) -> Looked:
    inputs, manifest = opened.preprocessing, opened.manifest
    answering = ANSWERINGS[manifest.task]
    merges = merging_of(answering)
    picture = cut_picture(read_file(path), inputs, beyond=merges.beyond)
    arrays = merged(picture, find, merges.merging(picture.whole, inputs, manifest.record))
    (answer,) = answering.decide(arrays, [picture.whole], manifest.record, classes=manifest.classes)

    def around(box: Sides) -> SeenPart:
        part = part_around(box, picture.whole.width, picture.whole.height, inputs)
        image = cut_part(picture.image, part, inputs, merges.beyond)
        tile, own = Image.fromarray(image), replace(inputs, fit="squash")
        return SeenPart(
            image=image,
            place=replace(picture.whole, left=part.left, top=part.top, right=part.right, bottom=part.bottom),
            large=as_seen(tile, own, side=max(SIDE, inputs.size)),
            shown=(part.left, part.top, part.right, part.bottom),
            lay=lambda heat: onto(heat, tile, own),
        )

    return Looked(answer=answer, around=around)
