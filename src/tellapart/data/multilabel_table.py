"""List pictures of several classes each that a CSV file names. In: Path. Out: Listing. Next: listing.py.

Either a column `labels` whose cells hold names with a separator between them (`cat|dog`; `?cow`: whether a cow is in it is not
known; an empty cell: none of them), or one column a class with 1 or 0 (true, false, yes, no; an empty cell: not known).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.data.cells import Cells, named_rows
from tellapart.data.columns import NOT_READ
from tellapart.data.examples import Listing
from tellapart.data.set_cells import SEPARATOR, escaped, is_list, listed_names, split_names
from tellapart.data.table import TableRow, columns_of, make_listing, rows_with
from tellapart.data.targets import ClassNames
from tellapart.errors import DataError

_TRUTH: Mapping[str, bool | None] = {
    **dict.fromkeys(("1", "1.0", "true", "yes"), True),
    **dict.fromkeys(("0", "0.0", "false", "no"), False),
    "": None,  # not known
}
_RESERVED = ("path", "split", "group", "fold")
# What a cell of a table without the usual one may have instead; what is often part of a name ("hot dog", "n/a") only where every
# word is one of other cells, too.
_OTHER_SEPARATORS = (";", ",", "\u3001", "\uff0c", "\uff1b")
_IN_NAMES_TOO = (" ", "/", "+", "&")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRows:
    """Rows whose labels are texts of sets."""

    rows: list[TableRow]
    classes: tuple[str, ...]  # that the table has, even if no row names them
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassColumns:
    """The columns that hold 0 and 1."""

    places: Mapping[str, int]  # name -> place in a row
    doubtful: (
        tuple[str, int, str] | None
    )  # of a column with other things beside them: its name, a row's number, the cell


def list_label_sets(cells: Cells, ignored: Counter[str], separator: str | None = None) -> Listing:
    """List what the rows of an open table say, sorted by path, each with its set. Raises: DataError with row numbers."""
    found = set_rows(cells, separator)
    return make_listing(
        cells,
        found.rows,
        ignored,
        kind=ClassNames,
        task="multilabel",
        filled=("path",),  # an empty cell of labels is none of them
        classes=found.classes,
        notes=found.notes,
    )


def set_rows(cells: Cells, separator: str | None = None) -> SetRows:
    """The rows of a table with a column labels (or label), or a column a class. Raises: DataError."""
    names = [name.casefold() for name in cells.header]
    column = next((name for name in ("labels", "label") if name in names), None)
    if column is None:
        return _from_columns(cells, separator)
    return _from_cells(cells, column, separator)


def written_here(cells: Cells, separator: str | None) -> str | None:
    """The separator of a table of corrections: the usual one where only that is in it, as in those that tellapart writes itself."""
    names = [name.casefold() for name in cells.header]
    column = next((place for place, name in enumerate(names) if name in ("labels", "label")), None)
    if column is None or separator in (None, SEPARATOR):
        return separator
    values = [row[column] for _, row in cells.rows()]
    usual = any(SEPARATOR in value for value in values)
    # A blank is in many names; as a separator it counts only where the usual one is nowhere.
    return None if usual and (separator == " " or not any(separator in value for value in values)) else separator


def class_columns(cells: Cells) -> ClassColumns:
    """Which columns hold 0 and 1 alone, and whether one holds other things beside them. Raises: DataError."""
    places: dict[str, int] = {}
    doubtful: tuple[str, int, str] | None = None
    for place, header in enumerate(cells.header):
        name = unicodedata.normalize("NFC", header)
        if name.casefold() in _RESERVED or name.endswith(NOT_READ):
            continue
        column = [(number, row[place]) for number, row in cells.rows() if row[place]]
        others = [(number, cell) for number, cell in column if cell.casefold() not in _TRUTH]
        if not others and column:
            _check_name(cells, name, place, places)
            places[name] = place
        elif len(others) < len(column) and doubtful is None:
            doubtful = (name, *others[0])
    return ClassColumns(places=places, doubtful=doubtful)


def _check_name(cells: Cells, name: str, place: int, places: Mapping[str, int]) -> None:
    if not name or name in places:
        what = f"two columns called {name!r}" if name else f"no name for column {place + 1}"
        raise DataError(
            f"the table {str(cells.path)!r} has {what}, though each column of 0 and 1 is a class. "
            "Give every class a column with a name of its own."
        )


def _from_columns(cells: Cells, separator: str | None) -> SetRows:
    columns = columns_of(cells, ("path",))
    found = class_columns(cells)
    table = f"the table {str(cells.path)!r}"
    if found.doubtful is not None:
        name, number, cell = found.doubtful
        raise DataError(
            f"{table} has {cell!r} in the column {name!r}, row {number}, where other rows have 0 or 1 (true, false, yes, no, or "
            "nothing for not known). Correct it, or take the column out if it is no class."
        )
    if not found.places:
        raise DataError(
            f"{table} has neither a column labels, with names such as 'cat{SEPARATOR}dog', nor columns of 0 and 1, one a class. "
            "Add the one or the others beside the column path."
        )
    if separator is not None:
        raise DataError(
            f"{table} has a column of 0 and 1 for each class, in which nothing is separated. Leave --label-separator out."
        )
    rows = []
    for number, row in cells.rows():
        truth = {name: _TRUTH[row[place].casefold()] for name, place in found.places.items()}
        target = ClassNames(
            tuple(name for name, value in truth.items() if value),
            tuple(name for name, value in truth.items() if value is None),
        )
        file, split, group, fold = (row[place] if place >= 0 else "" for place in columns)
        rows.append(TableRow(number, file, target.text, split, group, fold))
    single = "a table with path,label would train one class a picture"
    notes = _notes(cells.path, rows, f"{len(found.places)} columns of 0 and 1 say", single)
    return SetRows(rows=rows, classes=tuple(found.places), notes=notes)


def _from_cells(cells: Cells, column: str, separator: str | None) -> SetRows:
    rows = rows_with(cells, column)
    filled = [row.label for row in rows if row.label]
    if filled and all(map(is_list, filled)):
        rows, separator = _lists_as_sets(cells.path, column, rows), SEPARATOR
    elif separator is None and not any(SEPARATOR in row.label for row in rows):
        _check_separator(cells.path, column, rows)
    if separator not in (None, SEPARATOR):
        _check_usual(cells.path, column, rows, separator)
    read: dict[str, ClassNames] = {}
    for row in rows:
        if row.label not in read:
            try:
                read[row.label] = ClassNames.read(row.label, separator or SEPARATOR)
            except ValueError as error:
                same = [other.number for other in rows if other.label == row.label]
                raise DataError(
                    f"the table {str(cells.path)!r} has {row.label!r} in the column {column!r}, {named_rows(same)}: {error}. "
                    f"Correct it: names stand between {(separator or SEPARATOR)!r}, and an empty cell is none of them."
                ) from None
    found = [row._replace(label=read[row.label].text) for row in rows]
    unknown = {name for target in read.values() for name in target.unknown}
    single = "--task classification trains one class a picture"
    notes = _notes(cells.path, found, f"the column {column!r} says", single)
    return SetRows(rows=found, classes=tuple(sorted(unknown)), notes=notes)


def _lists_as_sets(path: Path, column: str, rows: Sequence[TableRow]) -> list[TableRow]:
    """The rows, all of which have a list or nothing, with sets for lists such as ['cat', 'dog'].

    Raises: DataError for one that cannot be read.
    """
    found = []
    for row in rows:
        names = listed_names(row.label) if row.label else []
        if names is None:
            raise DataError(
                f"the table {str(path)!r} has {row.label[:100]!r} in the column {column!r}, row {row.number}, which looks like a "
                f"list and cannot be read as one of names. Write it as ['cat', 'dog'], or the names joined by {SEPARATOR}."
            )
        found.append(row._replace(label=SEPARATOR.join(map(escaped, names))))
    return found


def _check_separator(path: Path, column: str, rows: Sequence[TableRow]) -> None:
    """Raises: DataError where the cells seem to be separated by something else than the usual separator."""
    for separator, doubtful in _doubts(rows):
        same = sum(separator in row.label for row in rows)
        raise DataError(
            f"the table {str(path)!r} has no {SEPARATOR!r} in its column {column!r}, but {separator!r} in {same:,} cells, such as "
            f"{doubtful.label!r} in row {doubtful.number}. Give --label-separator {separator!r} if it stands between names, or "
            f"--label-separator {SEPARATOR!r} if it is part of a name."
        )


def _check_usual(path: Path, column: str, rows: Sequence[TableRow], separator: str | None) -> None:
    """Raises: DataError where another separator was asked for that is not there, or a space, and the usual one is."""
    usual = [row for row in rows if re.search(r"(?<!\\)\|", row.label)]
    if usual and (separator == " " or not any(str(separator) in row.label for row in rows)):
        raise DataError(
            f"the table {str(path)!r} has {SEPARATOR!r} in its column {column!r} in {len(usual):,} cells, such as "
            f"{usual[0].label!r} in row {usual[0].number}, where --label-separator is {separator!r}. Leave it out, or write "
            f"\\{SEPARATOR} where it is part of a name."
        )


def _doubts(rows: Sequence[TableRow]) -> Iterator[tuple[str, TableRow]]:
    """Separators that may be meant, each with a row."""
    for separator in _OTHER_SEPARATORS:
        yield from ((separator, row) for row in rows if separator in row.label)
    for separator in _IN_NAMES_TOO:
        words = {row.label: split_names(row.label, separator) for row in rows}
        cells_with = Counter(word for found in words.values() for word in set(found))
        for row in rows:
            found = words[row.label]
            if len(found) > 1 and all(word and cells_with[word] > 1 for word in found):
                yield separator, row


def _notes(path: Path, rows: Sequence[TableRow], found: str, single: str) -> tuple[str, ...]:
    """What was found, and what else it may be."""
    targets = [ClassNames.read(text) for text in {row.label for row in rows}]
    classes = {name for target in targets for name in (*target.names, *target.unknown)}
    note = f"{path}: {found} which of {len(classes):,} classes a picture shows, several or none (task multilabel)."
    most_one = targets and all(len(target.names) + len(target.unknown) <= 1 for target in targets)
    return (note, f"Every picture has at most one label; {single}.") if most_one else (note,)
