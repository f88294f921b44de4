"""Several files that are one data set: of a pattern, or in a folder elsewhere. In: Path. Out: Several. Next: listing.py."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.data.shards import TARS, Shard, named_shards
from tellapart.data.table_folders import TableFolder, tables_by_name
from tellapart.errors import DataError, StorageError
from tellapart.sources.braces import expand_braces, is_pattern
from tellapart.sources.reading import TABLES, is_archive, is_column_table
from tellapart.sources.remote.addresses import is_remote

_NO_TABLES = TableFolder((), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """Shards, or else tables with their pictures."""

    folder: Path  # above all of them
    shards: Sequence[Shard] = ()
    tables: TableFolder = _NO_TABLES


def find_several(path: Path) -> Several | None:
    """What a pattern stands for, or a folder elsewhere holds; None for anything else, one file elsewhere among it.

    Raises: DataError where the files are of other kinds; StorageError; MissingFormat.
    """
    if is_pattern(str(path)):
        return _of_kind(path, expand_braces(str(path)))
    if not is_remote(path) or is_archive(path) or is_column_table(path):
        return None
    if path.suffix and not _may_be_folder(path):
        raise DataError(
            f"{str(path)!r} lies elsewhere, where shards ({', '.join(TARS)}), a .zip and tables with their pictures "
            f"({', '.join(TABLES)}) are read. Give such, or download it."
        )
    from tellapart.sources.remote.blocks import list_remote  # what asks stores is needed by few

    try:
        files = list_remote(path)
    except OSError as error:
        raise StorageError(f"{str(path)!r} cannot be listed: {error.strerror}.") from None
    known = [file for file in files if file.lower().endswith((*TARS, *TABLES))]
    if not known:
        raise DataError(
            f"{str(path)!r} holds {len(files):,} files and no shard: none ends with {', '.join((*TARS, *TABLES))}. Pack the "
            "pictures with `tellapart shard`, and put the shards there."
        )
    return _of_kind(path, known)


def _of_kind(path: Path, files: Sequence[str]) -> Several:
    folder = Path(os.path.commonpath([os.path.dirname(Path(file)) for file in files]))
    if all(file.lower().endswith(TARS) for file in files):
        return Several(folder=folder, shards=named_shards(path, files))
    if all(file.lower().endswith(TABLES) for file in files):
        return Several(folder=folder, tables=tables_by_name([Path(file) for file in files]))
    raise DataError(
        f"{str(path)!r} stands for several files, which must be shards: all {', '.join(TARS)}, or all {', '.join(TABLES)}. "
        "Correct it, or give their folder."
    )


def _may_be_folder(path: Path) -> bool:
    """Whether a name with a dot in it is still likely a folder's: v1.0, data.2026."""
    return path.suffix[1:].isdecimal()
