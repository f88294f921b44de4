"""Answers of one class each as plain values, many at once. In: arrays. Out: rows. Next: multilabel.py.

N answers, K classes. A row for each alone costs ten times as much, which is more than it costs to answer a text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

Figures = Callable[[NDArray[Any]], NDArray[np.float64]]  # rounds numbers of any shape as they are told


class TellsMany(Protocol):
    """The Answering of a task that tells many answers at once."""

    def rows(self, answers: Any, *, top: int, figures: Figures) -> list[dict[str, Any]]:
        """What `row` tells of each of N answers, but for its path and its error."""


def tells_many(answering: object) -> TypeGuard[TellsMany]:
    """Whether it has `rows`; asked for every answer of a server, where Python's own look at a protocol costs more than the rows."""
    return hasattr(answering, "rows")


class ClassArrays(Protocol):
    """What is said of N pictures or texts, as arrays."""

    @property
    def classes(self) -> tuple[str, ...]:
        """K names."""

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """[N, K]."""

    @property
    def sets(self) -> NDArray[np.bool_] | None:
        """[N, K]."""

    @property
    def unknown(self) -> NDArray[np.bool_] | None:
        """[N]."""

    @property
    def novelty(self) -> NDArray[np.float32] | None:
        """[N]."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """N, or empty."""


def class_rows(answers: ClassArrays, *, top: int, figures: Figures) -> list[dict[str, Any]]:
    """The `top` most probable classes of each, its set, whether it is unknown, its novelty and its warning; None for nothing."""
    probabilities, sets, unknown, novelty = answers.probabilities, answers.sets, answers.unknown, answers.novelty
    count, nothing = len(probabilities), [None] * len(probabilities)
    order = np.argsort(-probabilities, axis=1, kind="stable")  # of equal ones the first
    named = np.array(answers.classes, dtype=object)[order].tolist()
    best = figures(probabilities[np.arange(count)[:, None], order[:, :top]]).tolist()
    sizes = nothing if sets is None else np.count_nonzero(sets, axis=1).tolist()
    told = zip(
        named,
        best,
        sizes,
        nothing if unknown is None else unknown.tolist(),
        nothing if novelty is None else figures(novelty).tolist(),
        answers.warnings or [""] * count,
        strict=True,
    )
    return [
        {
            "label": labels[0],
            "probability": values[0],
            "classes": [{"label": label, "probability": value} for label, value in zip(labels, values, strict=False)],
            "set": None if size is None else labels[:size],
            "unknown": strange,
            "novelty": new,
            "warning": warning or None,
        }
        for labels, values, size, strange, new, warning in told
    ]
