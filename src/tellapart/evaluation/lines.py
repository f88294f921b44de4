"""Where to draw a line between yes and no. In: probabilities, what is true. Out: a line. Next: chance.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def ways_to_part(probabilities: Doubles, present: NDArray[np.bool_]) -> tuple[Doubles, Doubles, Doubles]:
    """Every line between n things, the lowest first; how many above it are `present` [n], and how many there are, [L] each.

    A line is midway between the two that it parts, or between the least probable one and 0; a thing is above it from it on.
    """
    levels, level_of = np.unique(probabilities, return_inverse=True)
    named = np.cumsum(np.bincount(level_of)[::-1])[::-1].astype(np.float64)
    right = np.cumsum(np.bincount(level_of[present], minlength=len(levels))[::-1])[::-1].astype(np.float64)
    below = np.concatenate([[0.0], levels[:-1]])
    # Answers compare in single precision, in which there may be no number between two pictures.
    middle = ((below + levels) / 2).astype(np.float32).astype(np.float64)
    return np.where(middle > below, middle, levels), right, named


def best_f1(lines: Doubles, scores: Doubles) -> float:
    """The line [L] with the best of the F1 `scores` [L]; of equal ones that nearest to half of it.

    There the best threshold lies for perfect probabilities: Lipton, Elkan and Narayanaswamy 2014, arXiv 1402.1892, theorem 1.
    """
    best = scores.max()
    equal = lines[scores >= best - 1e-12]
    return float(equal[np.abs(equal - best / 2).argmin()])


def precise(lines: Doubles, precisions: Doubles, wanted: float) -> tuple[float, bool]:
    """The lowest line whose precision is at least that, else the one with the highest; whether it has it."""
    enough = precisions >= wanted - 1e-12
    if enough.any():
        return float(lines[enough.argmax()]), True
    return float(lines[precisions.argmax()]), False
