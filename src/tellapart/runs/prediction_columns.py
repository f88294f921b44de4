"""Which columns predictions.csv has beside path, truth and answer. In: classes, probabilities. Out: names, cells. Next: reading.py.

Up to a thousand classes each has a column. Of more, a table of all would be a gigabyte of which nearly all is zero: it has the most
probable classes of each picture, and what was given to the true one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.predictions import PROBABILITY_FORMAT

MOST_WHOLE = 1_000  # classes that have a column each
RANKED = 10  # classes a picture where there are more
_ROWS = 256  # turned to text at a time


def is_whole(class_count: int) -> bool:
    """Whether a table of so many classes has a column for each."""
    return class_count <= MOST_WHOLE


def columns(classes: Sequence[str]) -> list[str]:
    """What comes after path, truth and answer."""
    if is_whole(len(classes)):
        return [f"probability of {name}" for name in classes]
    return ranked_columns()


def ranked_columns() -> list[str]:
    """The same where there are too many classes: the true one's, then class and probability in turn."""
    return [
        "probability of the label",
        *(name for rank in range(1, RANKED + 1) for name in (f"class {rank}", f"probability {rank}")),
    ]


def cells(
    probabilities: NDArray[np.float32], targets: NDArray[np.int64], classes: Sequence[str]
) -> Iterator[list[str]]:
    """The cells under them of each of N pictures, with `probabilities` [N, K] and true classes `targets` [N]."""
    for start in range(0, len(probabilities), _ROWS):
        part, true = probabilities[start : start + _ROWS], targets[start : start + _ROWS]
        if is_whole(len(classes)):
            yield from (list(map(PROBABILITY_FORMAT.format, row)) for row in part.tolist())
            continue
        order = np.argsort(-part, axis=1, kind="stable")[:, :RANKED]  # of equal ones the first, as argmax has it
        own = np.take_along_axis(part, true[:, None], axis=1)[:, 0].tolist()
        for row, label, numbers in zip(part, own, order, strict=True):
            ranked = (
                (classes[number], PROBABILITY_FORMAT.format(value))
                for number, value in zip(numbers.tolist(), row[numbers].tolist(), strict=True)
            )
            yield [PROBABILITY_FORMAT.format(label), *(cell for pair in ranked for cell in pair)]
