"""Which task a data set is for, and its pictures. In: a folder or table, ReadOptions. Out: Listing. Next: inspection.py.

A folder, or a table with path,label: classification. A table with path,labels, or with path and at least two columns of 0 and 1:
multilabel. A folder with annotations of boxes, or a table with path,xmin,ymin,xmax,ymax,label: detection. What is told wins; what
is doubtful is refused.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tellapart.answers.items import expand
from tellapart.bundle import TaskName
from tellapart.data.archive_tree import UnknownNames
from tellapart.data.boxes_table import has_boxes, list_boxes
from tellapart.data.cells import Cells
from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.file_names import NAMES_TRIED, hint, pattern_of, scan_names
from tellapart.data.folder import scan
from tellapart.data.label_shapes import check_labels
from tellapart.data.metadata import find_metadata, together
from tellapart.data.multilabel_table import class_columns, list_label_sets
from tellapart.data.names import merge_names, without_blanks
from tellapart.data.opening import is_table
from tellapart.data.other_tasks import OtherTask, box_form
from tellapart.data.table import list_classes, read_cells
from tellapart.data.table_folders import TableFolder, find_tables
from tellapart.data.targets import SEPARATOR, Boxes
from tellapart.errors import DataError, SettingsError
from tellapart.sources.reading import is_archive

TASKS: tuple[TaskName, ...] = ("classification", "multilabel", "detection")  # that have readers

_FOUND = ReadOptions()
# What only a table has, by the flag that tells it.
_OF_TABLES = {
    "encoding": "--encoding",
    "path_column": "--path-column",
    "label_column": "--label-column",
    "split_column": "--split-column",
    "group_column": "--group-column",
    "root": "--root",
    "extension": "--extension",
}


def read_listing(path: Path, options: ReadOptions = _FOUND) -> Listing:
    """Read a folder or a table, by what is there and what was told.

    Raises: DataError where it breaks a rule or may mean two things; SettingsError for a task without readers, or an option that
    does not fit; StorageError.
    """
    if options.task is not None and options.task not in TASKS:
        raise SettingsError(
            f"the task is {options.task!r}, which this tellapart does not read. Use {', '.join(TASKS[:-1])} or {TASKS[-1]}."
        )
    if lone := _is_lone_annotation(path):
        raise DataError(
            f"{str(path)!r} is {lone}, which names pictures that lie around it. Give the folder that holds both."
        )
    listing = _read_table(path, options) if is_table(path) else without_blanks(_read_folder(path, options))
    return merge_names(listing) if options.merge_names else listing


def _read_table(path: Path, options: ReadOptions) -> Listing:
    ignored: Counter[str] = Counter()
    return _list_table(read_cells(path, ignored, options), ignored, options)


def _list_table(cells: Cells, ignored: Counter[str], options: ReadOptions) -> Listing:
    task = options.task or _find_task(cells)
    if task == "detection":
        return list_boxes(cells, ignored, told=options.task is not None)
    if task == "multilabel":
        listing = list_label_sets(cells, ignored, options.separator)
        return listing if options.task is None else replace(listing, notes=listing.notes[1:])
    if options.separator is not None:
        raise DataError(
            f"the table {str(cells.path)!r} gives each picture one class, which --label-separator {options.separator!r} does not "
            f"cut. Leave it out{'' if options.task_of_model else ', or give --task multilabel'}."
        )
    return _read_classes(cells, ignored, options.task)


def _read_folder(path: Path, options: ReadOptions) -> Listing:
    if options.label_from is None:
        shards = find_tables(path)
        beside = _read_metadata(path, options) if shards is None else _read_shards(path, shards, options)
        if beside is not None:
            return beside
    whole = is_archive(path)
    told = [
        flag
        for name, flag in _OF_TABLES.items()
        if getattr(options, name) is not None and not (whole and name == "encoding")
    ]
    if told:
        raise SettingsError(
            f"{told[0]} is about a table, and {str(path)!r} is none. Leave it out, or give a table such as a CSV with path,label."
        )
    if options.label_from is not None and (whole or path.is_dir()):
        listing = scan_names(path, pattern_of(options.label_from))
    else:
        listing = _scan(path, options)
    if options.task == "multilabel" or options.separator is not None:
        if options.task_of_model and options.separator is None:
            raise DataError(
                f"{str(path)!r} gives each picture one class, its folder's name, and the model names several a picture, or none "
                "(multilabel). Test it on a table: a CSV with path,labels or with a column of 0 and 1 for each class."
            )
        what = "--task multilabel" if options.task == "multilabel" else "--label-separator"
        raise DataError(
            f"the folder {str(path)!r} gives each picture one class, its folder's name; {what} needs a CSV with path,labels or "
            f"with a column of 0 and 1 for each class. Give such a table, or leave {what} out."
        )
    return listing


def _scan(path: Path, options: ReadOptions) -> Listing:
    told = options.task is not None and not options.task_of_model
    if told and options.task == "detection":
        return _read_boxes(path, options, told=True)
    try:
        return scan(path, told=told, encoding=options.encoding)
    except DataError as error:
        if isinstance(error, OtherTask):
            if options.task in (None, "detection") and error.look is not None and error.look.boxes is not None:
                return _with_boxes(path, options, error)
            raise
        if isinstance(error, UnknownNames):
            raise
        if without := _without_labels(path, options):
            raise DataError(f"{error} {without}") from None
        loose = itertools.islice(expand([str(path)]), NAMES_TRIED) if os.path.isdir(path) or is_archive(path) else ()
        raise DataError(f"{error}{hint(item.path for item in loose)}") from None


def _is_lone_annotation(path: Path) -> str:
    """What a file holds that describes the pictures of a folder, in words; "" for any other file."""
    if path.suffix.lower() not in (".json", ".yaml", ".yml") or not path.is_file():
        return ""
    form = box_form(str(path))
    return {"coco": "annotations in COCO's JSON", "yolo": "the settings of a YOLO data set"}.get(form or "", "")


def _read_boxes(path: Path, options: ReadOptions, *, told: bool) -> Listing:
    # Only now: XML and YAML are read for boxes alone.
    from tellapart.data.boxes_listing import read_boxes

    return read_boxes(path, told=told, encoding=options.encoding)


def _with_boxes(path: Path, options: ReadOptions, refused: OtherTask) -> Listing:
    """The boxes that were found without being asked for. Raises: OtherTask where there are shapes and no box among them."""
    listing = _read_boxes(path, options, told=options.task is not None)
    boxes = sum(len(entry.target.boxes) for entry in listing.entries if isinstance(entry.target, Boxes))
    shapes = sum(fault.times for fault in listing.box_faults.get("around a shape", ()))
    if boxes and shapes >= boxes:
        raise OtherTask(f"{refused} --task detection reads the boxes around its shapes.") from None
    return listing


def _read_metadata(folder: Path, options: ReadOptions) -> Listing | None:
    """What tables beside the pictures say, as Hugging Face's folders have them; None where they have no labels."""
    found = []
    for metadata in find_metadata(folder):
        ignored: Counter[str] = Counter()
        cells = read_cells(metadata.table, ignored, options)
        names = {name.casefold() for name in cells.header}
        if "path" not in names or not names & {"label", "labels"}:
            return None  # captions or boxes; the folders may say the class
        found.append((metadata, _list_table(cells, ignored, options)))
    return together(folder, found) if found else None


def _read_shards(folder: Path, shards: TableFolder, options: ReadOptions) -> Listing:
    """Tables that are one data set. Raises: DataError where they have no labels, or are for different tasks; MissingFormat."""
    found = []
    for shard in shards.tables:
        ignored: Counter[str] = Counter()
        found.append((shard, _list_table(read_cells(shard.table, ignored, options), ignored, options)))
    listing = together(folder, found)
    return replace(listing, notes=(*listing.notes, *shards.notes))


def _without_labels(folder: Path, options: ReadOptions) -> str:
    """A sentence on a table beside the pictures that has no labels; "" where there is none."""
    for metadata in find_metadata(folder) if os.path.isdir(folder) else ():
        header = read_cells(metadata.table, Counter(), options).header
        return (
            f"{metadata.table} describes pictures, but no column of it is called as classes are; its columns are "
            f"{', '.join(map(repr, header))}. Say which holds the classes with --label-column NAME."
        )
    return ""


def _find_task(cells: Cells) -> TaskName:
    names = [name.casefold() for name in cells.header]
    if has_boxes(cells):
        return "detection"
    if "label" in names or "path" not in names:
        return "classification"
    if "labels" in names:
        return "multilabel"
    found = class_columns(cells)
    return "multilabel" if len(found.places) + (found.doubtful is not None) > 1 else "classification"


def _read_classes(cells: Cells, ignored: Counter[str], told: TaskName | None) -> Listing:
    names = [name.casefold() for name in cells.header]
    if "label" not in names and "labels" in names:
        return _read_single_labels(cells, ignored)
    listing = list_classes(cells, ignored)
    notes = list(listing.notes)
    if told is None:
        notes.append(check_labels(cells.path, [entry.target.text for entry in listing.entries]))
        if "labels" in names:
            what = "it has a column label and a column labels: label is read, one class a picture. --task multilabel reads labels."
            notes.append(f"{cells.path}: {what}")
    return replace(listing, notes=tuple(note for note in notes if note))


def _read_single_labels(cells: Cells, ignored: Counter[str]) -> Listing:
    """The column labels, of which the task says that each cell is one name."""
    listing = list_classes(cells, ignored, "labels")
    several = [name for name in listing.classes if SEPARATOR in name]
    if several:
        raise DataError(
            f"the table {str(cells.path)!r} has {several[0]!r} in the column 'labels', which names several classes, but the task "
            "is classification. Give --task multilabel, or rename the column to label if it is one name."
        )
    return listing
