"""What a report is made of, as plain values. In: nothing. Out: the parts of a report, pictures, charts. Next: blocks.py.

What has words in it holds the phrase's key and its values; sections.py says it in the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.bundle import Score
from tellapart.reporting.pictures import Sprites

Said = tuple[str, Mapping[str, Any]]  # a phrase's key and its values


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionLine:
    """One line under a picture."""

    text: str
    name: str = ""  # shown strongly, after the text
    share: str = ""  # after the name
    bad: bool = False  # the name is a mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One picture on the page."""

    name: str  # of its file
    picture: str | None  # address; None where the file is gone
    label: str
    predicted: str = ""
    probability: float | None = None  # of `predicted`
    heat: str | None = None  # address of the picture under its heatmap
    caption: tuple[CaptionLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """One class: how many pictures, how well recognised."""

    name: str
    train: int
    validation: int
    test: int
    recall: Score | None
    precision: float | None
    f1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A class that is often taken for another."""

    label: str
    predicted: str
    count: int
    pictures: Sequence[Shown]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossTable:
    """Classes against classes: cells where there are few, an image of them where there are many."""

    classes: Sequence[str]
    counts: Sequence[Sequence[int]]
    rates: Sequence[Sequence[float]]  # of each row
    image: str | None  # address of a picture with one pixel a cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart with its heading and its legend in the page's own words."""

    title: str  # phrase key
    svg: str
    legend: Sequence[tuple[str, int, bool]] = ()  # text, colour, dashed
    lead: Said | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldsPart:
    """What each of K folds found."""

    count: int  # K
    repeats: int
    pictures: int  # that were tested
    networks: int  # that the kept model is the mean of; 0: it is one more
    headline: str
    rows: Sequence[tuple[str, int, Score]]  # of each fold its name, pictures, and figure in [0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPart:
    """The pictures."""

    n: int
    n_classes: int
    splits: tuple[int, int, int]  # train, validation, test
    samples: Sequence[tuple[str, Sequence[Shown]]]  # a class and some of its pictures
    widths: tuple[int, int, int] | None  # least, most, median, pixels
    heights: tuple[int, int, int] | None
    formats: Sequence[tuple[str, int]]
    unreadable: Sequence[tuple[str, str]]  # file and reason, the first ones
    n_unreadable: int
    n_exact: int
    n_near: int  # clusters
    copies: Sequence[Sequence[Shown]]  # the first clusters
    n_augmented: int | None  # pictures; None: they were not looked for
    n_originals: int
    augmented: Sequence[Sequence[Shown]]  # the first clusters, each with its original first
    leaks: Sequence[Sequence[Shown]]
    n_leaks: int
    two_labels: Sequence[Sequence[Shown]]
    n_two_labels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningPart:
    """How it was trained."""

    epochs: int  # 0 for a probe
    best_epoch: int
    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsPart:
    """What the label doctor found; the pictures have their captions."""

    n: int  # pictures looked at
    n_all: int
    labels: int  # of these pictures: one each, or one for each class
    wrong: Sequence[Shown]
    outliers: Sequence[Shown]
    ambiguous: Sequence[Shown]
    counts: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPart:
    """Dots on a plane."""

    own: bool  # embeddings of the run's own network, which has learned the labels
    n: int
    n_all: int
    points: Sequence[tuple[int, int, int, int]]  # x and y from 0 to 1000, class, split
    names: Sequence[str]  # of the pictures' files, or the texts
    classes: Sequence[str]
    sprites: Sprites | None  # None of texts


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutPart:
    """Where it came from."""

    facts: Sequence[tuple[str, str]]  # phrase key, text
    versions: Sequence[tuple[str, str]]
    model: str
    missing: int  # pictures that are gone
