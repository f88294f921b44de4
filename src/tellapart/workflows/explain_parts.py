"""What each stage says, as a strip of small heatmaps. In: a Decomposition, a picture. Out: Strip. Next: runs/explained.py."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.drawing.explain_sheet import Strip, Thumb
from tellapart.explanation.activation import scaled
from tellapart.explanation.decomposition import Decomposition
from tellapart.explanation.laying import onto
from tellapart.explanation.overlay import overlay
from tellapart.preprocessing import Preprocessing


class Picture(NamedTuple):
    """A picture in its own shape."""

    decoded: Image.Image
    large: NDArray[np.uint8]  # [H, W, 3], what the network sees of it


def draw_parts(told: Decomposition, picture: Picture, preprocessing: Preprocessing) -> Strip:
    """Every part's map above 0 over the picture, each on its own scale; a part without a map has the number alone."""
    thumbs = []
    for part in told.parts:
        drawn = None
        if part.map is not None:
            heat = onto(scaled(part.map), picture.decoded, preprocessing)
            drawn = Image.fromarray(overlay(picture.large, heat))
        thumbs.append(Thumb(picture=drawn, label=part.name, words=f"{part.score:+.2f}"))
    title = f"Logit {told.logit:.2f} = bias {told.bias:+.2f} and each map's mean. Shown above 0, each on its own scale:"
    return Strip(title=title, thumbs=tuple(thumbs))
