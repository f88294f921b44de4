"""A table without a header whose rows are boxes. In: Cells. Out: the same, its columns named. Next: columns.py.

Many a tutorial has rows of path, four numbers and a class, the class last or after the path; a picture without boxes leaves the
other cells empty.
"""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.data.cells import Cells, named_rows
from tellapart.errors import DataError

_COLUMNS = 6  # a path, four numbers, a class
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def with_box_names(cells: Cells) -> Cells:
    """The table with its columns called path, xmin, ymin, xmax, ymax, label where its rows are boxes; else as it is.

    Raises: DataError where the numbers are no corners, since nothing says what they are.
    """
    columns = len(cells.header)
    if columns != _COLUMNS:
        return cells
    rows = [(number, row) for number, row in cells.rows() if any(row[1:])]
    numeric = [all(_is_number(row[place]) for _, row in rows) for place in range(columns)]
    if not rows or numeric[0]:
        return cells
    if all(numeric[1:5]):
        order = ("path", *_CORNERS, "label")
    elif all(numeric[2:6]):
        order = ("path", "label", *_CORNERS)
    else:
        return cells
    _check_corners(cells, rows, order.index("xmin"))
    note = f"{cells.path}: no header; read as {','.join(order)}. Give it a header if that is wrong."
    return cells.renamed(order, notes=[note])


def _check_corners(cells: Cells, rows: Sequence[tuple[int, list[str]]], first: int) -> None:
    """Raises: DataError where right is left of left, or lower above upper, in more than a tenth of the rows."""
    wrong = []
    for number, row in rows:
        left, top, right, bottom = (float(cell) for cell in row[first : first + 4])
        if right < left or bottom < top:
            wrong.append(number)
    if len(wrong) * 10 > len(rows):
        raise DataError(
            f"the table {str(cells.path)!r} has no header, and its four numbers are no left, top, right and bottom in "
            f"{named_rows(wrong)}. Say what they are in a first row: path,xmin,ymin,xmax,ymax,label, or path,x,y,w,h,label."
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
