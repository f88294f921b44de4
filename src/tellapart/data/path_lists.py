"""The pictures that a table names, for who wants no labels. In: a table. Out: their paths, and a word on it. Next: columns.py."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tellapart.answers.items import is_address
from tellapart.data.columns import find_paths
from tellapart.data.opening import open_table


class PathList(NamedTuple):
    """What a table names."""

    paths: tuple[str, ...]  # where each file is, or should be
    note: str  # which column it was, in a sentence


def read_paths(path: Path) -> PathList:
    """The paths in a table, row by row, found beside the table or from where one stands; addresses as they are.

    Raises: DataError where no column, or more than one, names files; StorageError; MissingFormat.
    """
    cells, place, name = find_paths(open_table(path, Counter()))
    found = []
    for _, row in cells.rows():
        cell = row[place]
        if is_address(cell):
            found.append(cell)
        elif cell:
            beside = cells.locator.find(cell)
            found.append(os.path.normpath(beside or (cell if os.path.exists(cell) else cells.locator.expected(cell))))
    return PathList(tuple(found), f"{path} is a table: its pictures are those of the column {name}.")
