"""The test split of a run that finds boxes. In: predictions.jsonl. Out: BoxTable. Next: network.py.

A line a picture, with sides in pixels of the upright one: {"path", "width", "height", "truth": [[label, left, top, right, bottom,
mark], ...], "answer": [[label, score, left, top, right, bottom], ...]}. The mark is 1 for a difficult box, 2 for a crowd's, else 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.answers.boxes import FoundBoxes
from tellapart.data.targets import Box, Boxes
from tellapart.errors import DataError
from tellapart.storage import storage_errors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoxTable:
    """The pictures of the test split, n, and what the model said of each."""

    source: Path  # predictions.jsonl
    paths: list[Path]  # [n]
    sizes: list[tuple[int, int]]  # [n], width and height of the upright picture
    truths: list[Boxes]  # [n]
    answers: list[FoundBoxes]  # [n], in pixels of the picture, told or not, the most certain first


def read_box_lines(path: Path, classes: Sequence[str]) -> BoxTable:
    """The lines of predictions.jsonl. Raises: DataError with the line that is wrong; StorageError."""
    with storage_errors(path):
        lines = path.read_bytes().decode("utf-8", "surrogateescape").split("\n")  # names may hold other ends of lines
    number = {name: index for index, name in enumerate(classes)}
    rows = []
    for place, line in enumerate(lines, start=1):
        if place == len(lines) and not line:
            break
        try:
            rows.append(_read(json.loads(line), number))
        except (KeyError, OverflowError, RecursionError, TypeError, ValueError):
            raise DataError(
                f"{path}, line {place}: not a picture's boxes as `tellapart train` writes them. Train again."
            ) from None
    return BoxTable(
        source=path,
        paths=[row[0] for row in rows],
        sizes=[row[1] for row in rows],
        truths=[row[2] for row in rows],
        answers=[row[3] for row in rows],
    )


def _read(row: Mapping[str, Any], number: Mapping[str, int]) -> tuple[Path, tuple[int, int], Boxes, FoundBoxes]:
    truth = tuple(_true(label, sides, kind) for label, *sides, kind in row["truth"])
    found = [(number[label], _score(score), *_sides(sides)) for label, score, *sides in row["answer"]]
    table = np.array(found, dtype=np.float32).reshape(-1, 6)
    order = np.argsort(-table[:, 1], kind="stable")
    width, height = row["width"], row["height"]
    if not all(isinstance(side, int) and side > 0 for side in (width, height)):
        raise ValueError
    answer = FoundBoxes(
        boxes=table[order, 2:], scores=table[order, 1], labels=np.array([one[0] for one in found], np.int64)[order]
    )
    return Path(row["path"]), (width, height), Boxes(truth), answer


def _true(label: str, sides: Sequence[float], kind: int) -> Box:
    if kind not in (0, 1, 2) or not isinstance(label, str):
        raise ValueError
    left, top, right, bottom = _sides(sides)
    return Box(label, left, top, right, bottom, difficult=kind == 1, crowd=kind == 2)


def _sides(sides: Sequence[float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = sides
    if not (math.isfinite(left + top + right + bottom) and left < right and top < bottom):
        raise ValueError
    return left, top, right, bottom


def _score(score: float) -> float:
    if not 0 <= score <= 1:
        raise ValueError
    return score
