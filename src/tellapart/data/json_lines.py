"""A table of JSON objects, one a line or in one list. In: text. Out: Cells. Next: columnar.py."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.answers.predictions import joined
from tellapart.data.cells import Cells
from tellapart.errors import DataError


def open_json(path: Path, text: str, ignored: Counter[str], *, notes: Sequence[str] = ()) -> Cells:
    """The objects as rows, and their keys as columns, in the order in which they come first; what a row lacks is empty.

    Rows are numbered as lines, or as places in the list. A list of words is one cell, joined by | as sets of classes are.
    Raises: DataError where it is no such table.
    """
    objects = list(_objects(path, text))
    if len(objects) == 1 and _is_whole_table(objects[0][1]):
        raise DataError(
            f"{str(path)!r} is one object of JSON with a value for each column or picture, and not a table: give one list of "
            'objects such as [{"path": "a.png", "label": "cat"}], which pandas writes with orient="records", or a CSV.'
        )
    columns = list(dict.fromkeys(key for _, found in objects for key in found))
    rows = [(number, [cell_text(found.get(column)) for column in columns]) for number, found in objects]
    for number, cells in rows:
        if not all(map(_can_be_written, cells)):
            raise DataError(f"line {number} of {str(path)!r} holds half a character (\\ud800 to \\udfff). Correct it.")
    return Cells(path, columns, lambda: rows, ignored, notes=notes)


def cell_text(value: object) -> str:
    """A value of JSON as it would stand in a CSV."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) and item for item in value):
        return joined(value)
    return json.dumps(value, ensure_ascii=False)


def _objects(path: Path, text: str) -> Iterator[tuple[int, dict[str, object]]]:
    if text.lstrip().startswith("["):
        found = _parse(path, 1, text)
        if not isinstance(found, list):
            raise _no_table(path, 1)
        yield from ((number, _object(path, number, item)) for number, item in enumerate(found, start=1))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, _object(path, number, _parse(path, number, line))


def _is_whole_table(found: dict[str, object]) -> bool:
    """Whether a lone object is no row: its values are columns, as pandas writes them, or its keys name pictures."""
    columns = all(isinstance(value, list | dict) for value in found.values())
    pictures = [key for key in found if os.path.splitext(key)[1].lower() in FORMAT_OF_EXTENSION]
    return bool(found) and (columns or bool(pictures))


def _parse(path: Path, number: int, text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _no_table(path, number) from None


def _object(path: Path, number: int, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _no_table(path, number)
    return value


def _no_table(path: Path, number: int) -> DataError:
    return DataError(
        f"{str(path)!r} is not a table of JSON, from line {number} on: each line (or each item of one list) must be an object such "
        'as {"path": "a.png", "label": "cat"}. Correct it, or save it as CSV (UTF-8).'
    )


def _can_be_written(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
