"""A table of one class a picture, and what else it may be. In: Cells. Out: Listing. Next: multilabel_table.py."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tellapart.bundle import TaskName
from tellapart.data.cells import Cells
from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.label_shapes import check_labels
from tellapart.data.set_cells import SEPARATOR
from tellapart.data.table import list_classes
from tellapart.errors import DataError


def list_single_labels(cells: Cells, ignored: Counter[str], options: ReadOptions) -> Listing:
    """The listing of a table that is open already, sorted by path.

    Raises: DataError with row numbers where the table breaks a rule, its labels are numbers that measure something, or a separator
    was told.
    """
    if options.separator is not None:
        raise DataError(
            f"the table {str(cells.path)!r} gives each picture one class, which --label-separator {options.separator!r} does not "
            f"cut. Leave it out{'' if options.task_of_model else ', or give --task multilabel'}."
        )
    return _read_classes(cells, ignored, options.task)


def _read_classes(cells: Cells, ignored: Counter[str], told: TaskName | None) -> Listing:
    names = [name.casefold() for name in cells.header]
    if "label" not in names and "labels" in names:
        return _read_single_labels(cells, ignored)
    listing = list_classes(cells, ignored)
    notes = list(listing.notes)
    if told is None:
        notes.append(check_labels(cells.path, [entry.target.text for entry in listing.entries]))
        if "labels" in names:
            what = "it has a column label and a column labels: label is read, one class a picture. --task multilabel reads labels."
            notes.append(f"{cells.path}: {what}")
    return replace(listing, notes=tuple(note for note in notes if note))


def _read_single_labels(cells: Cells, ignored: Counter[str]) -> Listing:
    """The column labels, of which the task says that each cell is one name."""
    listing = list_classes(cells, ignored, "labels")
    several = [name for name in listing.classes if SEPARATOR in name]
    if several:
        raise DataError(
            f"the table {str(cells.path)!r} has {several[0]!r} in the column 'labels', which names several classes, but the task "
            "is classification. Give --task multilabel, or rename the column to label if it is one name."
        )
    return listing
