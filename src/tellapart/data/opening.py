"""The kinds of files that hold a table, and how each is opened. In: Path. Out: Cells. Next: cells.py."""

from __future__ import annotations

import csv
import importlib.util
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tellapart.answers.formulas import taken_back
from tellapart.data.cells import Cells, table_bytes
from tellapart.data.columns import NAMES
from tellapart.data.dialects import Rows
from tellapart.data.encodings import IsFile, read_text
from tellapart.data.examples import ReadOptions
from tellapart.data.json_lines import open_json
from tellapart.data.locating import Locator
from tellapart.errors import DataError, MissingFormat
from tellapart.sources.reading import exists, is_array_file

_FOUND = ReadOptions()


def is_table(path: Path) -> bool:
    """Whether the name says that the file is a table."""
    return (path.suffix.lower() in _READERS and exists(path)) or (is_array_file(path) and path.is_file())


def open_table(path: Path, ignored: Counter[str], options: ReadOptions = _FOUND) -> Cells:
    """The table in a file, of the kind that its name says: CSV where it says nothing.

    Blank rows are counted in `ignored`. Raises: DataError where it is no such table; StorageError if it cannot be read;
    MissingFormat for Excel, parquet and Arrow without the extra tables; SettingsError for an unknown encoding.
    """
    if is_array_file(path) and path.is_file():
        from tellapart.data.array_tables import open_array_table

        cells = open_array_table(path, ignored, options)
    else:
        cells = _READERS.get(path.suffix.lower(), _open_text)(path, ignored, options)
    cells.locator = _locator(path, options)
    return cells


def _open_text(path: Path, ignored: Counter[str], options: ReadOptions) -> Cells:
    read = read_text(path, table_bytes(path), options.encoding, _finder(path, options))
    return cells_of_text(path, read.text, ignored, notes=[read.note] if read.note else [])


def cells_of_text(path: Path, text: str, ignored: Counter[str], *, notes: Sequence[str] = ()) -> Cells:
    """A table of separated cells that is text already, wherever it came from; `path` is what it is called. Raises: DataError."""
    rows = Rows(text, NAMES)
    with _csv_errors(path, rows):
        header = next(rows, [])

    def below() -> Iterator[tuple[int, list[str]]]:
        with _csv_errors(path, rows):
            for number, cells in enumerate(rows, start=2):
                yield number, [taken_back(cell.strip()) for cell in cells]

    notes = list(notes)
    if rows.quotes_are_letters:
        notes.append(f"{path}: quotes are read as letters, since they are not set as in CSV.")
    return Cells(path, [taken_back(cell.strip()) for cell in header], below, ignored, notes=notes)


@contextmanager
def _csv_errors(path: Path, rows: Rows) -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        raise DataError(
            f"line {rows.line} of the table {str(path)!r} is not valid CSV: {error}. "
            "Every quote that is opened must be closed, and a quote inside quotes is doubled."
        ) from None


def _open_json(path: Path, ignored: Counter[str], options: ReadOptions) -> Cells:
    read = read_text(path, table_bytes(path), options.encoding, _finder(path, options))
    return open_json(path, read.text, ignored, notes=[read.note] if read.note else [])


def _finder(path: Path, options: ReadOptions) -> IsFile:
    """Whether a cell names a file, under a guessed encoding."""
    locator = _locator(path, options)
    return lambda cell: locator.find(cell) is not None


def _locator(path: Path, options: ReadOptions) -> Locator:
    extension = options.extension or ""
    return Locator(
        options.root or path.parent, extension if extension.startswith(".") or not extension else f".{extension}"
    )


def _open_sheet(path: Path, ignored: Counter[str], options: ReadOptions) -> Cells:
    _need("openpyxl", path)
    from tellapart.data.spreadsheets import open_sheet

    return open_sheet(path, ignored)


def _open_columns(path: Path, ignored: Counter[str], options: ReadOptions) -> Cells:
    _need("pyarrow", path)
    from tellapart.data.columnar import open_columns

    return open_columns(path, ignored)


def _refuse(path: Path, ignored: Counter[str], options: ReadOptions) -> Cells:
    raise DataError(
        f"{str(path)!r} is a table of a kind that is not read, {path.suffix}. Save it as .xlsx or as CSV (UTF-8)."
    )


def _need(module: str, path: Path) -> None:
    if importlib.util.find_spec(module) is None:
        raise MissingFormat(f"the table {str(path)!r}", "tables", module)


_READERS: Mapping[str, Callable[[Path, Counter[str], ReadOptions], Cells]] = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt"), _open_text),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), _open_json),
    **dict.fromkeys((".xlsx", ".xlsm"), _open_sheet),
    **dict.fromkeys((".xls", ".xlsb", ".ods"), _refuse),
    **dict.fromkeys((".parquet", ".pq", ".arrow", ".feather"), _open_columns),
}
