"""CSV cells that a spreadsheet would run. In: cells. Out: the same, defused, and back. Next: predictions.py.

A class called =1+1, or a file called -2+3.png, is a formula to Excel, LibreOffice and Google Sheets. An apostrophe before it makes
it a text there, and our readers take the apostrophe away again. Source: OWASP, "CSV Injection".
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

# Signs that begin a formula, the wide ones too; numbers such as -0.5 are left alone.
_FORMULA = re.compile("'*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class Writable(Protocol):
    """Where text goes."""

    def write(self, text: str, /) -> object:
        """Take a part of the text."""


def defused(cell: str) -> str:
    """The cell with an apostrophe before what a spreadsheet would run, and before apostrophes before that."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def taken_back(cell: str) -> str:
    """The cell that `defused` was given; a cell of another program loses the apostrophe before a formula, too."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class SafeWriter:
    """csv.writer whose texts are defused; numbers and None are written as there."""

    def __init__(self, file: Writable, *, line_end: str = "\r\n") -> None:
        """RFC 4180 with `line_end` after each row."""
        self._writer = csv.writer(file, lineterminator=line_end)

    def write(self, cells: Iterable[object]) -> None:
        """One row."""
        self._writer.writerow(defused(cell) if isinstance(cell, str) else cell for cell in cells)

    def write_all(self, rows: Iterable[Iterable[object]]) -> None:
        """All rows."""
        for row in rows:
            self.write(row)


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]], *, line_end: str = "\r\n") -> str:
    """A table with a header, each row by the names of the columns; what a row lacks is empty."""
    text = io.StringIO(newline="")
    writer = SafeWriter(text, line_end=line_end)
    writer.write(columns)
    writer.write_all([row.get(column, "") for column in columns] for row in rows)
    return text.getvalue()


def csv_table(text: str) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a CSV that `csv_text` wrote; no column where the text is no table."""
    try:
        found = [cells for cells in SafeReader(text) if cells]
    except csv.Error:
        return [], []
    columns, rows = (found[0], found[1:]) if found else ([], [])
    if any(len(cells) > len(columns) for cells in rows):
        return [], []
    return columns, [dict(itertools.zip_longest(columns, cells, fillvalue="")) for cells in rows]


def lines_of(text: str) -> Iterator[str]:
    """The lines of a text with their ends, those of Unix, Windows or the old Mac, as csv.reader takes them.

    io.StringIO would hold the whole text once more, in four bytes a letter.
    """
    return (found[0] for found in _LINE.finditer(text))


class SafeReader:
    """The rows of a CSV that `SafeWriter` wrote, one after another."""

    def __init__(self, text: str) -> None:
        """The next row raises: csv.Error where the text breaks the rules of CSV."""
        self._reader = csv.reader(lines_of(text), strict=True)

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        return [taken_back(cell) for cell in next(self._reader)]

    @property
    def line(self) -> int:
        """The number of the last line that was read, from 1."""
        return self._reader.line_num
