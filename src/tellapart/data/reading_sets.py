"""A set of classes a picture, as the data room reads it. In: nothing. Out: LABEL_SET_READER. Next: reading_boxes.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tellapart.data.cells import Cells
from tellapart.data.conflicts import LabelConflict, label_conflicts
from tellapart.data.examples import SPLITS, Entry, Inspection, Listing, ReadOptions
from tellapart.data.label_sets import count_sets, disagree, set_notes, set_warnings
from tellapart.data.multilabel_table import class_columns, list_label_sets, set_rows, written_here
from tellapart.data.reader import CorrectionCells, OwnCounts, TaskReader
from tellapart.data.reading_classes import CLASS_READER
from tellapart.data.table import TableRow, read_cells
from tellapart.data.targets import ClassNames, Target

LEAVE_OUT = "-"  # in a cell of corrections, where nothing means none of the classes


def _finds(cells: Cells) -> bool:
    """A column labels, or at least two columns of 0 and 1. Raises: DataError where two of them are called the same."""
    names = [name.casefold() for name in cells.header]
    if "label" in names or "path" not in names:
        return False
    if "labels" in names:
        return True
    found = class_columns(cells)
    return len(found.places) + (found.doubtful is not None) > 1


def _table(cells: Cells, ignored: Counter[str], options: ReadOptions) -> Listing:
    listing = list_label_sets(cells, ignored, options.separator)
    return listing if options.task is None else replace(listing, notes=listing.notes[1:])


def _conflicts(
    entries: Sequence[Entry], inspections: Sequence[Inspection], copies: Sequence[int], joined: Sequence[int]
) -> tuple[LabelConflict, ...]:
    return label_conflicts(entries, inspections, joined, disagree=disagree)


def _count(listing: Listing, inspections: Sequence[Inspection], groups: Sequence[str]) -> OwnCounts:
    pictures = zip(listing.entries, inspections, groups, strict=True)
    own = [
        (entry.target, group, entry.split or "")
        for entry, inspection, group in pictures
        if not inspection.problem and isinstance(entry.target, ClassNames)
    ]
    counts = count_sets(
        [target for target, _, _ in own],
        [group for _, group, _ in own],
        [split for _, _, split in own],
        listing.classes,
    )
    return OwnCounts(
        name="sets",
        record=counts.as_json(),
        class_warnings=tuple(set_warnings(counts, least=len(SPLITS))),
        notes=tuple(set_notes(counts)),
    )


def _corrected_rows(cells: Cells, separator: str | None) -> Sequence[TableRow]:
    return set_rows(cells, written_here(cells, separator)).rows


def _added(path: Path, separator: str | None) -> Listing:
    """The pictures that a table of corrections adds. Raises: DataError, StorageError."""
    ignored: Counter[str] = Counter()
    cells = read_cells(path, ignored)
    return list_label_sets(cells, ignored, written_here(cells, separator))


def _corrected(rows: Sequence[TableRow], listing: Listing) -> list[Target | None]:
    """What each row says; None: leave the picture out."""
    leaves_out = LEAVE_OUT not in listing.classes
    return [
        None if leaves_out and row.label == LEAVE_OUT else ClassNames.read(row.label).renamed(listing.merged)
        for row in rows
    ]


LABEL_SET_READER = TaskReader(
    name="multilabel",
    finds=_finds,
    table=_table,
    separated=True,
    conflicts=_conflicts,
    count=_count,
    words=CLASS_READER.words,
    corrections=CorrectionCells(
        rows=_corrected_rows,
        targets=_corrected,
        added=_added,
        leave_out=f"An empty cell is none of them; {LEAVE_OUT} leaves the picture out.",
        hint=f"{LEAVE_OUT} leaves the picture out, empty is none of the classes",
    ),
)
