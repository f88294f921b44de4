"""What the report of boxes says besides what every report says. In: nothing. Out: its parts. Next: results.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tellapart.bundle import Score
from tellapart.reporting.facts import Chart, CrossTable, Said, Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxRow:
    """One class: how many boxes, how well they are found. None where a figure is not defined."""

    name: str
    train: int  # boxes; here as below those that count, neither difficult nor around a crowd
    validation: int
    test: int
    pictures: int  # of the test split that show one
    threshold: float
    precision: float | None
    recall: float | None
    f1: float | None
    ap50: Score | None
    ap: float | None
    count_miss: float | None  # boxes that a picture's count is off by, on average


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """One kind of error."""

    kind: str  # of error_kinds.KINDS
    number: int
    lost: float | None  # average precision at IoU 0.5 that it costs


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxesVerdictPart:
    """How good it is in one sentence, and what belongs to it."""

    score: Score  # AP50
    n_test: int
    boxes: int
    precision: float | None  # of the boxes told
    recall: float | None
    count_error: float | None
    too_small: bool
    leaked: int  # test pictures with a copy in another split
    clean: Score | None  # of the others
    n_clean: int
    compared: Sequence[tuple[str, float, float]]  # strategy, AP, AP50 on validation; the kept one first
    advice: Sequence[Said]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxesResultsPart:
    """How good it is, in detail."""

    scores: Sequence[tuple[str, Score]]  # phrase key and figure
    classes: Sequence[BoxRow]  # at most as many as a person reads; the worst first where some are left out
    errors: Sequence[ErrorRow]  # the costliest first
    confusion: CrossTable  # with the background as the last class
    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPart:
    """Test pictures with boxes drawn on them."""

    sample: Sequence[Shown]
    false: Sequence[Shown]  # the surest boxes that are wrong
    missed: Sequence[Shown]  # the largest true boxes that were not found
    n: int  # test pictures
    n_false: int  # of all of them
    n_missed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxDoubtsPart:
    """Boxes of the test split that look wrongly annotated."""

    n: int  # pictures looked at
    n_all: int  # that could be read, of every split
    counts: Sequence[tuple[str, int]]  # fault and how many, the most frequent first
    shown: Sequence[Shown]
    judged: int  # boxes
