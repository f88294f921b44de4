"""A table in columns: parquet, Arrow, Feather. In: a file. Out: Cells. Next: features.py.

A column may hold the pictures themselves, as data sets of Hugging Face have them: bytes, or bytes and path. Each then has
the path TABLE/ROW.jpg, by which its bytes are found again. Numbers of classes become their names where the file describes them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tellapart.data.cells import Cells, check_size
from tellapart.data.columns import NOT_READ
from tellapart.data.features import described, named
from tellapart.data.json_lines import cell_text
from tellapart.errors import DataError, PictureError, StorageError
from tellapart.sources.parquets import DAMAGED, ColumnFile, member_name, places, why_unreadable

MAX_ROWS = 10_000_000
MAX_BYTES = 1024**4  # it is mapped, not read


def open_columns(path: Path, ignored: Counter[str]) -> Cells:
    """The columns of a file; a column of pictures has the paths of its pictures.

    Raises: DataError where it is no such file, or has two columns of pictures; StorageError if it cannot be read.
    """
    check_size(path, MAX_BYTES)
    try:
        file = ColumnFile(str(path))
        _check(path, file)
        header, rows = _table(path, file)
    except DAMAGED as error:
        raise _unreadable(path, error) from None
    except PictureError as error:
        raise DataError(f"the table {str(path)!r} cannot be read: {error}.") from None
    except OSError as error:
        if error.strerror is None:  # pyarrow's own, of a file that is cut short
            raise _unreadable(path, error) from None
        raise StorageError(f"the table {str(path)!r} cannot be read: {error.strerror}. Check the disk.") from None
    return Cells(path, header, lambda: rows, ignored)


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{str(path)!r} cannot be read as parquet or Arrow: {why_unreadable(error)}. Save it again, or as CSV (UTF-8)."
    )


def _check(path: Path, file: ColumnFile) -> None:
    if len(file.pictures) > 1:
        raise DataError(
            f"the table {str(path)!r} has {len(file.pictures)} columns of pictures, "
            f"{', '.join(map(repr, file.pictures))}. Keep one."
        )
    if file.rows > MAX_ROWS:
        raise DataError(f"the table {str(path)!r} has {file.rows:,} rows; the limit is {MAX_ROWS:,}. Give it in parts.")


def _table(path: Path, file: ColumnFile) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header and the rows, numbered as in a spreadsheet."""
    names = [name for name in file.schema.names if name not in file.pictures]
    features = described(file.schema)
    rows: list[tuple[int, list[str]]] = []
    for values in _values(file, names):
        cells = [_cell(named(value, features.get(name))) for name, value in zip(names, values[1:], strict=True)]
        number = len(rows)
        if file.pictures:
            cells.insert(0, _picture_cell(path, number, values[0]))
        rows.append((number + 2, cells))
    if not file.pictures:
        return names, rows
    return ["path", *(name + NOT_READ if name.casefold() == "path" else name for name in names)], rows


def _values(file: ColumnFile, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Each row: what is known of the place of its picture, and the other columns."""
    for batch in file.batches():
        found = [batch.column(name).to_pylist() for name in names]
        yield from zip(places(batch, file.pictures), *found, strict=True)


def _picture_cell(path: Path, row: int, place: Any) -> str:
    return f"{path.name}/{member_name(row, place if isinstance(place, str) else None)}"


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # pandas makes floats of whole numbers where one is missing
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict | list) for one in value)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, list):
        return cell_text([_cell(item) for item in value])
    return cell_text(value) if isinstance(value, (str, int, float, bool)) or value is None else str(value)
