"""Which task a data set is for, and its pictures. In: a folder or CSV, ReadOptions. Out: Listing. Next: inspection.py.

A folder, or a table with path,label: classification. A table with path,labels, or with path and at least two columns of 0 and 1:
multilabel. What is told wins; what is doubtful is refused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from tellapart.bundle import TaskName
from tellapart.data.cells import Cells
from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.folder import scan
from tellapart.data.multilabel_table import class_columns, list_label_sets
from tellapart.data.table import list_classes
from tellapart.data.targets import SEPARATOR
from tellapart.errors import DataError, SettingsError
from tellapart.sources.reading import exists

TASKS: tuple[TaskName, ...] = ("classification", "multilabel")  # that have readers

_FOUND = ReadOptions()


def read_listing(path: Path, options: ReadOptions = _FOUND) -> Listing:
    """Read a folder or a CSV, by what is there and what was told.

    Raises: DataError where it breaks a rule or may mean two things; SettingsError for a task without readers; StorageError.
    """
    if options.task is not None and options.task not in TASKS:
        raise SettingsError(
            f"the task is {options.task!r}, which this tellapart does not learn. Use {' or '.join(TASKS)}."
        )
    if not (exists(path) and path.suffix.lower() in (".csv", ".tsv")):
        return _read_folder(path, options)
    ignored: Counter[str] = Counter()
    cells = Cells(path, ignored)
    task = options.task or _find_task(cells)
    if task == "multilabel":
        listing = list_label_sets(cells, ignored, options.separator)
        return listing if options.task is None else replace(listing, notes=listing.notes[1:])
    if options.separator is not None:
        raise DataError(
            f"the table {str(path)!r} gives each picture one class, which --label-separator {options.separator!r} does not cut. "
            "Leave it out, or give --task multilabel."
        )
    return _read_classes(cells, ignored, options.task)


def _read_folder(path: Path, options: ReadOptions) -> Listing:
    listing = scan(path, told=options.task is not None, encoding=options.encoding)
    if options.task == "multilabel" or options.separator is not None:
        told = "--task multilabel" if options.task == "multilabel" else "--label-separator"
        raise DataError(
            f"the folder {str(path)!r} gives each picture one class, its folder's name; {told} needs a CSV with path,labels or "
            f"with a column of 0 and 1 for each class. Give such a table, or leave {told} out."
        )
    return listing


def _find_task(cells: Cells) -> TaskName:
    names = [name.casefold() for name in cells.header]
    if "label" in names or "path" not in names:
        return "classification"
    if "labels" in names:
        return "multilabel"
    if "target" in names:  # a run's examples.csv
        return "classification"
    found = class_columns(cells)
    return "multilabel" if len(found.places) + (found.doubtful is not None) > 1 else "classification"


def _read_classes(cells: Cells, ignored: Counter[str], told: TaskName | None) -> Listing:
    names = [name.casefold() for name in cells.header]
    if "label" in names and "labels" in names and told is None:
        listing = list_classes(cells, ignored)
        note = "it has a column label and a column labels: label is read, one class a picture. --task multilabel reads labels."
        return replace(listing, notes=(f"{cells.path}: {note}",))
    if "label" in names or "labels" not in names:
        return list_classes(cells, ignored)
    listing = list_classes(cells, ignored, "labels")
    several = [name for name in listing.classes if SEPARATOR in name]
    if several:
        raise DataError(
            f"the table {str(cells.path)!r} has {several[0]!r} in the column 'labels', which names several classes, but the task "
            "is classification. Give --task multilabel, or rename the column to label if it is one name."
        )
    return listing
