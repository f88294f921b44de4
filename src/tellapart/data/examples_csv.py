"""The record of a data set: examples.csv. In: list[Example]. Out: a file, and back. Next: features/extract.py."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tellapart.answers.formulas import SafeReader, csv_text
from tellapart.data.examples import SPLITS, Example
from tellapart.data.packed_examples import packed_examples
from tellapart.data.targets import ClassName, Target
from tellapart.errors import DataError
from tellapart.storage import storage_errors, write_bytes

COLUMNS = ("path", "target", "split", "group", "content_hash", "width", "height", "problem")

_OLDER = ("path", "label", *COLUMNS[2:])  # of runs that knew one class a picture only

_RUN_FOLDER = "Give the examples.csv of a run folder, as `tellapart train` wrote it"


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Write one row for each example, UTF-8, RFC 4180; an earlier file is replaced only by a whole one.

    Raises: StorageError when the disk is full or the folder refuses.
    """
    rows = (
        {column: _cell(getattr(example, column)) for column in COLUMNS} | {"target": example.target.text}
        for example in examples
    )
    write_bytes(path, csv_text(COLUMNS, rows).encode("utf-8", "surrogateescape"))


def _cell(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def read_examples(path: Path, kind: type[Target] = ClassName) -> Sequence[Example]:
    """Read what `write_examples` wrote, with targets of that kind; files of older runs have a column `label` instead.

    Raises: DataError with the line that is wrong; StorageError without access.
    """
    with storage_errors(path):
        # No byte order mark is written, but a spreadsheet that saved the file may have put one.
        reader = SafeReader(path.read_bytes().decode("utf-8-sig", "surrogateescape"))

    def told() -> Iterator[Example]:
        targets: dict[str, Target] = {}  # each different one once
        for row in reader:
            yield _example(path, reader.line, row, kind, targets)

    try:
        header = next(reader, [])
        if tuple(header) not in (COLUMNS, _OLDER):
            raise DataError(
                f"{path} has the columns {','.join(header)[:200]!r} instead of {','.join(COLUMNS)!r}. {_RUN_FOLDER}."
            )
        return packed_examples(told())
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line}: not a CSV table ({error}). {_RUN_FOLDER}.") from None


def _example(path: Path, line: int, row: list[str], kind: type[Target], targets: dict[str, Target]) -> Example:
    if len(row) != len(COLUMNS):
        raise DataError(f"{path}, line {line}: {len(row)} cells instead of {len(COLUMNS)}. {_RUN_FOLDER}.")
    cells = dict(zip(COLUMNS, row, strict=True))
    split = next((name for name in SPLITS if name == cells["split"]), None)
    if split is None and cells["split"]:
        raise DataError(
            f"{path}, line {line}: the split is {cells['split']!r}; it must be one of {', '.join(SPLITS)}, or empty. "
            f"{_RUN_FOLDER}."
        )
    for column in ("width", "height"):
        if not (cells[column].isascii() and cells[column].isdigit()):
            raise DataError(
                f"{path}, line {line}: the {column} is {cells[column]!r}; it must be a number of pixels. {_RUN_FOLDER}."
            )
    try:
        target = targets.get(cells["target"]) or targets.setdefault(cells["target"], kind.read(cells["target"]))
    except ValueError as error:
        raise DataError(f"{path}, line {line}: the target is {cells['target']!r}: {error}. {_RUN_FOLDER}.") from None
    return Example(
        path=Path(cells["path"]),
        target=target,
        split=split,
        group=cells["group"],
        content_hash=cells["content_hash"],
        width=int(cells["width"]),
        height=int(cells["height"]),
        problem=cells["problem"],
    )
