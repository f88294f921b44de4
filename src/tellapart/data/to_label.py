"""The pictures that wait for a label, and what a model thinks of them. In: a table, a folder. Out: ToLabel. Next: path_lists.py.

`tellapart next RUN UNLABELLED --out todo.csv` writes such a table: path,suggested,probability,why. Any other table with a column of
paths is one, too, and so is a folder of pictures.
"""

from __future__ import annotations

import math
import os
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.answers.items import expand, is_address
from tellapart.answers.predictions import parted
from tellapart.data.cells import Cells
from tellapart.data.columns import find_paths, plain_name
from tellapart.data.opening import is_table, open_table
from tellapart.data.texts_table import holds_texts
from tellapart.errors import DataError
from tellapart.sources.reading import is_archive

_SUGGESTED, _PROBABILITY, _WHY = "suggested", "probability", "why"
_LONGEST_WHY = 300  # characters of a remark that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ToLabel:
    """One picture that a person is to look at."""

    file: str  # its whole path
    name: str  # the same as a person knows it: as the table says it, or from the folder
    suggested: tuple[str, ...] = ()  # what it probably shows; of one class a picture at most one
    probability: float | None = None  # of that, in [0, 1]
    why: str = ""  # why it was chosen, in a few words
    problem: str = ""  # why it cannot be labelled, whatever it shows; "" where it can


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for labels."""

    pictures: tuple[ToLabel, ...]  # in the order in which they are to be looked at, each once
    note: str = ""  # how it was read, in a sentence


def read_waiting(path: Path, *, several: bool = False) -> Waiting:
    """The pictures of a table, row by row, or of a folder or archive, by name.

    With `several` classes a picture a cell of `suggested` holds names between bars.
    Raises: DataError where there is none, or the table has no column of paths; StorageError; MissingFormat.
    """
    if path.is_dir() or is_archive(path):
        found, note = _of_folder(path), ""
    elif is_table(path):
        found, note = _of_table(path, several=several)
    elif path.exists():
        raise DataError(f"{str(path)!r} is no table, folder or archive. Give a CSV with a column path, or a folder.")
    else:
        raise DataError(f"there is nothing at {str(path)!r}. Give a CSV with a column path, or a folder of pictures.")
    if not found:
        raise DataError(f"{str(path)!r} names no picture, so there is nothing to label. Give one that does.")
    once: dict[str, ToLabel] = {}
    for one in found:
        once.setdefault(one.file, one)
    return Waiting(pictures=tuple(once.values()), note=note)


def _of_folder(folder: Path) -> list[ToLabel]:
    root = os.path.abspath(folder)
    pictures = []
    for item in expand([root]):
        if Path(item.path).suffix.lower() in FORMAT_OF_EXTENSION:
            name = Path(os.path.relpath(item.path, root)).as_posix()
            pictures.append(ToLabel(file=item.path, name=name, problem=_unwritable(item.path)))
    return pictures


def _of_table(path: Path, *, several: bool) -> tuple[list[ToLabel], str]:
    table = open_table(path, Counter())
    if holds_texts(table):
        raise DataError(
            f"{str(path)!r} holds texts, and the desk shows pictures. Fill the column `label` of the table in a spreadsheet."
        )
    cells, place, name = find_paths(table)
    places = {role: _column(cells, role) for role in (_SUGGESTED, _PROBABILITY, _WHY)}
    pictures = []
    for _, row in cells.rows():
        if not row[place]:
            continue
        told = {role: row[at] if at is not None else "" for role, at in places.items()}
        file, problem = _file(cells, row[place])
        pictures.append(
            ToLabel(
                file=file,
                name=row[place],
                suggested=_names(told[_SUGGESTED], several=several),
                probability=_share(told[_PROBABILITY]),
                why=told[_WHY][:_LONGEST_WHY],
                problem=problem,
            )
        )
    return pictures, "" if name == repr("path") else f"{path} is a table: its pictures are those of the column {name}."


def _column(cells: Cells, role: str) -> int | None:
    names = [plain_name(name) for name in cells.header]
    return names.index(role) if role in names else None


def _file(cells: Cells, cell: str) -> tuple[str, str]:
    """Where the picture is, and why it cannot be labelled; "" where it can."""
    if is_address(cell):
        return cell, "it is an address; only files are labelled. Fetch it first"
    found = cells.locator.find(cell)
    file = os.path.abspath(found or cells.locator.expected(cell)) if "\0" not in cell else cell
    return file, _unwritable(file) if found else "there is no such file"


def _unwritable(file: str) -> str:
    """Why no table of labels could name a file; "" where one can."""
    try:
        file.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8, which a table cannot hold. Rename it"
    if os.path.basename(file) != os.path.basename(file).strip():
        return "its name begins or ends with a blank, which a table does not keep. Rename it"
    return ""


def _names(cell: str, *, several: bool) -> tuple[str, ...]:
    text = unicodedata.normalize("NFC", cell)
    if not several:
        return (text,) if text else ()
    return tuple(dict.fromkeys(name for part in parted(text) if (name := part.strip())))


def _share(cell: str) -> float | None:
    try:
        share = float(cell)
    except ValueError:
        return None
    return share if math.isfinite(share) and 0 <= share <= 1 else None
