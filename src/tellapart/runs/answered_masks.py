"""The test split of a run that makes masks. In: predictions.jsonl. Out: MaskTable. Next: network.py.

A line a picture: {"path", "width", "height", "confidence", "unknown", "novelty", "iou", "dice", "accuracy", "quality", "doubts",
"truth", "answer"}. The last two are PNG files in base64: numbers of classes, 255 for what does not count. Only figures are kept;
the masks are read again when they are wanted, so that a test of thousands of large pictures needs no more memory than a small one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.mask_files import read_base64
from tellapart.errors import DataError
from tellapart.storage import storage_errors

Values = NDArray[np.uint8]
_FIGURES = ("iou", "dice", "accuracy")


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskDoubt:
    """A region whose label looks wrong, as it is told."""

    fault: str  # missing, surplus or swapped
    label: str  # as it is
    suggested: str
    pixels: int
    certainty: float  # in [0, 1]
    box: tuple[int, int, int, int]  # left, top, right, bottom in pixels of the picture


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskLine:
    """One picture of the test split."""

    path: Path
    width: int
    height: int
    confidence: float
    quality: float  # of the labels, in [0, 1]
    iou: float | None  # None where no pixel counts
    dice: float | None
    accuracy: float | None
    doubts: tuple[MaskDoubt, ...]
    start: int  # byte at which the line begins


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskTable:
    """The pictures of the test split, n, and what the model said of each."""

    source: Path  # predictions.jsonl
    lines: list[MaskLine]
    paths: list[Path]  # [n], where the pictures are now

    def masks(self, picture: int) -> tuple[Values, Values]:
        """What is true and what was answered, uint8 [H, W] each. Raises: DataError, StorageError."""
        line = self.lines[picture]
        with storage_errors(self.source), self.source.open("rb") as file:
            file.seek(line.start)
            text = file.readline()
        try:
            row = json.loads(text)
            truth, answer = read_base64(row["truth"]), read_base64(row["answer"])
        except (KeyError, OverflowError, RecursionError, TypeError, ValueError):
            raise _refusal(self.source, picture + 1) from None
        if not truth.shape == answer.shape == (line.height, line.width):
            raise _refusal(self.source, picture + 1)
        return truth, answer


def read_mask_lines(path: Path) -> MaskTable:
    """The lines of predictions.jsonl. Raises: DataError with the line that is wrong; StorageError."""
    lines, start = list[MaskLine](), 0
    with storage_errors(path), path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            try:
                lines.append(_read(json.loads(text.decode("utf-8", "surrogateescape")), start))
            except (KeyError, OverflowError, RecursionError, TypeError, ValueError):
                raise _refusal(path, number) from None
            start += len(text)
    return MaskTable(source=path, lines=lines, paths=[line.path for line in lines])


def _read(row: Mapping[str, Any], start: int) -> MaskLine:
    width, height = row["width"], row["height"]
    if not all(isinstance(side, int) and side > 0 for side in (width, height)):
        raise ValueError
    figures = {name: None if row[name] is None else _share(row[name]) for name in _FIGURES}
    return MaskLine(
        path=Path(row["path"]),
        width=width,
        height=height,
        confidence=_share(row["confidence"]),
        quality=_share(row["quality"]),
        doubts=tuple(_doubt(one) for one in row["doubts"]),
        start=start,
        **figures,
    )


def _doubt(row: Mapping[str, Any]) -> MaskDoubt:
    left, top, right, bottom = (int(side) for side in row["box"])
    if not (0 <= left < right and 0 <= top < bottom):
        raise ValueError
    return MaskDoubt(
        fault=str(row["fault"]),
        label=str(row["label"]),
        suggested=str(row["suggested"]),
        pixels=int(row["pixels"]),
        certainty=_share(row["certainty"]),
        box=(left, top, right, bottom),
    )


def _share(value: float) -> float:
    if not 0 <= value <= 1 + 1e-6:
        raise ValueError
    return float(value)


def _refusal(path: Path, line: int) -> DataError:
    return DataError(f"{path}, line {line}: not a picture's masks as `tellapart train` writes them. Train again.")
