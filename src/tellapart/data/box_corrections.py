"""Boxes that a person corrected, in a table. In: Cells, or a CSV's path. Out: rows, targets, a Listing. Next: reading_boxes.py.

A column `boxes` (or `label`, as examples.csv of a run has it) with a JSON list of [label, left, top, right, bottom] in pixels of
the upright picture: what `tellapart serve --corrections` writes. `[]` is a picture without boxes, an empty cell leaves it out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tellapart.data.cells import Cells, named_rows
from tellapart.data.examples import Listing
from tellapart.data.reader import CorrectionCells
from tellapart.data.table import TableRow, make_listing, read_cells, rows_with
from tellapart.data.targets import Boxes, Target
from tellapart.errors import DataError

COLUMN = "boxes"


def corrected_rows(cells: Cells, separator: str | None) -> list[TableRow]:
    """The rows of a table of corrections; each cell that says something reads as boxes. Raises: DataError with row numbers."""
    if separator is not None:
        raise DataError(
            f"the table {str(cells.path)!r} has boxes as JSON, in which nothing else is separated. Leave --label-separator out."
        )
    names = [name.casefold() for name in cells.header]
    rows = rows_with(cells, COLUMN if COLUMN in names or "label" not in names else "label")
    wrong = [row for row in rows if row.label and not _reads(row.label)]
    if wrong:
        same = [row.number for row in wrong if row.label == wrong[0].label]
        raise DataError(
            f"the table {str(cells.path)!r} has {wrong[0].label[:60]!r} in {named_rows(same)}, which is no JSON list of [label, "
            "left, top, right, bottom] with left under right and top under bottom. Correct it; [] is a picture without boxes."
        )
    return rows


def corrected_boxes(rows: Sequence[TableRow], listing: Listing) -> list[Target | None]:
    """What each row says; None: leave the picture out."""
    return [Boxes.read(row.label).renamed(listing.merged) if row.label else None for row in rows]


def added_boxes(path: Path, separator: str | None) -> Listing:
    """List the pictures that a table of corrections adds, sorted by path, each with its boxes. Raises: DataError, StorageError."""
    ignored: Counter[str] = Counter()
    cells = read_cells(path, ignored)
    return make_listing(
        cells, corrected_rows(cells, separator), ignored, kind=Boxes, task="detection", filled=("path", "label")
    )


def _reads(text: str) -> bool:
    try:
        boxes = Boxes.read(text).boxes
    except (ValueError, TypeError, RecursionError):
        return False
    return all(
        box.label.strip()
        and all(map(math.isfinite, (box.left, box.top, box.right, box.bottom)))
        and box.left < box.right
        and box.top < box.bottom
        for box in boxes
    )


BOX_CELLS = CorrectionCells(
    rows=corrected_rows,
    targets=corrected_boxes,
    added=added_boxes,
    leave_out="An empty cell leaves the picture out; [] is a picture without boxes.",
    hint="empty leaves the picture out, [] is a picture without boxes",
)
