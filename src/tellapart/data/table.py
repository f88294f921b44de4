"""List the labelled pictures that a CSV file names. In: Path. Out: Listing. Next: multilabel_table.py.

Columns: path, label[, split][, group], in any order, beside others, or what was told or found to be them. Paths count from the
folder of the file, or from the one that was told. A file that is not there is left to the audit, unless most are not.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tellapart.bundle import TaskName
from tellapart.data.cells import Cells, named_rows, quoted_all
from tellapart.data.columns import split_named, with_roles
from tellapart.data.examples import Entry, Listing, ReadOptions, named_classes
from tellapart.data.file_names import pattern_of, with_labels
from tellapart.data.missing import check_missing
from tellapart.data.names import stored_twice
from tellapart.data.opening import open_table
from tellapart.data.targets import ONE_CLASS, ClassName, Target
from tellapart.errors import DataError

_OPTIONAL = ("split", "group", "fold")
_PIXELS = re.compile(r"pixels?|pixel_?\d+|1x1", re.IGNORECASE)  # as FER2013 and MNIST are often spread
_FOUND = ReadOptions()


class TableRow(NamedTuple):
    """One row's cells, stripped. `number` counts as a spreadsheet does: the header is row 1."""

    number: int
    path: str
    label: str  # the text of the target
    split: str
    group: str
    fold: str = ""


def read_cells(path: Path, ignored: Counter[str], options: ReadOptions = _FOUND) -> Cells:
    """A table whose columns are called path, label, split and group as far as they are there. Blank rows are counted in `ignored`.

    Raises: DataError where it is no table, or its columns may mean two things; StorageError, SettingsError, MissingFormat.
    """
    if options.root is not None and not os.path.isdir(options.root):
        raise DataError(
            f"there is no folder {options.root!r}, which --root names. Check the spelling, or give the full path."
        )
    pattern = None if options.label_from is None else pattern_of(options.label_from)
    cells = with_roles(open_table(path, ignored, options), options)
    return cells if pattern is None else with_labels(cells, pattern, ignored)


def read_table(path: Path, options: ReadOptions = _FOUND) -> Listing:
    """List the files that a table names, sorted by path; each file once, labels in Unicode normal form C.

    Raises: DataError with row numbers where the table breaks a rule; StorageError if it cannot be read.
    """
    ignored: Counter[str] = Counter()
    return list_classes(read_cells(path, ignored, options), ignored)


def list_classes(cells: Cells, ignored: Counter[str], column: str = "label") -> Listing:
    """The same of a table that is open already, with the labels in `column`. Raises: DataError as `read_table`."""
    return make_listing(cells, rows_with(cells, column), ignored, kind=ClassName)


def rows_with(cells: Cells, column: str) -> list[TableRow]:
    """The rows of a table with the columns path and `column`, whose cells are the labels in Unicode normal form C.

    Raises: DataError where it lacks them.
    """
    columns = columns_of(cells, ("path", column))
    rows, written = [], set()
    for number, row in cells.rows():
        file, label, split, group, fold = (row[place] if place >= 0 else "" for place in columns)
        written.add(label)
        rows.append(TableRow(number, file, unicodedata.normalize("NFC", label), split, group, fold))
    if note := stored_twice(written):
        cells.notes = (*cells.notes, f"{cells.path}: {note}.")
    return rows


def columns_of(cells: Cells, required: Sequence[str]) -> list[int]:
    """The positions of the required columns, split, group and fold in the header; -1 for one that is absent.

    Raises: DataError for a required one that is missing, or any that stands there twice.
    """
    names = [name.casefold() for name in cells.header]
    missing = [name for name in required if name not in names]
    if missing and not any(names):
        raise DataError(
            f"the table {str(cells.path)!r} has nothing in its first row, which must name the columns: {','.join(required)} and, "
            "if wanted, split and group; a row for each picture follows. Write it so, or check that it was saved whole."
        )
    if missing:
        raise _lacks(cells, required, missing)
    for name in (*required, *_OPTIONAL):
        if names.count(name) > 1:
            raise DataError(f"the table {str(cells.path)!r} has {names.count(name)} columns called {name!r}. Keep one.")
    return [names.index(name) if name in names else -1 for name in (*required, *_OPTIONAL)]


def _lacks(cells: Cells, required: Sequence[str], missing: Sequence[str]) -> DataError:
    found = quoted_all(cells.written) or "none"
    options = " and ".join(f"--{'label' if name == 'labels' else name}-column" for name in missing)
    pixels = next((name for name in cells.written if _PIXELS.fullmatch(name)), None) if "path" in missing else None
    more = (
        f" The column {pixels!r} seems to hold pictures as numbers, which are not read: write each to a file."
        if pixels is not None
        else ""
    )
    more += "".join(f" {note}" for note in cells.opened)
    return DataError(
        f"the table {str(cells.path)!r} lacks the column{'s' * (len(missing) > 1)} {' and '.join(map(repr, missing))}; "
        f"its first row has {found}. Its first row must name the columns: {','.join(required)} and, if wanted, split and group. "
        f"Or say with {options} which are meant.{more}"
    )


def make_listing(
    cells: Cells,
    rows: Sequence[TableRow],
    ignored: Counter[str],
    *,
    kind: type[Target],
    task: TaskName = ONE_CLASS,
    filled: Sequence[str] = ("path", "label"),
    classes: Iterable[str] = (),
    notes: tuple[str, ...] = (),
) -> Listing:
    """The listing of checked rows, whose labels are texts of targets of a kind, and whose cells of `filled` must not be empty.

    `classes` are there even if no row names them.
    Raises: DataError with row numbers where the table breaks a rule, or most of its files are not there.
    """
    path = cells.path
    if not rows:
        raise DataError(f"the table {str(path)!r} has a header but no rows. Add one row for each picture.")
    check_cells(path, rows, filled)
    kept = _distinct(path, rows, _locate(cells, rows), ignored)
    entries = [
        Entry(
            path=Path(file),
            target=kind.read(row.label),
            split=split_named(row.split),
            group=row.group,
            fold=row.fold,
        )
        for file, row in kept
    ]
    entries.sort(key=lambda entry: entry.path)
    root = Path(cells.locator.root)
    return Listing(
        source=path,
        entries=tuple(entries),
        classes=tuple(sorted(named_classes(entry.target for entry in entries).union(classes))),
        task=task,
        ignored=dict(sorted(ignored.items())),
        notes=(*notes, *cells.notes),
        root=None if root == path.parent else root,
    )


def check_cells(path: Path, rows: Sequence[TableRow], filled: Sequence[str]) -> None:
    """Raises: DataError where a cell of `filled` is empty, or a split unknown or missing for some rows."""
    table = f"the table {str(path)!r}"
    for name in filled:
        empty = [row.number for row in rows if not getattr(row, name)]
        if empty:
            raise DataError(f"{table} has no {name} in {named_rows(empty)}. Fill it in, or remove the row.")
    unknown = [row for row in rows if row.split and split_named(row.split) is None]
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


def _locate(cells: Cells, rows: Sequence[TableRow]) -> list[str]:
    """Each row's file as reached from the table's folder; where it should be, if it is not there."""
    found = [cells.locator.find(row.path) for row in rows]
    missing = [(row.number, row.path) for row, file in zip(rows, found, strict=True) if file is None]
    check_missing(cells.path, cells.locator, missing, len(rows))
    return [file or cells.locator.expected(row.path) for row, file in zip(rows, found, strict=True)]


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
            # A NUL can come from a table only, and names no folder.
            real_folders[folder] = folder if "\0" in folder else os.path.realpath(folder)
        earlier = first.setdefault((real_folders[folder], name), row)
        if earlier is row:
            kept.append((file, row))
            continue
        ignored["row repeated"] += 1
        for what, one, other in (
            ("label", earlier.label, row.label),
            ("split", split_named(earlier.split) or "", split_named(row.split) or ""),
            ("group", earlier.group, row.group),
            ("fold", earlier.fold, row.fold),
        ):
            if one != other:
                raise DataError(
                    f"{row.path!r} has two {what}s in {str(path)!r}: {one!r} in row {earlier.number} and {other!r} in "
                    f"row {row.number}. Keep one of the two rows."
                )
    return kept
