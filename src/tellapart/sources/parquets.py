"""Pictures that stand in a table: parquet, Arrow, Feather. In: a file. Out: its columns, a picture's bytes. Next: data/locating.py.

A picture's path is the table's with its row behind it: pets.parquet/0000012.jpg. A part of the file is decoded whole for one
picture of it, so the last parts stay in memory: in order each is decoded once, in any order more often.
"""

from __future__ import annotations

import bisect
import errno
import itertools
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tellapart.errors import DataError, PictureError
from tellapart.sources.open_files import OpenFiles
from tellapart.sources.places import open_binary
from tellapart.sources.remote.addresses import is_remote

# What a damaged file makes pyarrow raise: texts that are no UTF-8, dates beyond the calendar ...
DAMAGED = (pa.ArrowException, ValueError, LookupError, TypeError, OverflowError, NotImplementedError)
MAX_PART = 4 * 1024**3  # bytes of a part's pictures, decoded
MAX_CELLS = 1024**3  # bytes of what is no picture, decoded
_PARTS_KEPT = 4
_BATCH = 4096
_MEMBER = re.compile(r"(\d+)(\.\w+)?")


class ColumnFile:
    """One file, open; its parts are row groups or record batches."""

    def __init__(self, path: str) -> None:
        """Raises: pyarrow.ArrowException where it is no such file; OSError."""
        self._parquet: pq.ParquetFile | None = None
        self._batches: list[pa.RecordBatch] = []
        source = pa.PythonFile(open_binary(path), mode="r") if is_remote(path) else pa.memory_map(path)
        if source.read(4) == b"PAR1":
            self._parquet = pq.ParquetFile(source)
            self.schema = self._parquet.schema_arrow
            metadata = self._parquet.metadata
            lengths = [metadata.row_group(part).num_rows for part in range(metadata.num_row_groups)]
        else:
            source.seek(0)
            self.schema, self._batches = _arrow(source)
            lengths = [len(batch) for batch in self._batches]
        self._starts = list(itertools.accumulate(lengths, initial=0))
        self.rows = self._starts[-1]
        self.pictures = [field.name for field in self.schema if _is_picture(field.type)]
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Any] = OrderedDict()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows without the bytes of pictures, whose column says where a picture outside is. Raises: PictureError."""
        columns = [name for name in self.schema.names if name not in self.pictures]
        columns += [f"{name}.path" for name in self.pictures if _has(self.schema.field(name).type, "path")]
        if self._parquet is None:
            yield from (batch.select(self.schema.names) for batch in self._batches)
            return
        self._check(range(self._parquet.metadata.num_row_groups), columns, MAX_CELLS)
        yield from self._parquet.iter_batches(_BATCH, columns=columns)

    def names(self) -> Iterator[str]:
        """What each row's picture is called. Raises: PictureError."""
        row = 0
        for batch in self.batches():
            for place in places(batch, self.pictures):
                yield member_name(row, place if isinstance(place, str) else None)
                row += 1

    def picture(self, row: int) -> bytes:
        """The bytes of the picture in a row.

        Raises: PictureError where there are none, FileNotFoundError where there is no such row.
        """
        if not 0 <= row < self.rows or len(self.pictures) != 1:
            raise FileNotFoundError(errno.ENOENT, _no_such_row(self.rows))
        part = bisect.bisect_right(self._starts, row) - 1
        value = self._part(part)[row - self._starts[part]].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if not data:
            raise PictureError("the table has no bytes there")
        return bytes(data)

    def _part(self, part: int) -> Any:
        with self._lock:
            if part not in self._kept:
                self._kept[part] = self._read(part)
                while len(self._kept) > _PARTS_KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(part)
            return self._kept[part]

    def _read(self, part: int) -> Any:
        name = self.pictures[0]
        if self._parquet is None:
            return self._batches[part].column(name)
        column = f"{name}.bytes" if _has(self.schema.field(name).type, "bytes") else name
        self._check([part], [column], MAX_PART)
        return self._parquet.read_row_group(part, columns=[column]).column(0).combine_chunks()

    def _check(self, parts: Sequence[int], columns: Sequence[str], limit: int) -> None:
        """Raises: PictureError where the columns would take more memory than the limit."""
        metadata: Any = None if self._parquet is None else self._parquet.metadata
        size = 0
        for part in parts:
            group = metadata.row_group(part)
            for place in range(group.num_columns):
                column = group.column(place)
                if any(
                    column.path_in_schema == name or column.path_in_schema.startswith(f"{name}.") for name in columns
                ):
                    size += column.total_uncompressed_size
        if size > limit:
            raise PictureError(
                f"a part of the table takes {size:,} bytes; the limit is {limit:,}. Write it in smaller row groups"
            )


_OPEN_FILES = OpenFiles(ColumnFile, most=_PARTS_KEPT)


def _no_such_row(rows: int) -> str:
    if rows == 0:
        return "the table has no such row"
    return (
        f"the table has no such row; there are {member_name(0, None)} ... {member_name(rows - 1, None)}, counted from 0"
    )


def member_name(row: int, path: str | None) -> str:
    """What a row's picture is called: its number, and the end of the path that it had."""
    ending = os.path.splitext(path or "")[1]
    return f"{row:07d}{ending if re.fullmatch(r'[.][A-Za-z0-9]+', ending) else ''}"


def places(batch: pa.RecordBatch, pictures: Sequence[str]) -> list[Any]:
    """What each row of a batch says of where its picture was; None where it says nothing."""
    for name in pictures:
        if name in batch.schema.names and pa.types.is_struct(batch.schema.field(name).type):
            column = batch.column(name)
            if column.type.get_field_index("path") >= 0:
                return list(column.field("path").to_pylist())
    return [None] * len(batch)


def why_unreadable(error: Exception) -> str:
    """What the library says of a damaged file: its first line, at most 200 characters, without a full stop."""
    return (str(error).splitlines() or [""])[0][:200].rstrip(". ")


def picture_names(table: str) -> list[str]:
    """What the pictures in a table are called, row by row. Raises: DataError where there are none, or it cannot be read."""
    try:
        file = _OPEN_FILES.get(table)
        names = list(file.names())
    except (OSError, PictureError, *DAMAGED) as error:
        raise DataError(
            f"{table!r} cannot be read as parquet or Arrow: {why_unreadable(error)}. Save it again, or name picture files."
        ) from None
    if len(file.pictures) != 1:
        found = ", ".join(map(repr, file.pictures)) or "none"
        raise DataError(
            f"the table {table!r} must have one column of pictures, which holds their bytes; it has {found}. Name picture files, "
            "or give it after --list if it names some."
        )
    return names


def read_picture(table: str, member: str) -> bytes:
    """The bytes of a picture in a table, by its name there. Raises: PictureError; FileNotFoundError where no row has that name."""
    named = _MEMBER.fullmatch(member)
    try:
        return _OPEN_FILES.get(table).picture(-1 if named is None else int(named[1]))
    except PictureError:
        raise
    except (OSError, *DAMAGED) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's; pyarrow raises others of a damaged file
        raise PictureError(f"its table cannot be read: {(str(error).splitlines() or [''])[0][:200]}") from None


def _arrow(source: Any) -> tuple[pa.Schema, list[pa.RecordBatch]]:
    """An Arrow file, or a stream as Hugging Face's cache has it.

    Raises: ArrowInvalid where places in it lead out of its own bytes, which reading would follow.
    """
    try:
        file = pa.ipc.open_file(source)
        schema, batches = file.schema, [file.get_batch(number) for number in range(file.num_record_batches)]
    except pa.ArrowInvalid:
        source.seek(0)
        stream = pa.ipc.open_stream(source)
        schema, batches = stream.schema, list(stream)
    for batch in batches:
        batch.validate(full=True)
    return schema, batches


def _is_picture(kind: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or _has(kind, "bytes"))


def _has(kind: Any, field: str) -> bool:
    return bool(pa.types.is_struct(kind)) and kind.get_field_index(field) >= 0
