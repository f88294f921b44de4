"""A CSV file as people write them, in cells. In: Path. Out: Cells. Next: table.py.

UTF-8 with or without a byte order mark, UTF-16 with one, or GB18030; separated by comma, semicolon or tab.
"""

from __future__ import annotations

import csv
import io
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tellapart.errors import DataError, PictureError, StorageError
from tellapart.sources.reading import read_bytes, split_path

MAX_TABLE_BYTES = 1024**3  # a table of pictures is text of some megabytes: a video called .csv should not fill memory

_DELIMITERS = (",", ";", "\t")
_ENCODINGS = ("utf-8-sig", "gb18030")  # the second is what Chinese Excel writes

CellRow = tuple[int, list[str]]  # the row's number, counted as a spreadsheet does (the header is row 1), and its cells


class Cells:
    """A table: its header at once, its rows when they are asked for, so that a wrong header is the first thing told."""

    def __init__(self, path: Path, ignored: Counter[str]) -> None:
        """Blank rows are counted in `ignored`. Raises: DataError where it is no table; StorageError if it cannot be read."""
        text = _text(path, _read(path))
        header_line = re.split(r"[\r\n]", text, maxsplit=1)[0]
        delimiter = max(_DELIMITERS, key=header_line.count)
        self.path = path
        self._ignored = ignored
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        with self._csv_errors():
            self.header = tuple(cell.strip() for cell in next(self._reader, []))  # as written
        self._rows: list[CellRow] | None = None

    def rows(self) -> list[CellRow]:
        """All rows that are not blank; each has a stripped cell for every column. Raises: DataError with row numbers."""
        if self._rows is None:
            with self._csv_errors():
                self._rows = list(self._read_rows())
        return self._rows

    def _read_rows(self) -> Iterator[CellRow]:
        width = len(self.header)
        for number, cells in enumerate(self._reader, start=2):
            if not any(cell.strip() for cell in cells):
                self._ignored["blank row"] += 1
                continue
            # One cell too many is a comma inside a path or label: every cell after it would mean something else.
            if any(cell.strip() for cell in cells[width:]):
                raise DataError(
                    f"row {number} of {str(self.path)!r} has {len(cells)} cells, but the header has {width}. "
                    'Put quotes around a path or label that holds the separator: "a,b.png".'
                )
            yield number, [cell.strip() for cell in cells[:width]] + [""] * (width - len(cells))

    @contextmanager
    def _csv_errors(self) -> Iterator[None]:
        try:
            yield
        except csv.Error as error:
            raise DataError(
                f"line {self._reader.line_num} of the table {str(self.path)!r} is not valid CSV: {error}. "
                "Every quote that is opened must be closed, and a quote inside quotes is doubled."
            ) from None


def named_rows(rows: list[int]) -> str:
    """Row numbers in words, as in "row 3", "rows 3 and 4", "12 rows (3, 4, 5, ...)"."""
    if len(rows) == 1:
        return f"row {rows[0]}"
    if len(rows) <= 3:
        return f"rows {', '.join(map(str, rows[:-1]))} and {rows[-1]}"
    return f"{len(rows):,} rows ({', '.join(map(str, rows[:3]))}, ...)"


def _check_size(path: Path, size: int) -> None:
    if size > MAX_TABLE_BYTES:
        raise DataError(
            f"the table {str(path)!r} has {size:,} bytes; the limit is {MAX_TABLE_BYTES:,}. "
            "Leave out columns other than path, label, split and group."
        )


def _read(path: Path) -> bytes:
    try:
        if split_path(path) is not None:
            data = read_bytes(path)
            _check_size(path, len(data))
            return data
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{str(path)!r} is not a file. Give a CSV file, or a folder that holds class folders.")
        _check_size(path, status.st_size)
        return path.read_bytes()
    except PictureError as error:
        raise DataError(f"the table {str(path)!r} cannot be read: {error}.") from None
    except PermissionError:
        raise StorageError(f"no permission to read the table {str(path)!r}. Change it with chmod.") from None
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise DataError(f"there is no table {str(path)!r}. Check the spelling, or give the full path.") from None
    except OSError as error:
        raise StorageError(f"the table {str(path)!r} cannot be read: {error.strerror}. Check the disk.") from None


def _text(path: Path, data: bytes) -> str:
    encodings = ("utf-16",) if data.startswith((b"\xff\xfe", b"\xfe\xff")) else _ENCODINGS
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise DataError(f"{str(path)!r} is not a text table in UTF-8 or GB18030. Save it again as CSV (UTF-8).")
