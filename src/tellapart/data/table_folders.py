"""A folder of tables that are one data set, as Hugging Face keeps them. In: a folder. Out: tables, their splits. Next: listing.py.

data/train-00000-of-00004.parquet, data/test-00000-of-00001.parquet; or train/0000.parquet, or train/data-00000-of-00002.arrow.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from tellapart.data.columns import split_named
from tellapart.data.metadata import Metadata
from tellapart.sources.reading import is_column_table
from tellapart.storage import is_own

_PART = re.compile(r"[-_.]?\d+(-of-\d+)?(-[0-9a-f]{8,})?$")  # of a file's name, which numbers it: -00000-of-00004
_DEEPEST = 3  # folders that may lie in between


class TableFolder(NamedTuple):
    """The tables of one data set, and what was left out."""

    tables: tuple[Metadata, ...]
    notes: tuple[str, ...]


def find_tables(folder: Path) -> TableFolder | None:
    """The tables that a folder holds, in it, in the one folder in it, or in folders called as splits; None for anything else."""
    here = folder
    for _ in range(_DEEPEST):
        files, folders = inside(here)
        tables = [path for path in files if is_column_table(path)]
        if tables and not folders:
            return tables_by_name(tables)
        if tables or not folders:
            return None
        if all(split_named(path.name) for path in folders):
            return _by_folder(folders)
        if len(folders) > 1:
            return None
        here = folders[0]
    return None


def tables_by_name(tables: list[Path]) -> TableFolder:
    """Splits by the names of files; where some say one, those that say none are left out."""
    named = {path: split_named(_PART.sub("", path.stem)) for path in tables}
    if not any(named.values()):
        return TableFolder(tuple(Metadata(path, None) for path in tables), ())
    others = [path.name for path, split in named.items() if split is None]
    note = f"{tables[0].parent}: tables whose names say no split are not read: {', '.join(map(repr, others[:5]))}."
    kept = tuple(Metadata(path, split) for path, split in named.items() if split is not None)
    return TableFolder(kept, (note,) if others else ())


def _by_folder(folders: list[Path]) -> TableFolder | None:
    found = []
    for folder in folders:
        files, inner = inside(folder)
        tables = [path for path in files if is_column_table(path)]
        if inner or not tables:
            return None
        found += [Metadata(path, split_named(folder.name)) for path in tables]
    return TableFolder(tuple(found), ())


def inside(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files and the folders in one, sorted, less what is hidden and what we wrote; nothing where it cannot be listed."""
    try:
        with os.scandir(folder) as listed:
            found = sorted((entry for entry in listed if not entry.name.startswith(".")), key=lambda entry: entry.name)
            return (
                [Path(entry.path) for entry in found if entry.is_file()],
                [Path(entry.path) for entry in found if entry.is_dir() and not is_own(entry.path)],
            )
    except OSError:
        return [], []  # told by who lists the folder
