"""List the labelled pictures that a CSV file names. In: Path. Out: Listing. Next: inspection.py.

Columns: path, label[, split][, group], in any order, beside others. Paths count from the folder of the CSV file.
"""

from __future__ import annotations

import csv
import io
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tellapart.data.examples import Entry, Listing, Split
from tellapart.data.folder import SPLIT_WORDS
from tellapart.data.targets import ClassName
from tellapart.errors import DataError, StorageError

MAX_TABLE_BYTES = 1024**3  # a table of pictures is text of some megabytes: a video called .csv should not fill memory

_SPLITS: Mapping[str, Split] = {**SPLIT_WORDS, "dev": "validation"}
_REQUIRED = ("path", "label")
_OPTIONAL = ("split", "group")
_DELIMITERS = (",", ";", "\t")
_ENCODINGS = ("utf-8-sig", "gb18030")  # the second is what Chinese Excel writes


class TableRow(NamedTuple):
    """One row's cells, stripped. `number` counts as a spreadsheet does: the header is row 1."""

    number: int
    path: str
    label: str
    split: str
    group: str


def read_table(path: Path) -> Listing:
    """List the files that a table names, sorted by path; each file once, labels in Unicode normal form C.

    UTF-8 with or without a byte order mark, UTF-16 with one, or GB18030; separated by comma, semicolon or tab.
    Raises: DataError with row numbers where the table breaks a rule; StorageError if it cannot be read.
    """
    ignored: Counter[str] = Counter()
    rows = read_rows(path, ignored)
    if not rows:
        raise DataError(f"the table {str(path)!r} has a header but no rows. Add one row for each picture.")
    _check_cells(path, rows)
    kept = _distinct(path, rows, _locate(path, rows), ignored)
    entries = [
        Entry(
            path=Path(file),
            target=ClassName(row.label),
            split=_SPLITS.get(row.split.casefold()),
            group=row.group,
        )
        for file, row in kept
    ]
    entries.sort(key=lambda entry: entry.path)
    return Listing(
        source=path,
        entries=tuple(entries),
        classes=tuple(sorted({row.label for _, row in kept})),
        ignored=dict(sorted(ignored.items())),
    )


def read_rows(path: Path, ignored: Counter[str]) -> list[TableRow]:
    """The rows of any table that has the columns path and label; cells may be empty. Blank rows are counted in `ignored`.

    Raises: DataError, StorageError as `read_table`.
    """
    return list(_rows(path, _text(path, _read(path)), ignored))


def _read(path: Path) -> bytes:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{str(path)!r} is not a file. Give a CSV file, or a folder that holds class folders.")
        if status.st_size > MAX_TABLE_BYTES:
            raise DataError(
                f"the table {str(path)!r} has {status.st_size:,} bytes; the limit is {MAX_TABLE_BYTES:,}. "
                "Leave out columns other than path, label, split and group."
            )
        return path.read_bytes()
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


def _rows(path: Path, text: str, ignored: Counter[str]) -> Iterator[TableRow]:
    header_line = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [cell.strip().casefold() for cell in next(reader, [])]
        if "label" not in header:  # a run's examples.csv is a table, too
            header = ["label" if name == "target" else name for name in header]
        columns = _columns(path, header)
        for number, cells in enumerate(reader, start=2):
            if not any(cell.strip() for cell in cells):
                ignored["blank row"] += 1
                continue
            # One cell too many is a comma inside a path or label: every cell after it would mean something else.
            if any(cell.strip() for cell in cells[len(header) :]):
                raise DataError(
                    f"row {number} of {str(path)!r} has {len(cells)} cells, but the header has {len(header)}. "
                    'Put quotes around a path or label that holds the separator: "a,b.png".'
                )
            file, label, split, group = (
                cells[column].strip() if 0 <= column < len(cells) else "" for column in columns
            )
            yield TableRow(number, file, unicodedata.normalize("NFC", label), split, group)
    except csv.Error as error:
        raise DataError(
            f"line {reader.line_num} of the table {str(path)!r} is not valid CSV: {error}. "
            "Every quote that is opened must be closed, and a quote inside quotes is doubled."
        ) from None


def _columns(path: Path, header: Sequence[str]) -> list[int]:
    """The positions of path, label, split and group in the header; -1 for one that is absent."""
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        found = ", ".join(repr(name) for name in header) or "none"
        raise DataError(
            f"the table {str(path)!r} lacks the column{'s' * (len(missing) > 1)} {' and '.join(map(repr, missing))}; "
            f"its first row has {found}. "
            "Its first row must name the columns: path,label and, if wanted, split and group."
        )
    for name in (*_REQUIRED, *_OPTIONAL):
        if header.count(name) > 1:
            raise DataError(f"the table {str(path)!r} has {header.count(name)} columns called {name!r}. Keep one.")
    return [header.index(name) if name in header else -1 for name in (*_REQUIRED, *_OPTIONAL)]


def _check_cells(path: Path, rows: Sequence[TableRow]) -> None:
    table = f"the table {str(path)!r}"
    for name, empty in (
        ("path", [row.number for row in rows if not row.path]),
        ("label", [row.number for row in rows if not row.label]),
    ):
        if empty:
            raise DataError(f"{table} has no {name} in {named_rows(empty)}. Fill it in, or remove the row.")
    unknown = [row for row in rows if row.split and row.split.casefold() not in _SPLITS]
    if unknown:
        raise DataError(
            f"{table} has an unknown split, {unknown[0].split!r}, in {named_rows([row.number for row in unknown])}. "
            "Use train, val or test, or leave the whole column empty."
        )
    without = [row.number for row in rows if not row.split]
    if 0 < len(without) < len(rows):
        raise DataError(
            f"{table} has no split in {named_rows(without)}, while other rows have one. "
            "Fill it in for every row, or for none."
        )


def _locate(path: Path, rows: Sequence[TableRow]) -> list[str]:
    """Each row's file as reached from the table's folder."""
    folder = str(path.parent)
    located, missing = [], []
    for row in rows:
        file = os.path.join(folder, row.path)
        if not _is_file(file):
            # A table made on Windows: a\b.png. Only where no file has that very name.
            turned = os.path.join(folder, row.path.replace("\\", "/"))
            if turned == file or not _is_file(turned):
                missing.append(row)
            file = turned
        located.append(file)
    if missing:
        first = ", ".join(f"{row.path!r} (row {row.number})" for row in missing[:3])
        raise DataError(
            f"the table {str(path)!r} names files that do not exist, {len(missing):,} of {len(rows):,}: {first}"
            f"{' and others' if len(missing) > 3 else ''}. Paths count from the folder {os.path.abspath(folder)!r}."
        )
    return located


def _is_file(file: str) -> bool:
    try:
        return not stat.S_ISDIR(os.stat(file).st_mode)  # a pipe or device is told apart later, with its reason
    except PermissionError:
        return True  # there is something: the inspection will say that it may not be read
    except (OSError, ValueError):
        return False


def _distinct(
    path: Path, rows: Sequence[TableRow], located: Sequence[str], ignored: Counter[str]
) -> list[tuple[str, TableRow]]:
    """The rows with their files, less those that repeat another; two rows for one file must agree."""
    real_folders: dict[str, str] = {}
    first: dict[tuple[str, str], TableRow] = {}
    kept = []
    for file, row in zip(located, rows, strict=True):
        folder, name = os.path.split(file)
        # By the folder's real path, so that a/../a/x.png is a/x.png. A link to a file is left to the audit.
        if folder not in real_folders:
            real_folders[folder] = os.path.realpath(folder)
        earlier = first.setdefault((real_folders[folder], name), row)
        if earlier is row:
            kept.append((file, row))
            continue
        ignored["row repeated"] += 1
        for what, one, other in (
            ("label", earlier.label, row.label),
            ("split", _SPLITS.get(earlier.split.casefold(), ""), _SPLITS.get(row.split.casefold(), "")),
            ("group", earlier.group, row.group),
        ):
            if one != other:
                raise DataError(
                    f"{row.path!r} has two {what}s in {str(path)!r}: {one!r} in row {earlier.number} and {other!r} in "
                    f"row {row.number}. Keep one of the two rows."
                )
    return kept


def named_rows(rows: Sequence[int]) -> str:
    """TableRow numbers in words, as in "row 3", "rows 3 and 4", "12 rows (3, 4, 5, ...)"."""
    if len(rows) == 1:
        return f"row {rows[0]}"
    if len(rows) <= 3:
        return f"rows {', '.join(map(str, rows[:-1]))} and {rows[-1]}"
    return f"{len(rows):,} rows ({', '.join(map(str, rows[:3]))}, ...)"
