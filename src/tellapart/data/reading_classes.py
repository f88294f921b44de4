"""One class a picture, as the data room reads it. In: nothing. Out: CLASS_READER. Next: reading_sets.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tellapart.data.cells import Cells
from tellapart.data.class_table import list_single_labels
from tellapart.data.conflicts import LabelConflict, label_conflicts
from tellapart.data.examples import Entry, Inspection, Listing
from tellapart.data.reader import AuditWords, CorrectionCells, TaskReader
from tellapart.data.table import TableRow, read_table, rows_with
from tellapart.data.targets import ClassName, Target


def _finds(cells: Cells) -> bool:
    """Whatever no other reader finds something in."""
    return True


def _differ(targets: Iterable[Target]) -> bool:
    return len(set(targets)) > 1


def _conflicts(
    entries: Sequence[Entry], inspections: Sequence[Inspection], copies: Sequence[int], joined: Sequence[int]
) -> tuple[LabelConflict, ...]:
    return label_conflicts(entries, inspections, joined, disagree=_differ)


def corrected_rows(cells: Cells, separator: str | None) -> Sequence[TableRow]:
    """The rows of a table with path,label."""
    return rows_with(cells, "label")


def corrected(rows: Sequence[TableRow], listing: Listing) -> list[Target | None]:
    """What each row says; None: leave it out."""
    # Cells come without the spaces at their ends, which a folder's name may have.
    named = {**listing.merged, **{label.strip(): label for label in reversed(listing.classes)}}
    return [ClassName(named.get(row.label, row.label)) if row.label else None for row in rows]


def _added(table: Path, separator: str | None) -> Listing:
    return read_table(table)


CLASS_READER = TaskReader(
    name="classification",
    finds=_finds,
    table=list_single_labels,
    conflicts=_conflicts,
    words=AuditWords(
        one="label",
        several="labels",
        contradiction="TWO LABELS: {} the same picture stands under different labels",
        rare_class=", or train with --class-weights balanced.",
    ),
    corrections=CorrectionCells(
        rows=corrected_rows,
        targets=corrected,
        added=_added,
        leave_out="An empty label leaves the picture out.",
        hint="empty leaves the picture out",
    ),
)
