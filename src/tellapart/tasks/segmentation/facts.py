"""What the report of masks says besides what every report says. In: nothing. Out: its parts. Next: results.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tellapart.bundle import Score
from tellapart.reporting.facts import Chart, CrossTable, Said, Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaRow:
    """One class: how much there is of it, how well it is told. None where a figure is not defined."""

    name: str
    train: int  # pictures that show it
    validation: int
    test: int
    share: float | None  # of the training pictures' pixels
    pixels: int  # of the test split
    iou: Score | None
    dice: float | None
    precision: float | None
    recall: float | None
    boundary_f1: float | None
    hausdorff95: float | None  # pixels
    parts: int | None  # connected ones, of the test split; a background has none
    told_parts: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MasksVerdictPart:
    """How good it is in one sentence, and what belongs to it."""

    score: Score  # mean IoU
    n_test: int
    dice: float | None
    accuracy: float | None
    common: tuple[str, float]  # the class that could be told everywhere, and the mean IoU of that
    probe: float | None  # mean IoU of the pixel probe, where another network won
    too_small: bool
    leaked: int  # test pictures with a copy in another split
    clean: Score | None  # of the others
    n_clean: int
    compared: Sequence[tuple[str, float, float]]  # strategy, IoU, Dice on validation; the kept one first
    advice: Sequence[Said]


@dataclass(frozen=True, slots=True, kw_only=True)
class MasksResultsPart:
    """How good it is, in detail."""

    scores: Sequence[tuple[str, Score]]  # phrase key and figure, a share each
    distance: Score | None  # Hausdorff's of 95 %, pixels
    tolerance: int  # pixels
    count_error: float | None
    classes: Sequence[AreaRow]  # at most as many as a person reads; the worst first where some are left out
    confusion: CrossTable  # pixels
    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMasks:
    """Test pictures under their masks."""

    sample: Sequence[Shown]
    worst: Sequence[Shown]
    best: Sequence[Shown]
    n: int  # test pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskDoubtsPart:
    """Regions of the test split that look wrongly labelled."""

    n: int  # pictures looked at
    counts: Sequence[tuple[str, int]]  # fault and how many, the most frequent first
    shown: Sequence[Shown]
