"""What the data room must know of a task: plain functions by name. In: nothing. Out: TaskReader. Next: reading_classes.py.

A reader says which tables are read so, how they and folders become a listing, what the audit counts and says of the targets, and
how a person corrects them. Everything else in the room asks it, and knows no task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tellapart.bundle import TaskName
from tellapart.data.cells import Cells
from tellapart.data.conflicts import LabelConflict
from tellapart.data.copies import Copies, find_copies
from tellapart.data.examples import Entry, Inspection, Listing, ReadOptions
from tellapart.data.other_tasks import OtherTask
from tellapart.data.remembered import Memory
from tellapart.data.table import TableRow
from tellapart.data.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCounts:
    """What the audit counts of one kind of target beside pictures of each class, and says of it."""

    name: str  # its key in the audit's JSON
    record: Mapping[str, Any]  # ready for JSON; with `pictures`, split ("" for not given) -> usable pictures
    target_warnings: tuple[str, ...] = ()  # on the targets themselves, told first
    class_warnings: tuple[str, ...] = ()  # on the classes, told after their names
    notes: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()  # a table for a person, under that of pictures of each class


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditWords:
    """How the audit calls what is known of a picture."""

    one: str  # label
    several: str  # labels
    contradiction: str  # two copies of a picture of which one must be wrong; {} is exactly or nearly
    between: str = ", "  # two of them
    item: str = "picture"  # what has it
    lone_class: str = (
        "Add pictures of another class, in a folder (or with a label) of their own."  # what helps one alone
    )
    no_picture: str = "Add pictures as CLASS/picture.jpg."  # what helps a data set without one
    rare_class: str = "."  # what helps a class of few pictures beside adding some


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionCells:
    """How a table of corrections says what a picture is."""

    rows: Callable[[Cells, str | None], Sequence[TableRow]]  # of a table, with what stands between names in a cell
    targets: Callable[[Sequence[TableRow], Listing], Sequence[Target | None]]  # None: the picture is left out
    added: Callable[[Path, str | None], Listing]  # the table of pictures that are added
    leave_out: str  # how a picture is left out, a sentence
    hint: str  # the same as the end of one


class FindConflicts(Protocol):
    """Copies of one picture whose targets cannot all be right."""

    def __call__(
        self, entries: Sequence[Entry], inspections: Sequence[Inspection], copies: Sequence[int], joined: Sequence[int]
    ) -> tuple[LabelConflict, ...]:
        """Of N entries, by their clusters: those of `copies` [N] alone, and those with augmented ones `joined` [N]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """With what the targets' own files are opened."""

    workers: int | None = None  # threads; None: one a core
    remembered: Memory | None = None  # what was learnt of them before
    advance: Callable[[int], object] = int  # hears how many more are done


ALONE = Opening()


class SettleTargets(Protocol):
    """The targets in the pixels of pictures that were opened, and the inspections of those that stay."""

    def __call__(
        self, listing: Listing, inspections: Sequence[Inspection], opening: Opening = ALONE
    ) -> tuple[Listing, Sequence[Inspection]]:
        """`inspections` in the order of the entries. Raises: DataError."""
        ...


def as_listed(
    listing: Listing, inspections: Sequence[Inspection], opening: Opening = ALONE
) -> tuple[Listing, Sequence[Inspection]]:
    """Both as they are: what is known of a whole picture is known before it is opened."""
    return listing, inspections


def only_labels(cells: Cells) -> bool:
    """A table beside pictures is read where a column of it is called as classes are, and not else."""
    return False


def nothing_alone(path: Path, options: ReadOptions) -> None:
    """A table is a table."""


def picture_copies(listing: Listing, inspections: Sequence[Inspection]) -> Copies:
    """Copies of pictures, by what they show."""
    return find_copies(inspections)


def nothing_more(listing: Listing, inspections: Sequence[Inspection], groups: Sequence[str]) -> None:
    """No counts beside those of pictures of each class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReader:
    """How the data of one task are found, read, looked at and corrected."""

    name: TaskName
    finds: Callable[[Cells], bool]  # whether a table of which nobody told the task is read so
    table: Callable[[Cells, Counter[str], ReadOptions], Listing]  # what was passed over is counted
    # Whether a table beside its pictures is read so, though no column is called as classes are.
    beside: Callable[[Cells], bool] = only_labels
    # A folder of which the task is told, or one that was refused as folders of classes since it looks like this task's.
    # None: such a data set is a table, or folders of classes.
    folder: Callable[[Path, ReadOptions, OtherTask | None], Listing] | None = None
    # A file that is read so whatever kind of table its name says; None: it is not.
    alone: Callable[[Path, ReadOptions], Listing | None] = nothing_alone
    encoded: bool = False  # its folders hold files in an encoding, which --encoding tells
    separated: bool = False  # several names stand in one cell, which --label-separator cuts
    # How what is listed is looked at; None: as pictures are, which are files.
    look: Callable[[Listing, Opening], tuple[Listing, Sequence[Inspection]]] | None = None
    copies: Callable[[Listing, Sequence[Inspection]], Copies] = picture_copies
    settle: SettleTargets = as_listed
    own_files: str = ""  # how their files are called that are opened meanwhile; "": they have none
    conflicts: FindConflicts
    # Of the listing, its inspections and the group of each entry.
    count: Callable[[Listing, Sequence[Inspection], Sequence[str]], OwnCounts | None] = nothing_more
    words: AuditWords
    least_classes: int = 2  # that a data set must name
    valued: bool = False  # its targets hold values, which --classes and --ignore-label are about
    of_whole_pictures: bool = True  # what is known is of the whole picture, so that a crop of its middle may lose it
    corrections: CorrectionCells | None  # None: a table cannot say what such a picture is
