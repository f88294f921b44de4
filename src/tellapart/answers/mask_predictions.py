"""What a model says of the pixels of many pictures. In: masks. Out: MaskPredictions. Next: segmentation.py.

N pictures, K classes, H rows and W columns of one picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.predictions import Flags


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskPredictions:
    """N pictures and the class of each of their pixels. One that could not be read keeps its row."""

    paths: tuple[str, ...]  # N, in the order asked
    masks: tuple[
        NDArray[np.uint8] | None, ...
    ]  # N times [H, W], numbers of `classes`, at the size of the upright picture; None where it could not be read
    certainties: tuple[NDArray[np.uint8] | None, ...]  # N times [H, W], probability of that class, 255 for 1
    areas: NDArray[np.int64]  # [N, K], pixels of each class; 0 where the picture could not be read
    confidences: NDArray[np.float32]  # [N], mean probability of what is told; NaN where the picture could not be read
    errors: tuple[str, ...]  # N, why the picture could not be read; "" where it could
    classes: tuple[str, ...]  # K, that the model knows
    warnings: tuple[str, ...]  # N, what to know of how the picture was read; "" for nothing
    unknown: Flags | None = (
        None  # [N], unlike anything trained on; masked where it could not be read, None where it cannot tell
    )
    heatmaps: tuple[bytes | None, ...] | None = None  # N, PNG files, of a server that was asked for them

    def to_rows(self) -> list[dict[str, str | float]]:
        """One row a class of each picture: path, label, pixels, share. None for a picture that could not be read.

        `pandas.DataFrame(predictions.to_rows())` is a table of it.
        """
        return [
            {"path": path, "label": name, "pixels": int(pixels), "share": float(pixels / max(1, areas.sum()))}
            for path, areas, error in zip(self.paths, self.areas, self.errors, strict=True)
            if not error
            for name, pixels in zip(self.classes, areas, strict=True)
        ]
