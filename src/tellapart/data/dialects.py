"""What separates the cells of a text table. In: text. Out: rows of cells. Next: cells.py.

The csv module itself reads the beginning with every separator that there may be; the one under which the rows fit the header is
taken. Excel's first line `sep=;` says it. Line ends are those of Unix, Windows or the old Mac.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Collection, Iterator

from tellapart.answers.formulas import lines_of

SEPARATORS = (",", ";", "\t", "|", " ")

_SAID = re.compile(r'"?sep=(.)"?[ ,;\t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
_BLANK_LINES = re.compile(r"(?:[ \t]*(?:\r\n|\r|\n))*")
_ROWS_TRIED = 50


MOST_LETTERS_A_CELL = 20_000_000  # a text may be long; beyond, a quote was not closed
_LETTERS_TRIED = 1_000_000  # from which the separator is told


class _Table(csv.excel):
    """Excel's dialect, with blanks after a separator that are no part of a cell, and faults that are told."""

    skipinitialspace = True
    strict = True


class _Letters(_Table):
    """The same where quotes are letters like others."""

    quoting = csv.QUOTE_NONE


class Rows:
    """The rows of a text table, as the csv module reads them."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        """`names` are those, in lower case, that a header's columns often have."""
        text, skipped = _without_blank_lines(text)
        said = _SAID.match(text)
        body, more = _without_blank_lines(text[said.end() :]) if said else (text, 0)
        self.separator = said[1] if said and said[1] not in '"\r\n' else _separator(body[:_LETTERS_TRIED], names)
        self._first_line = skipped + more + (1 if said else 0)
        csv.field_size_limit(MOST_LETTERS_A_CELL)  # of the csv module as a whole; it begins with 131,072
        # Between tabs many programs write quotes as they are: by IANA's text/tab-separated-values they mean nothing.
        self.quotes_are_letters = self.separator == "\t" and '"' in body and not _is_quoted(body)
        dialect = _Letters if self.quotes_are_letters else _Table
        self._reader = csv.reader(lines_of(body), dialect, delimiter=self.separator)

    def __iter__(self) -> Iterator[list[str]]:
        return self._reader

    def __next__(self) -> list[str]:
        return next(self._reader)

    @property
    def line(self) -> int:
        """The last line that was read, counted from 1."""
        return self._first_line + self._reader.line_num


def _without_blank_lines(text: str) -> tuple[str, int]:
    """The text from its first line on that is not blank, and how many lines lie before it."""
    blank = _BLANK_LINES.match(text)
    end = blank.end() if blank else 0
    return text[end:], len(text[:end].splitlines())


def _is_quoted(text: str) -> bool:
    """Whether the quotes of a text whose cells tabs separate are those of CSV."""
    try:
        for _ in csv.reader(lines_of(text), _Table, delimiter="\t"):
            pass
    except csv.Error:
        return False
    return True


def _separator(text: str, names: Collection[str]) -> str:
    return max(SEPARATORS, key=lambda separator: _fit(text, separator, names))


def _fit(text: str, separator: str, names: Collection[str]) -> tuple[int, float, int]:
    """How well a separator fits: known names in the header, rows as wide as it, cells in it."""
    reader = csv.reader(lines_of(text), _Table, delimiter=separator)
    rows: list[list[str]] = []
    try:
        for row in itertools.islice(reader, _ROWS_TRIED):
            if any(cell.strip() for cell in row):
                rows.append(row)
    except csv.Error:
        pass  # told when the rows are read; the ones before it tell enough
    width = len(rows[0]) if rows else 0
    if width < 2 or (separator == " " and any(len(row) != width for row in rows)):
        return (0, 0.0, 0)  # a space is part of many names and paths
    known = sum(cell.strip().casefold() in names for cell in rows[0])
    return (known, sum(len(row) == width for row in rows) / len(rows), width)
