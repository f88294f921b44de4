"""What a classifier's report says besides what every report says. In: nothing. Out: its parts. Next: results.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tellapart.bundle import Score
from tellapart.reporting.facts import Chart, ClassRow, CrossTable, Pair, Said


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictPart:
    """How good it is in one sentence, and what belongs to it."""

    accuracy: Score
    n_test: int
    baseline: float  # share of the most common class
    baseline_label: str
    too_small: bool
    leaked: int  # test pictures with a copy in another split
    clean: Score | None  # the accuracy on the others
    n_clean: int
    compared: Sequence[tuple[str, float, float]]  # strategy, log loss, accuracy; the one that is kept first
    advice: Sequence[Said]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsPart:
    """How good it is, in detail."""

    scores: Sequence[tuple[str, Score]]  # phrase key and figure
    confusion: CrossTable | None  # of so many classes that nobody could look at it, none
    classes: Sequence[ClassRow]  # at most as many as a person reads; the worst first where some are left out
    pairs: Sequence[Pair]
    mistakes: int
    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True, kw_only=True)
class AbstentionPart:
    """Sets of classes, and pictures that are called unknown."""

    wanted: float
    measured: Score
    useful: float  # the largest mean size of a set that helps anybody
    size: float  # classes in a set, mean
    unknown: float | None  # share of the test pictures; None where the validation split was too small to tell
    calibrated_on: int  # validation pictures
