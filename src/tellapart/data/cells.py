"""A table in cells, whatever kind of file it is. In: a header, rows. Out: Cells. Next: encodings.py."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from tellapart.data.locating import Locator
from tellapart.errors import DataError, PictureError, StorageError
from tellapart.sources.places import stamp_of
from tellapart.sources.reading import read_bytes, split_path
from tellapart.sources.remote.addresses import is_remote

MAX_TABLE_BYTES = 1024**3  # a table of pictures is text of some megabytes: a video called .csv should not fill memory

_LONG, _SEVERAL = 200, 20  # characters of a cell, and cells, that a sentence quotes

CellRow = tuple[int, list[str]]  # the row's number, counted as a spreadsheet does (the header is row 1), and its cells
RawRows = Callable[[], Iterable[tuple[int, Sequence[str]]]]  # gives the rows below the header, as they are


class Cells:
    """A table: its header at once, its rows when they are asked for, so that a wrong header is the first thing told."""

    def __init__(
        self, path: Path, header: Sequence[str], rows: RawRows, ignored: Counter[str], *, notes: Sequence[str] = ()
    ) -> None:
        """Blank rows are counted in `ignored` once they are read; `notes` say what was guessed to read the file."""
        self.path = path
        self.header = tuple(cell.strip() for cell in header)  # as written, without the blanks at their ends
        self.written = self.header  # the same also where columns got other names
        self.notes = self.opened = tuple(
            notes
        )  # `opened`: those of the file as a whole alone, such as which sheet is read
        self.locator = Locator(path.parent)  # finds the files that paths name
        self._rows, self._ignored = rows, ignored
        self._stream = rows  # the same, for who reads them once
        self._read: list[CellRow] | None = None

    def rows(self) -> list[CellRow]:
        """All rows that are not blank; each has a stripped cell for every column. Raises: DataError with row numbers."""
        if self._read is None:
            self._read = list(self._checked(self._rows()))
        return self._read

    def once(self) -> Iterator[CellRow]:
        """The same one after the other, for who reads them once: a million rows of cells are not kept. Raises: DataError."""
        yield from self._checked(self._stream()) if self._read is None else self._read

    def without_header(self) -> Cells:
        """The same where the first row is data: its columns are called 1, 2, 3 ..."""
        first = (1, list(self.header))
        names = [str(place) for place in range(1, len(self.header) + 1)]
        return self._with(names, lambda: [first, *self.rows()])

    def renamed(self, header: Sequence[str], *, notes: Sequence[str] = ()) -> Cells:
        """The same columns under other names, with further notes."""
        cells = self._with(header, self.rows)
        cells._stream = self.once
        cells.notes += tuple(notes)
        cells.written, cells.opened = self.written, self.opened
        return cells

    def with_rows(self, header: Sequence[str], rows: Sequence[CellRow]) -> Cells:
        """Other rows of the same table, under a header that fits them."""
        return self._with(header, lambda: rows)

    def _with(self, header: Sequence[str], rows: RawRows) -> Cells:
        cells = Cells(self.path, header, rows, self._ignored, notes=self.notes)
        cells.locator = self.locator
        return cells

    def _checked(self, rows: Iterable[tuple[int, Sequence[str]]]) -> Iterator[CellRow]:
        width = len(self.header)
        for number, cells in rows:
            if not any(cell.strip() for cell in cells):
                self._ignored["blank row"] += 1
                continue
            # One cell too many is a comma inside a path or label: every cell after it would mean something else.
            if any(cell.strip() for cell in cells[width:]):
                raise DataError(
                    f"row {number} of {str(self.path)!r} has {len(cells)} cells, but the header has {width}. "
                    'Put quotes around a cell that holds the separator: "a,b.png".'
                )
            yield number, [cell.strip() for cell in cells[:width]] + [""] * (width - len(cells))


def quoted(text: str) -> str:
    """A cell in quotes, for a sentence: of a long one the beginning."""
    return repr(text if len(text) <= _LONG else f"{text[:_LONG]}...")


def quoted_all(cells: Iterable[str]) -> str:
    """Cells in quotes, one after the other: the first ones, and how many there are besides."""
    found = list(cells)
    more = f" and {len(found) - _SEVERAL:,} more" if len(found) > _SEVERAL else ""
    return f"{', '.join(map(quoted, found[:_SEVERAL]))}{more}"


def named_rows(rows: list[int]) -> str:
    """Row numbers in words, as in "row 3", "rows 3 and 4", "12 rows (3, 4, 5, ...)"."""
    if len(rows) == 1:
        return f"row {rows[0]}"
    if len(rows) <= 3:
        return f"rows {', '.join(map(str, rows[:-1]))} and {rows[-1]}"
    return f"{len(rows):,} rows ({', '.join(map(str, rows[:3]))}, ...)"


def table_bytes(path: Path, limit: int = MAX_TABLE_BYTES) -> bytes:
    """The bytes of a file, or of one in an archive.

    Raises: DataError where it is no file, or larger than the limit; StorageError if it cannot be read.
    """
    try:
        if split_path(path) is not None:
            data = read_bytes(path)
            _check_limit(path, len(data), limit)
            return data
        check_size(path, limit)
        return path.read_bytes()
    except PictureError as error:
        raise DataError(f"the table {str(path)!r} cannot be read: {error}.") from None
    except OSError as error:
        raise _unreadable(path, error) from None


def check_size(path: Path, limit: int = MAX_TABLE_BYTES) -> None:
    """Raises: DataError where the path is no file, or larger than the limit; StorageError without permission."""
    try:
        if is_remote(path):
            _check_limit(path, stamp_of(path).size, limit)
            return
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise DataError(f"there is no table {str(path)!r}. Check the spelling, or give the full path.") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{str(path)!r} is not a file. Give a CSV file, or a folder that holds class folders.")
    _check_limit(path, status.st_size, limit)


def _check_limit(path: Path, size: int, limit: int) -> None:
    if size > limit:
        raise DataError(
            f"the table {str(path)!r} has {size:,} bytes; the limit is {limit:,}. "
            "Leave out columns other than path, label, split and group."
        )


def _unreadable(path: Path, error: OSError) -> StorageError:
    if isinstance(error, PermissionError):
        return StorageError(f"no permission to read the table {str(path)!r}. Change it with chmod.")
    return StorageError(f"the table {str(path)!r} cannot be read: {error.strerror}. Check the disk.")
