"""What the report of sets says besides what every report says. In: nothing. Out: its parts. Next: results.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tellapart.bundle import Score
from tellapart.reporting.facts import Chart, CrossTable, Said, Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """One class: how many pictures show it, how well it is found."""

    name: str
    train: int
    validation: int
    test: int
    threshold: float
    precision: float | None
    recall: Score | None
    f1: float | None
    average_precision: float | None
    auroc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsVerdictPart:
    """How good it is in one sentence, and what belongs to it."""

    score: Score  # mean average precision
    n_test: int
    none: tuple[float, float]  # of always answering with no class: mean average precision, share wholly right
    common: tuple[Sequence[str], float, float] | None  # the same of the most common set; None where that is empty
    too_small: bool
    leaked: int  # test pictures with a copy in another split
    clean: Score | None  # of the others
    n_clean: int
    compared: Sequence[tuple[str, float, float]]  # strategy, log loss, mean average precision; the kept one first
    advice: Sequence[Said]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsResultsPart:
    """How good it is, in detail."""

    scores: Sequence[tuple[str, Score]]  # phrase key and figure
    together: CrossTable  # which classes come together
    said_together: CrossTable  # which are named together
    classes: Sequence[LabelRow]  # at most as many as a person reads; the worst first where some are left out
    unknown_cells: int  # labels of test pictures that are not known
    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True, kw_only=True)
class MistakesPart:
    """The labels that the model was surest about and wrong."""

    missed: Sequence[Shown]  # `predicted` is the class, `probability` its own
    false: Sequence[Shown]
    heated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPart:
    """From what probability on a class is named, and which pictures are called unknown."""

    precision: float | None  # that was asked for; None: the best F1
    unknown: float | None  # share of the test pictures; None where the validation split was too small to tell
    calibrated_on: int  # validation pictures
