"""What a network that finds boxes sees of a picture and tells of it. In: a file. Out: Looked. Next: explain_each.py.

Pictures that are cut are told of as a whole; what is shown of one for a box, explanation/seeing.py says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.items import read_file
from tellapart.answers.table import ANSWERINGS
from tellapart.answers.tiling import cut_picture, in_tiles, merged, merging_of
from tellapart.explanation.seeing import SIDE, SeenPart, Sides, seen_around, seen_whole
from tellapart.preprocessing import decode_for
from tellapart.runs.open import OpenRun

Find = Callable[[NDArray[np.uint8]], Mapping[str, NDArray[Any]]]  # uint8 [N, S, S, 3] to outputs by name, each [N, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looked:
    """What is told of a picture, and what is seen of it around a box."""

    answer: Any  # the task's
    around: Callable[[Sides], SeenPart]


def look(opened: OpenRun, path: str, find: Find) -> Looked:
    """Answer a picture through `find`. Raises: PictureError, DataError for what cannot be read."""
    inputs, manifest = opened.preprocessing, opened.manifest
    answering = ANSWERINGS[manifest.task]
    if not in_tiles(inputs):
        seen = seen_whole(decode_for(read_file(path), inputs, target=SIDE), inputs)
        (answer,) = answering.decide(find(seen.image[None]), [seen.place], manifest.record, classes=manifest.classes)
        return Looked(answer=answer, around=lambda _: seen)
    merges = merging_of(answering)
    picture = cut_picture(read_file(path), inputs, beyond=merges.beyond)
    arrays = merged(picture, find, merges.merging(picture.whole, inputs, manifest.record))
    (answer,) = answering.decide(arrays, [picture.whole], manifest.record, classes=manifest.classes)
    return Looked(answer=answer, around=partial(seen_around, picture=picture, inputs=inputs))
