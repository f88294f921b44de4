"""What a detector's scores mean, and from which on a box is told. In: ClassMatches. Out: Decided. Next: export.py.

A found box is right where its IoU with a true box of its class, which no more certain one has, is at least 0.5. K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import SettingsError
from tellapart.evaluation.lines import best_f1, precise, ways_to_part
from tellapart.evaluation.platt import fit_scale_and_offset, sigmoid
from tellapart.tasks.detection.matching import ClassMatches

Doubles = NDArray[np.float64]

FEWEST = 5  # right boxes of a class in validation, and as many wrong ones; with fewer its scores stay as they are
DEFAULT_THRESHOLD = 0.5  # where the validation split tells nothing
_LEAST = 1e-6  # from 0 and 1, of a score whose logit is taken


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decided:
    """A scale, an offset and a threshold a class: a box is told where sigmoid(scale * logit + offset) is at least that."""

    scales: Doubles  # [K], above 0
    offsets: Doubles  # [K]
    thresholds: Doubles  # [K], of calibrated scores
    rule: str  # "f1" or "precision 0.9"
    uncalibrated: tuple[int, ...]  # classes with too few boxes in validation: scale 1, offset 0
    untold: tuple[int, ...]  # classes of which validation has no box, or nothing was found: 0.5
    short: tuple[int, ...]  # classes that reach the wanted precision at no threshold: the one with the highest

    def scores(self, scores: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.float32]:
        """Calibrated scores [n] of scores [n] of boxes of the classes `labels` [n]."""
        return np.asarray(sigmoid(self.scales[labels] * logits(scores) + self.offsets[labels]), dtype=np.float32)

    def warnings(self, classes: Sequence[str]) -> list[str]:
        """What a person should know, a sentence or two each; empty where all is well."""
        found = []
        if self.uncalibrated:
            found.append(
                f"Fewer than {FEWEST} boxes of {_names(self.uncalibrated, classes)} are right or wrong on validation, too few to "
                "calibrate their scores. Add validation pictures that show them."
            )
        if self.untold:
            found.append(
                f"No validation picture tells where to draw the line for {_names(self.untold, classes)}: none shows it, or "
                f"nothing was found. The threshold is {DEFAULT_THRESHOLD}. Add validation pictures that show it."
            )
        if self.short:
            found.append(
                f"A {self.rule} is reached at no threshold on validation for {_names(self.short, classes)}. The threshold "
                "with the highest precision is taken. Add pictures, or ask for less."
            )
        return found


def decide(matches: Sequence[ClassMatches], *, precision: float | None = None) -> Decided:
    """By what was found in pictures that were not trained on, class by class, with scores as the network gives them.

    The threshold is the one with the best F1, missed boxes counted, or with `precision` in (0, 1] the lowest whose precision is at
    least that. Difficult boxes count neither way. Raises: SettingsError where `precision` is not in (0, 1].
    """
    if precision is not None and not 0 < precision <= 1:
        raise SettingsError(f"the precision is {precision:g}; it must be above 0 and at most 1. Give one such as 0.9.")
    count = len(matches)
    scales, offsets, thresholds = np.ones(count), np.zeros(count), np.full(count, DEFAULT_THRESHOLD)
    uncalibrated, untold, short = [], [], []
    for number, one in enumerate(matches):
        counts = ~one.ignored[0, 0]
        right, values = one.matched[0, 0][counts], logits(one.scores[counts])
        if min(int(right.sum()), int((~right).sum())) < FEWEST:
            uncalibrated.append(number)
        else:
            scales[number], offsets[number] = fit_scale_and_offset(values, right)
        wanted = int(one.positives[0].sum())
        if not wanted or not right.any():
            untold.append(number)
            continue
        lines, hits, named = ways_to_part(sigmoid(scales[number] * values + offsets[number]), right)
        if precision is None:
            thresholds[number] = best_f1(lines, 2 * hits / (named + wanted))
        else:
            thresholds[number], reached = precise(lines, hits / named, precision)
            short += [] if reached else [number]
    return Decided(
        scales=scales,
        offsets=offsets,
        thresholds=thresholds,
        rule="f1" if precision is None else f"precision {precision:g}",
        uncalibrated=tuple(uncalibrated),
        untold=tuple(untold),
        short=tuple(short),
    )


def logits(scores: NDArray[np.floating]) -> Doubles:
    """log(p / (1 - p)) of scores [n] in [0, 1], none infinite."""
    kept = np.asarray(scores, dtype=np.float64).clip(_LEAST, 1 - _LEAST)
    return np.asarray(np.log(kept / (1 - kept)))


def _names(numbers: Sequence[int], classes: Sequence[str]) -> str:
    shown = ", ".join(repr(classes[number]) for number in numbers[:5])
    return shown + (f" and {len(numbers) - 5} more classes" if len(numbers) > 5 else "")
