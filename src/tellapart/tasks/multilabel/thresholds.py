"""From which probability on a class is named. In: validation probabilities, targets. Out: ClassThresholds. Next: abstaining.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import SettingsError
from tellapart.evaluation.lines import best_f1, precise, ways_to_part

Doubles = NDArray[np.float64]

DEFAULT_THRESHOLD = 0.5  # where the validation split tells nothing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassThresholds:
    """A threshold a class: it is named where its probability is at least this."""

    values: Doubles  # [K], in [0, 1)
    rule: str  # "f1" or "precision 0.9"
    untold: tuple[int, ...]  # classes that no validation picture has, or none lacks: 0.5
    short: tuple[int, ...]  # classes that reach the wanted precision at no threshold: the one with the highest

    def warnings(self, classes: Sequence[str]) -> list[str]:
        """What a person should know, a sentence each; empty where all is well."""
        found = []
        if self.untold:
            found.append(
                f"No validation picture tells where to draw the line for {_names(self.untold, classes)}: all lack it, or "
                f"all have it. The threshold is {DEFAULT_THRESHOLD}. Add validation pictures with and without it."
            )
        if self.short:
            found.append(
                f"A {self.rule} is reached at no threshold on validation for {_names(self.short, classes)}. The threshold "
                "with the highest precision is taken. Add pictures, or ask for less."
            )
        return found


def choose_thresholds(
    probabilities: NDArray[np.floating], targets: NDArray[np.floating], *, precision: float | None = None
) -> ClassThresholds:
    """The threshold of each class with the best F1 on pictures that were not trained on, or the lowest one with a precision.

    `probabilities` is [n, K], `targets` [n, K] in {0, 1, NaN}; NaN counts neither way. Every way to part the pictures by
    their probability is tried, and the line is drawn midway between the two pictures that it parts, or between the least
    probable one and 0. Of ways with the same F1 the one nearest to half of it is taken: there the best threshold lies for
    perfect probabilities (Lipton, Elkan and Narayanaswamy 2014, arXiv 1402.1892, theorem 1). With `precision` in (0, 1]
    it is the lowest threshold whose precision is at least that, which has the highest recall; where none is, the one with
    the highest precision, of equal ones the lowest.
    Raises: SettingsError where `precision` is not in (0, 1].
    """
    if precision is not None and not 0 < precision <= 1:
        raise SettingsError(f"the precision is {precision:g}; it must be above 0 and at most 1. Give one such as 0.9.")
    count = probabilities.shape[1]
    values, untold, short = np.full(count, DEFAULT_THRESHOLD), [], []
    for number in range(count):
        known = ~np.isnan(targets[:, number])
        present = targets[known, number] == 1
        if not present.any() or present.all():
            untold.append(number)
            continue
        lines, right, named = ways_to_part(probabilities[known, number].astype(np.float64), present)
        if precision is None:
            values[number] = best_f1(lines, 2 * right / (named + present.sum()))
        else:
            values[number], reached = precise(lines, right / named, precision)
            short += [] if reached else [number]
    rule = "f1" if precision is None else f"precision {precision:g}"
    return ClassThresholds(values=values, rule=rule, untold=tuple(untold), short=tuple(short))


def _names(numbers: Sequence[int], classes: Sequence[str]) -> str:
    shown = ", ".join(repr(classes[number]) for number in numbers[:5])
    return shown + (f" and {len(numbers) - 5} more classes" if len(numbers) > 5 else "")
