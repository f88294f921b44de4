"""Which task a data set is for, and its pictures. In: a folder or table, ReadOptions. Out: Listing. Next: inspection.py.

What is told wins; else the readers are asked from the most special one to the plainest, and folders are folders of classes unless
they look like another task's. What is doubtful is refused.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from tellapart.answers.items import expand
from tellapart.data.archive_tree import UnknownNames
from tellapart.data.array_folders import find_array_files, refuse_pickle
from tellapart.data.cells import Cells
from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.file_names import NAMES_TRIED, hint, pattern_of, scan_names
from tellapart.data.folder import scan
from tellapart.data.given_splits import train_on
from tellapart.data.metadata import find_metadata, together
from tellapart.data.names import merge_names, without_blanks
from tellapart.data.opening import is_table
from tellapart.data.other_tasks import Look, OtherTask, box_form
from tellapart.data.reader import TaskReader
from tellapart.data.readers import READERS
from tellapart.data.several import Several, find_several
from tellapart.data.shards import list_shards
from tellapart.data.table import read_cells
from tellapart.data.table_folders import TableFolder, find_tables
from tellapart.errors import DataError, SettingsError
from tellapart.sources.reading import is_archive
from tellapart.sources.remote.addresses import looks_like_address, tell

_FOUND = ReadOptions()
# What only a table has, by the flag that tells it.
_OF_TABLES = {
    "encoding": "--encoding",
    "path_column": "--path-column",
    "text_column": "--text-column",
    "label_column": "--label-column",
    "split_column": "--split-column",
    "group_column": "--group-column",
    "fold_column": "--fold-column",
    "root": "--root",
    "extension": "--extension",
}


def read_listing(path: Path, options: ReadOptions = _FOUND) -> Listing:
    """Read a folder or a table, by what is there and what was told.

    Raises: DataError where it breaks a rule or may mean two things; SettingsError for a task without readers, or an option that
    does not fit; StorageError.
    """
    if options.task is not None and options.task not in READERS:
        *others, last = READERS
        raise SettingsError(
            f"the task is {options.task!r}, which this tellapart does not read. Use {', '.join(others)} or {last}."
        )
    if lone := _is_lone_annotation(path):
        raise DataError(
            f"{str(path)!r} is {lone}, which names pictures that lie around it. Give the folder that holds both."
        )
    if looks_like_address(path):
        path = Path(tell(path))
    refuse_pickle(path)
    if (several := find_several(path)) is not None:
        listing = without_blanks(_read_several(path, several, options))
    else:
        listing = _read_table(path, options) if is_table(path) else without_blanks(_read_folder(path, options))
    _check_valued(listing, options)
    if options.train_split is not None:
        listing = train_on(listing, options.train_split)
    return merge_names(listing) if options.merge_names else listing


def _check_valued(listing: Listing, options: ReadOptions) -> None:
    """Raises: SettingsError for flags on values of masks, where there are none."""
    reader = READERS[listing.task]
    for flag, told in (("--classes", options.classes), ("--ignore-label", options.ignore_label)):
        if told is not None and not reader.valued and not (listing.numbered and flag == "--classes"):
            raise SettingsError(
                f"{flag} is {told!r}, which is about the values of masks, and {str(listing.source)!r} has {reader.words.several} "
                f"(task {listing.task}). Leave it out."
            )


def _read_table(path: Path, options: ReadOptions) -> Listing:
    for reader in READERS.values():
        if options.task in (None, reader.name) and (listing := reader.alone(path, options)) is not None:
            return listing
    ignored: Counter[str] = Counter()
    return _list_table(read_cells(path, ignored, options), ignored, options)


def _list_table(cells: Cells, ignored: Counter[str], options: ReadOptions) -> Listing:
    if options.task is not None:
        return READERS[options.task].table(cells, ignored, options)
    reader = next(reader for reader in reversed(list(READERS.values())) if reader.finds(cells))
    return reader.table(cells, ignored, options)


def _read_several(path: Path, several: Several, options: ReadOptions) -> Listing:
    """A pattern, or a folder elsewhere."""
    if several.shards:
        return list_shards(path, several.shards, Counter(), (), names=options.classes)
    return replace(_read_shards(several.folder, several.tables, options), source=path)


def _read_folder(path: Path, options: ReadOptions) -> Listing:
    if options.label_from is None:
        shards = find_tables(path) or find_array_files(path)
        beside = _read_metadata(path, options) if shards is None else _read_shards(path, shards, options)
        if beside is not None:
            return beside
    whole = is_archive(path)
    told = [flag for name, flag in _OF_TABLES.items() if getattr(options, name) is not None and name != "encoding"]
    if told:
        raise SettingsError(
            f"{told[0]} is about a table, and {str(path)!r} is none. Leave it out, or give a table such as a CSV with path,label."
        )
    if options.label_from is not None and (whole or path.is_dir()):
        listing = scan_names(path, pattern_of(options.label_from))
    else:
        listing = _scan(path, options)
    if options.encoding is not None and not whole and not READERS[listing.task].encoded:
        raise SettingsError(
            f"--encoding is about a table, and {str(path)!r} is none. Leave it out, or give a table such as a CSV with path,label."
        )
    several = options.task is not None and READERS[options.task].separated
    if several or options.separator is not None:
        _refuse_folder(path, options, f"--task {options.task}" if several else "--label-separator")
    return listing


def _refuse_folder(path: Path, options: ReadOptions, what: str) -> NoReturn:
    """Raises: DataError for folders of classes where `what` was told, or the model's task says, that a picture has several."""
    if options.task_of_model and options.separator is None:
        raise DataError(
            f"{str(path)!r} gives each picture one class, its folder's name, and the model names several a picture, or none "
            f"({options.task}). Test it on a table: a CSV with path,labels or with a column of 0 and 1 for each class."
        )
    raise DataError(
        f"the folder {str(path)!r} gives each picture one class, its folder's name; {what} needs a CSV with path,labels or "
        f"with a column of 0 and 1 for each class. Give such a table, or leave {what} out."
    )


def _scan(path: Path, options: ReadOptions) -> Listing:
    told = options.task is not None and not options.task_of_model
    reader = READERS[options.task] if told and options.task is not None else None
    if reader is not None and reader.folder is not None:
        return reader.folder(path, options, None)
    try:
        return scan(path, told=told, encoding=options.encoding, names=options.classes)
    except DataError as error:
        if isinstance(error, OtherTask):
            found = None if error.look is None else _reader_of(error.look, options)
            if found is not None and found.folder is not None:
                return found.folder(path, options, error)
            raise
        if isinstance(error, UnknownNames):
            raise
        if without := _without_labels(path, options):
            raise DataError(f"{error} {without}") from None
        loose = itertools.islice(expand([str(path)]), NAMES_TRIED) if os.path.isdir(path) or is_archive(path) else ()
        raise DataError(f"{error}{hint(item.path for item in loose)}") from None


def _reader_of(look: Look, options: ReadOptions) -> TaskReader | None:
    """Who reads what looks so: what a model learned, where it may be that as well, or else what it is read as unless told."""
    if options.task is not None:
        return READERS[options.task] if options.task in (look.read_as, *look.task.split(" or ")) else None
    return None if look.read_as is None else READERS[look.read_as]


def _is_lone_annotation(path: Path) -> str:
    """What a file holds that describes the pictures of a folder, in words; "" for any other file."""
    if path.suffix.lower() not in (".json", ".yaml", ".yml", ".csv") or not path.is_file():
        return ""
    form = box_form(str(path))
    return {
        "coco": "annotations in COCO's JSON",
        "yolo": "the settings of a YOLO data set",
        "label_studio": "an export of Label Studio",
    }.get(form or "", "")


def _read_metadata(folder: Path, options: ReadOptions) -> Listing | None:
    """What tables beside the pictures say, as Hugging Face's folders have them; None where they have no labels."""
    found = []
    for metadata in find_metadata(folder):
        ignored: Counter[str] = Counter()
        cells = read_cells(metadata.table, ignored, options)
        names = {name.casefold() for name in cells.header}
        if "path" not in names or not (names & {"label", "labels"} or _reads_beside(cells)):
            return None  # captions; the folders may say the class
        found.append((metadata, _list_table(cells, ignored, options)))
    return together(folder, found) if found else None


def _reads_beside(cells: Cells) -> bool:
    """Whether some reader finds what it reads in a table beside pictures, though no column is called as classes are."""
    return any(reader.beside(cells) for reader in READERS.values())


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
