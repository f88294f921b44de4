"""What a drawing shows, as plain values. In: nothing. Out: Tile, StageRow. Next: explain_sheet.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["convolution", "attention", "dense", "pooling", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One channel."""

    channel: int
    picture: NDArray[np.uint8]  # [h, w, 3]
    activity: float  # mean size of a map's values; of a filter's weights the root mean square


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One or several layers that follow each other."""

    name: str
    kind: Kind
    layers: int
    output: tuple[int, ...]  # of the last, for one picture
    parameters: int
    multiply_adds: int
