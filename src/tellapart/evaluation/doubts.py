"""Labels to look at again, in names. In: a task's label doctor. Out: NamedDoubt, Doubted. Next: workflows/labels.py."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDoubt:
    """One picture to look at. Probabilities are NaN where no classifier could judge it."""

    row: int  # into the pictures that were examined
    kind: str  # label, outlier or ambiguous; of boxes missing, class, place or nothing
    label: str  # as given, in a table's words
    suggested: str
    probability_of_label: float  # [0, 1]
    probability_of_suggested: float  # [0, 1]
    score: float  # [0, 1], most suspicious 1
    told: str = ""  # what may be wrong, where that is more than the suggestion says at a glance


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubted:
    """Every doubtful picture once, under the first kind that fits it; each kind most suspicious first."""

    wrong: tuple[NamedDoubt, ...]  # the label is probably wrong
    outliers: tuple[NamedDoubt, ...]  # unlike all other pictures
    ambiguous: tuple[NamedDoubt, ...]  # two answers are nearly equally probable
    judged: int  # pictures that a classifier could judge without having seen them
    agreement: float | None  # share of the judged labels that the classifier would have given too
    lead: str = ""  # how they were judged and what was not, where it is more than these numbers say

    @property
    def doubts(self) -> tuple[NamedDoubt, ...]:
        """All of them, wrong labels first."""
        return (*self.wrong, *self.outliers, *self.ambiguous)
