"""List the labelled pictures that a CSV file names. In: Path. Out: Listing. Next: multilabel_table.py.

Columns: path, label[, split][, group], in any order, beside others. Paths count from the folder of the CSV file.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tellapart.bundle import TaskName
from tellapart.data.cells import Cells, named_rows
from tellapart.data.examples import Entry, Listing, Split, named_classes
from tellapart.data.layouts import SPLIT_WORDS
from tellapart.data.targets import ClassName, ClassNames, Target
from tellapart.errors import DataError
from tellapart.sources.reading import exists

_SPLITS: Mapping[str, Split] = {**SPLIT_WORDS, "dev": "validation"}
_OPTIONAL = ("split", "group")


class TableRow(NamedTuple):
    """One row's cells, stripped. `number` counts as a spreadsheet does: the header is row 1."""

    number: int
    path: str
    label: str  # the text of the target
    split: str
    group: str


def read_table(path: Path) -> Listing:
    """List the files that a table names, sorted by path; each file once, labels in Unicode normal form C.

    Raises: DataError with row numbers where the table breaks a rule; StorageError if it cannot be read.
    """
    ignored: Counter[str] = Counter()
    return list_classes(Cells(path, ignored), ignored)


def list_classes(cells: Cells, ignored: Counter[str], column: str = "label") -> Listing:
    """The same of a table that is open already, with the labels in `column`. Raises: DataError as `read_table`."""
    return make_listing(cells.path, rows_with(cells, column), ignored, kind=ClassName)


def read_rows(path: Path, ignored: Counter[str]) -> list[TableRow]:
    """The rows of any table that has the columns path and label; cells may be empty. Blank rows are counted in `ignored`.

    Raises: DataError, StorageError as `read_table`.
    """
    return rows_with(Cells(path, ignored), "label")


def rows_with(cells: Cells, column: str) -> list[TableRow]:
    """The rows of a table with the columns path and `column`, whose cells are the labels in Unicode normal form C.

    A run's examples.csv is a table, too: its column target stands for one that is missing. Raises: DataError.
    """
    names = [name.casefold() for name in cells.header]
    if column not in names:
        names = [column if name == "target" else name for name in names]
    columns = columns_of(cells.path, names, ("path", column))
    rows = []
    for number, row in cells.rows():
        file, label, split, group = (row[place] if place >= 0 else "" for place in columns)
        rows.append(TableRow(number, file, unicodedata.normalize("NFC", label), split, group))
    return rows


def columns_of(path: Path, names: Sequence[str], required: Sequence[str]) -> list[int]:
    """The positions of the required columns, split and group in a header in lower case; -1 for one that is absent.

    Raises: DataError for a required one that is missing, or any that stands there twice.
    """
    missing = [name for name in required if name not in names]
    if missing:
        found = ", ".join(repr(name) for name in names) or "none"
        raise DataError(
            f"the table {str(path)!r} lacks the column{'s' * (len(missing) > 1)} {' and '.join(map(repr, missing))}; "
            f"its first row has {found}. "
            f"Its first row must name the columns: {','.join(required)} and, if wanted, split and group."
        )
    for name in (*required, *_OPTIONAL):
        if names.count(name) > 1:
            raise DataError(f"the table {str(path)!r} has {names.count(name)} columns called {name!r}. Keep one.")
    return [names.index(name) if name in names else -1 for name in (*required, *_OPTIONAL)]


def make_listing(
    path: Path,
    rows: Sequence[TableRow],
    ignored: Counter[str],
    *,
    kind: type[Target],
    task: TaskName = "classification",
    classes: Iterable[str] = (),
    notes: tuple[str, ...] = (),
) -> Listing:
    """The listing of checked rows, whose labels are texts of targets of a kind; `classes` are there even if no row names them.

    Raises: DataError with row numbers where the table breaks a rule.
    """
    if not rows:
        raise DataError(f"the table {str(path)!r} has a header but no rows. Add one row for each picture.")
    _check_cells(path, rows, ("path",) if kind is ClassNames else ("path", "label"))
    kept = _distinct(path, rows, _locate(path, rows), ignored)
    entries = [
        Entry(
            path=Path(file),
            target=kind.read(row.label),
            split=_SPLITS.get(row.split.casefold()),
            group=row.group,
        )
        for file, row in kept
    ]
    entries.sort(key=lambda entry: entry.path)
    return Listing(
        source=path,
        entries=tuple(entries),
        classes=tuple(sorted(named_classes(entry.target for entry in entries).union(classes))),
        task=task,
        ignored=dict(sorted(ignored.items())),
        notes=notes,
    )


def _check_cells(path: Path, rows: Sequence[TableRow], filled: Sequence[str]) -> None:
    table = f"the table {str(path)!r}"
    for name in filled:
        empty = [row.number for row in rows if not getattr(row, name)]
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
        return "\0" not in file and exists(file)  # in an archive


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
