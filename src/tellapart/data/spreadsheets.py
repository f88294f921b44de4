"""A table of Excel. In: an .xlsx file. Out: Cells. Next: json_lines.py.

Rows are read one after another: a reader that keeps a sheet as a block can be made to ask for 500 GB by two cells. What an archive
of XML may unpack to is limited, and formulas count as the value that was saved with them.
"""

from __future__ import annotations

import datetime
import itertools
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl

from tellapart.answers.formulas import taken_back
from tellapart.data.cells import Cells, check_size
from tellapart.errors import DataError, StorageError

MAX_UNPACKED = 512 * 1024**2  # bytes
MAX_COLUMNS = 2_000
MAX_ROWS = 1_048_576  # as many as Excel has


def open_sheet(path: Path, ignored: Counter[str]) -> Cells:
    """The first sheet of a file; further ones are told. Raises: DataError where it is no such file; StorageError."""
    check_size(path, MAX_UNPACKED)
    try:
        _check_unpacked(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and checks that openpyxl does not know
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            try:
                names = book.sheetnames
                rows = list(itertools.dropwhile(_is_blank, _rows(path, book.worksheets[0])))
            finally:
                book.close()
    except (DataError, MemoryError):
        raise
    except OSError as error:
        raise StorageError(
            f"the table {str(path)!r} cannot be read: {error.strerror or error}. Check the disk."
        ) from None
    except Exception:  # of a damaged file, openpyxl, zipfile and zlib let through whatever they meet
        raise DataError(
            f"{str(path)!r} is not a table of Excel that can be read. Save it again as .xlsx or as CSV (UTF-8)."
        ) from None
    note = f"{path}: its first sheet, {names[0]!r}, is read; {', '.join(map(repr, names[1:]))} is not."
    header = rows[0][1] if rows else []
    return Cells(path, header, lambda: rows[1:], ignored, notes=[note] if len(names) > 1 else [])


def _check_unpacked(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_UNPACKED:
        raise DataError(
            f"the table {str(path)!r} unpacks to {size:,} bytes; the limit is {MAX_UNPACKED:,}. Save it as CSV (UTF-8)."
        )


def _rows(path: Path, sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """All rows with their numbers, less what is empty at the end of each."""
    sheet.reset_dimensions()  # what a file says of its size would be filled up with nothing
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        cells = [_text(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if len(cells) > MAX_COLUMNS or number > MAX_ROWS:
            what = f"more than {MAX_COLUMNS:,} columns" if len(cells) > MAX_COLUMNS else f"more than {MAX_ROWS:,} rows"
            raise DataError(f"the table {str(path)!r} has {what}. Save it as CSV (UTF-8).")
        yield number, cells


def _is_blank(row: tuple[int, list[str]]) -> bool:
    return not row[1]


def _text(value: object) -> str:
    """A cell as it would stand in a CSV: whole numbers without their .0, truth as true and false, dates as ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (datetime.date, datetime.datetime, datetime.time)):
        return value.isoformat()
    return taken_back(str(value).strip())
