"""A folder of pictures with a table beside them, as Hugging Face's ImageFolder has it. In: a folder. Out: tables. Next: listing.py.

FOLDER/metadata.csv (or .jsonl, .parquet) with file_name and a label; or one in each of FOLDER/train, FOLDER/test ...
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tellapart.data.columns import split_named
from tellapart.data.examples import Listing, Split
from tellapart.data.faults import joined
from tellapart.errors import DataError

_NAMED = 5  # tables that a sentence names
_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


class Metadata(NamedTuple):
    """A table in the folder whose pictures it labels."""

    table: Path
    split: Split | None  # that the folder's name says


def find_metadata(folder: Path) -> list[Metadata]:
    """The folder's own table, or those in the folders that are called as splits."""
    own = _table_in(folder)
    if own is not None:
        return [Metadata(own, None)]
    try:
        inner = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir() and split_named(entry.name))
    except OSError:
        return []  # told by who lists the folder
    tables = [(path, _table_in(Path(path))) for path in inner]
    if not tables or any(table is None for _, table in tables):
        return []
    return [Metadata(table, split_named(Path(path).name)) for path, table in tables if table is not None]


def together(folder: Path, found: Sequence[tuple[Metadata, Listing]]) -> Listing:
    """One listing of all tables. Raises: DataError where they are for different tasks."""
    tasks = {listing.task for _, listing in found}
    if len(tasks) > 1:
        raise DataError(
            f"the tables in {str(folder)!r} are for different tasks, {' and '.join(sorted(tasks))}. Say which with --task."
        )
    entries = [replace(entry, split=one.split or entry.split) for one, listing in found for entry in listing.entries]
    ignored: dict[str, int] = {}
    for _, listing in found:
        for reason, number in listing.ignored.items():
            ignored[reason] = ignored.get(reason, 0) + number
    tables = [str(one.table.relative_to(folder)) for one, _ in found]
    more = f" and {len(tables) - _NAMED:,} more" if len(tables) > _NAMED else ""
    read = f"{', '.join(tables[:_NAMED])}{more}"
    notes = dict.fromkeys(note for _, listing in found for note in listing.notes)
    return Listing(
        source=folder,
        entries=tuple(sorted(entries, key=lambda entry: entry.path)),
        classes=tuple(sorted({name for _, listing in found for name in listing.classes})),
        task=found[0][1].task,
        ignored=dict(sorted(ignored.items())),
        notes=(f"{folder}: labels are read from {read}.", *notes),
        faults=joined(*(listing.faults for _, listing in found)),
        told_values=found[0][1].told_values,
    )


def _table_in(folder: Path) -> Path | None:
    return next((path for path in (folder / name for name in _NAMES) if path.is_file()), None)
