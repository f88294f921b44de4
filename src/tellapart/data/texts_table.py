"""A table whose cells are texts with classes. In: Cells. Out: Listing. Next: texts_looks.py.

A text stands where a picture's path would: its path is the table's with the row behind a colon, table.csv:17.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tellapart.bundle import TaskName
from tellapart.data.cells import Cells, quoted_all
from tellapart.data.columns import split_named
from tellapart.data.examples import Entry, Listing, ReadOptions
from tellapart.data.label_shapes import check_measured
from tellapart.data.made_rows import MadeRows
from tellapart.data.names import stored_twice
from tellapart.data.packed_entries import MANY, packed
from tellapart.data.table import TableRow, check_cells, columns_of, read_cells
from tellapart.data.targets import ClassName
from tellapart.data.texts_files import line_of
from tellapart.errors import DataError, SettingsError

TASK: TaskName = "text"


def holds_texts(cells: Cells) -> bool:
    """Whether a table of which nobody told the task has a column of texts, none of pictures, and classes."""
    names = {name.casefold() for name in cells.header}
    return {"text", "label"} <= names and "path" not in names


def list_texts(cells: Cells, ignored: Counter[str], options: ReadOptions) -> Listing:
    """The listing of a table that is open already, in the order of its rows.

    Raises: DataError with row numbers where it breaks a rule; SettingsError for a separator.
    """
    if options.separator is not None:
        raise SettingsError(
            f"--label-separator is {options.separator!r}, and a text has one class. Leave it out, and write one class a row."
        )
    entries, rows = _entries(cells)
    if not rows:
        raise DataError(f"the table {str(cells.path)!r} has a header but no rows. Add one row for each text.")
    check_cells(cells.path, rows, ("label",))
    if options.task is None:
        check_measured(cells.path, [row.label for row in rows], task=TASK)
    return Listing(
        source=cells.path,
        entries=entries,
        classes=tuple(sorted({row.label for row in rows})),
        task=TASK,
        ignored=dict(sorted(ignored.items())),
        notes=cells.notes,
    )


def read_text_column(path: Path, column: str | None, ignored: Counter[str]) -> list[tuple[int, str]]:
    """The numbers and texts of a table's rows; `column` is the name of the column, where it was told.

    Raises: DataError where none is called as texts are; StorageError, MissingFormat.
    """
    cells = read_cells(path, ignored, ReadOptions(text_column=column))
    place = _text_place(cells)
    return [(number, row[place]) for number, row in cells.rows()]


def _text_place(cells: Cells) -> int:
    names = [name.casefold() for name in cells.header]
    if "text" not in names:
        raise DataError(
            f"the table {str(cells.path)!r} has no column of texts that is called so; its columns are: "
            f"{quoted_all(cells.written)}. Say which it is with --text-column."
        )
    return names.index("text")


def _entries(cells: Cells) -> tuple[Sequence[Entry], Sequence[TableRow]]:
    """What each row says, and its cells but for the text, with labels in Unicode normal form C.

    Raises: DataError without a column of texts.
    """
    _text_place(cells)
    place, label, split, group, fold = columns_of(cells, ("text", "label"))
    rows, targets = _Rows(), dict[str, ClassName]()  # one a class, however many rows: so are its words

    def told() -> Iterator[Entry]:
        for number, row in cells.once():
            if row[label] not in targets:
                targets[row[label]] = ClassName(unicodedata.normalize("NFC", row[label]))
            target, own = targets[row[label]], [row[at] if at >= 0 else "" for at in (split, group, fold)]
            rows.append(number, target.text, own)
            path = line_of(cells.path, number)
            yield Entry(path=path, target=target, split=split_named(own[0]), group=own[1], fold=own[2], text=row[place])

    entries = packed(told())
    if note := stored_twice(set(targets)):
        cells.notes = (*cells.notes, f"{cells.path}: {note}.")
    return entries if len(entries) >= MANY else tuple(entries), rows


class _Rows(MadeRows[TableRow]):
    """The cells of the rows but for their texts; each different one is kept once."""

    def __init__(self) -> None:
        self._numbers, self._cells = array("q"), list[tuple[str, ...]]()
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}

    def append(self, number: int, label: str, further: Iterable[str]) -> None:
        """The row's number, its label, and its split, group and fold."""
        cells = (label, *further)
        self._numbers.append(number)
        self._cells.append(self._known.setdefault(cells, cells))

    def __len__(self) -> int:
        return len(self._numbers)

    def _at(self, place: int) -> TableRow:
        return TableRow(self._numbers[place], "", *self._cells[place])
