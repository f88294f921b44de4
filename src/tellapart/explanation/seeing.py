"""The part of a picture that a network is shown for one box. In: a decoded or cut picture, a box. Out: SeenPart. Next: masking.py.

A picture that is cut into tiles has its box explained in a tile of its own, with the box in the middle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.answers.answering import Placement
from tellapart.answers.pictures import place as place_of
from tellapart.answers.tiling import CutPicture
from tellapart.explanation.laying import as_seen, onto
from tellapart.preprocessing import Decoded, Preprocessing, prepare
from tellapart.tiling import cut_part, part_around

SIDE = 448  # pixels, of what is shown to a person

Sides = tuple[float, float, float, float]  # left, top, right, bottom in pixels of the upright picture


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenPart:
    """One input of the network, and how it is shown."""

    image: NDArray[np.uint8]  # [S, S, 3], what the network sees
    place: Placement  # of that
    large: NDArray[np.uint8]  # [H, W, 3], the same for a person, in the picture's own shape
    shown: Sides  # what `large` shows
    lay: Callable[[NDArray[np.float32]], NDArray[np.float32]]  # heat [h, w] of `image` to what lies on `large`

    def onto_large(self, sides: Sides) -> Sides:
        """A box in pixels of `large`."""
        low, high = self.shown[:2], self.shown[2:]
        across, down = self.large.shape[1] / (high[0] - low[0]), self.large.shape[0] / (high[1] - low[1])
        left, top, right, bottom = sides
        return (left - low[0]) * across, (top - low[1]) * down, (right - low[0]) * across, (bottom - low[1]) * down


def seen_whole(decoded: Decoded, inputs: Preprocessing) -> SeenPart:
    """Of a picture that is shown to the network at once, whichever box is meant."""
    place = place_of(decoded.width, decoded.height, inputs)
    return SeenPart(
        image=prepare(decoded.image, inputs),
        place=place,
        large=as_seen(decoded.image, inputs, side=max(SIDE, inputs.size)),
        shown=(
            max(place.left, 0.0),
            max(place.top, 0.0),
            min(place.right, float(place.width)),
            min(place.bottom, float(place.height)),
        ),
        lay=lambda heat: onto(heat, decoded.image, inputs),
    )


def seen_around(box: Sides, picture: CutPicture, inputs: Preprocessing) -> SeenPart:
    """Of a picture that is cut, a tile with the box in its middle."""
    part = part_around(box, picture.whole.width, picture.whole.height, inputs)
    image = cut_part(picture.image, part, inputs, picture.beyond)
    tile, own = Image.fromarray(image), replace(inputs, fit="squash")
    return SeenPart(
        image=image,
        place=replace(picture.whole, left=part.left, top=part.top, right=part.right, bottom=part.bottom),
        large=as_seen(tile, own, side=max(SIDE, inputs.size)),
        shown=(part.left, part.top, part.right, part.bottom),
        lay=lambda heat: onto(heat, tile, own),
    )
