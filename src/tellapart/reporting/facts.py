"""What a report says, as plain values. In: nothing. Out: Report and its parts. Next: advice.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.reporting.pictures import Sprites

Advice = tuple[str, dict[str, Any]]  # a phrase's key and its values


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A score with its 95 % interval; the ends are None where none can be had."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One picture on the page."""

    name: str  # of its file
    picture: str | None  # address; None where the file is gone
    label: str
    predicted: str = ""
    probability: float | None = None  # of `predicted`
    heat: str | None = None  # address of the picture under its heatmap


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer in one sentence, and what belongs to it."""

    accuracy: Figure
    n_test: int
    baseline: float  # share of the most common class
    baseline_label: str
    too_small: bool
    leaked: int  # test pictures with a copy in another split
    clean: Figure | None  # the accuracy on the others
    n_clean: int
    compared: Sequence[tuple[str, float, float]]  # strategy, log loss, accuracy; the one that is kept first
    advice: Sequence[Advice]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """One class: how many pictures, how well recognised."""

    name: str
    train: int
    validation: int
    test: int
    recall: Figure | None
    precision: float | None
    f1: float | None


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
    leaks: Sequence[Sequence[Shown]]
    n_leaks: int
    two_labels: Sequence[Sequence[Shown]]
    n_two_labels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningPart:
    """How it was trained; charts are SVG text."""

    strategy: str
    epochs: int  # 0 for a probe
    best_epoch: int
    charts: Sequence[
        tuple[str, str, Sequence[tuple[str, int, bool]]]
    ]  # phrase key or a figure's own name, SVG, legend (text, colour, dashed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A class that is often taken for another."""

    label: str
    predicted: str
    count: int
    pictures: Sequence[Shown]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """The confusion matrix: cells where there are few classes, an image of them where there are many."""

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
    lead: tuple[str, dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsPart:
    """How good it is."""

    scores: Sequence[tuple[str, Figure]]  # phrase key and figure
    confusion: Confusion
    classes: Sequence[ClassRow]  # at most as many as a person reads; the worst first where some are left out
    pairs: Sequence[Pair]
    mistakes: int
    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsPart:
    """What the label doctor found."""

    n: int  # pictures looked at
    n_all: int
    wrong: Sequence[Shown]  # `predicted` is the class that it rather is
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
    names: Sequence[str]
    classes: Sequence[str]
    sprites: Sprites


@dataclass(frozen=True, slots=True, kw_only=True)
class AbstentionPart:
    """Sets of classes, and pictures that are called unknown."""

    wanted: float
    measured: Figure
    size: float  # classes in a set, mean
    unknown: float | None  # share of the test pictures; None where the validation split was too small to tell
    calibrated_on: int  # validation pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutPart:
    """Where it came from."""

    facts: Sequence[tuple[str, str]]  # phrase key, text
    versions: Sequence[tuple[str, str]]
    model: str
    missing: int  # pictures that are gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole report."""

    name: str
    made: str  # date and time
    verdict: Verdict
    data: DataPart
    learning: LearningPart
    results: ResultsPart
    mistakes: Sequence[Shown]
    heated: bool  # the mistakes have heatmaps
    labels: LabelsPart | None
    map: MapPart | None
    abstention: AbstentionPart | None
    about: AboutPart
