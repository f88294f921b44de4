"""What stands on the page, as plain values in the reader's words. In: nothing. Out: Report and its blocks. Next: sections.py.

A section is a title and blocks of few kinds, whatever the task; each kind is a macro of templates/blocks.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tellapart.bundle import Score
from tellapart.reporting.facts import CrossTable, MapPart, Shown

Legend = Sequence[tuple[str, int, bool]]  # text, colour (1 to SERIES), dashed


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A few sentences."""

    text: str
    tone: Literal["plain", "soft", "warning"] = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading within a section."""

    text: str
    count: str = ""  # of what follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A numbered list."""

    items: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names and what is to be said of them."""

    rows: Sequence[tuple[str, str]]
    command: tuple[str, str, str] | None = None  # the last row: its name, the model that predicts, and of what


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table. Its cells are texts; of an interval they are scores in [0, 1], or None."""

    name: str
    kind: Literal["text", "name", "number", "interval"] = "text"  # name: of a class, which may be long


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under named columns."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str | Score | None]]
    kept: int | None = None  # the row that stands out


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Classes against classes."""

    table: CrossTable
    title: str
    rows: str  # what the rows are
    columns: str
    off_is_wrong: bool = True  # what lies off the diagonal is a mistake, and coloured so


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Pictures that belong together."""

    pictures: Sequence[Shown]
    title: str = ""
    count: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Pictures. rows: groups with titles; boxes: groups in frames; strip: one group; cards: one group with room for captions;
    wide: one group, each as wide as its column and in its own shape, for pictures with something drawn on them; strips: the same,
    wider, for several beside each other in one.
    """

    layout: Literal["rows", "boxes", "strip", "cards", "wide", "strips"]
    groups: Sequence[Group]
    large: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnChart:
    """A chart, its title and what its lines are."""

    title: str
    svg: str
    legend: Legend = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """Charts side by side."""

    charts: Sequence[DrawnChart]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Dots that show their picture when pointed at."""

    part: MapPart
    title: str
    splits: tuple[str, str, str]  # train, validation, test
    more: str  # the last entry of the legend where there are more classes than colours


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A text word by word, each in the colour of what it says."""

    title: str
    words: Sequence[tuple[str, int]]  # a word with the blanks before it; from -3, much against, to 3, much for


Block = Paragraph | Heading | Steps | Facts | Table | Matrix | Pictures | Charts | Plane | Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page that can be jumped to."""

    key: str  # its anchor
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer in one sentence, and what belongs to it."""

    sentence: str
    score: Score  # the figure in it, in [0, 1]; drawn on a bar
    references: Sequence[tuple[float, str]]  # what costs nothing to reach, and a sentence on it
    doubt: str = ""  # why the figure says little
    warning: str = ""  # what flatters it
    note: str = ""  # what the figure is


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole report."""

    name: str
    made: str  # date and time
    verdict: Verdict
    sections: Sequence[Section]
