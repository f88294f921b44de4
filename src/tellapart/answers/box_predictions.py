"""What a detector says of many pictures, and boxes in one cell. In: boxes. Out: BoxPredictions, JSON. Next: detection.py.

N pictures, K classes, n boxes of one picture.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.predictions import Flags

_MOST = 10_000  # boxes that a person may send for one picture
_SIDES = ("left", "top", "right", "bottom")
_DIGITS = 7  # a float32 carries so many

Told = tuple[str, float, tuple[float, float, float, float]]  # class, score, left, top, right, bottom


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoxPredictions:
    """N pictures and the boxes that the model tells of each, the most certain first. One that could not be read keeps its row."""

    paths: tuple[str, ...]  # N, in the order asked
    boxes: tuple[NDArray[np.float32], ...]  # N times [n, 4]: left, top, right, bottom in pixels of the upright picture
    scores: tuple[NDArray[np.float32], ...]  # N times [n], calibrated
    labels: tuple[tuple[str, ...], ...]  # N times n class names
    errors: tuple[str, ...]  # N, why the picture could not be read; "" where it could
    classes: tuple[str, ...]  # K, that the model knows
    warnings: tuple[str, ...]  # N, what to know of how the picture was read; "" for nothing
    unknown: Flags | None = (
        None  # [N], unlike anything trained on; masked where it could not be read, None where it cannot tell
    )
    heatmaps: tuple[bytes | None, ...] | None = None  # N, PNG files, of a server that was asked for them

    def to_rows(self) -> list[dict[str, str | float]]:
        """One row a box: path, label, score, left, top, right, bottom. None for a picture without boxes, or unread.

        `pandas.DataFrame(predictions.to_rows())` is a table of it.
        """
        return [
            {"path": path, "label": label, "score": float(score), **dict(zip(_SIDES, sides.tolist(), strict=True))}
            for path, labels, scores, boxes in zip(self.paths, self.labels, self.scores, self.boxes, strict=True)
            for label, score, sides in zip(labels, scores, boxes, strict=True)
        ]

    @property
    def counts(self) -> tuple[dict[str, int], ...]:
        """How many boxes of each class each picture has; classes without one are left out. In the model's order."""
        found = map(Counter, self.labels)
        return tuple({name: one[name] for name in self.classes if one[name]} for one in found)


def box_cell(told: Sequence[Told]) -> str:
    """Boxes as a JSON list of [label, score, left, top, right, bottom]."""
    rows = [[name, *(float(f"{value:.{_DIGITS}g}") for value in (score, *sides))] for name, score, sides in told]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def read_box_cell(text: str) -> tuple[str, ...]:
    """The classes of boxes that a person wrote, [label, left, top, right, bottom] each, sorted and each once.

    Raises: ValueError for what is no such list, saying what is wrong.
    """
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list) or not all(map(_is_box, rows)):
        raise ValueError(
            "the field `boxes` is no JSON list of [label, left, top, right, bottom], left under right and top under bottom. "
            "Send one, [] for no box"
        )
    if len(rows) > _MOST:
        raise ValueError(f"the field `boxes` has {len(rows):,} boxes; {_MOST:,} are the most. Send fewer")
    return tuple(sorted({str(row[0]) for row in rows}))


def _is_box(row: object) -> bool:
    if not isinstance(row, list) or len(row) != 5 or not isinstance(row[0], str) or not row[0].strip():
        return False
    sides = row[1:]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in sides):
        return False
    return bool(sides[0] < sides[2] and sides[1] < sides[3])
