"""Which texts a command line means. In: arguments, standard input. Out: items. Next: asked.py."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tellapart.answers.given import GivenItem
from tellapart.answers.items import PathItem, expand, read_file
from tellapart.errors import DataError, PictureError, StorageError

_STANDARD_INPUT = "-"


def text_items(paths: Sequence[str], list_file: Path | None, column: str | None) -> Iterator[PathItem | GivenItem]:
    """Each line of standard input, each row of a table, each file else; `column` is the table's, where it was told.

    A folder stands for the files in it; of several sources one that cannot be read is an item that says why. Raises: DataError,
    StorageError, MissingFormat.
    """
    from tellapart.data.opening import is_table

    for path in paths:
        if path == _STANDARD_INPUT:
            yield from _lines()
        elif not path.lower().endswith(".txt") and is_table(Path(path)):
            rows = _rows(Path(path), column)
            yield from _or_why_not(rows, path) if len(paths) > 1 else rows
        else:
            yield from _files(path)
    if list_file is not None:
        from tellapart.cli.asked import items

        for item in items((), list_file):
            yield from _files(item.path)


def _or_why_not(rows: Iterator[GivenItem], path: str) -> Iterator[GivenItem]:
    """The texts of a table, up to where it cannot be read; the other sources go on."""
    try:
        yield from rows
    except (DataError, StorageError) as error:
        yield GivenItem(error=str(error).removesuffix("."), path=path)


def _files(path: str) -> Iterator[GivenItem]:
    """A file, or those in a folder, each a text."""
    for item in expand([path], tolerant=True):
        try:
            yield GivenItem(data=b"" if item.error else read_file(item.path), path=item.path, error=item.error)
        except PictureError as error:
            yield GivenItem(error=str(error), path=item.path)


def _lines() -> Iterator[GivenItem]:
    """What stands on standard input, a text a line; blank lines are no texts."""
    with open(sys.stdin.fileno(), "rb", closefd=False) as stream:
        for number, line in enumerate(stream, start=1):
            text = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).rstrip(b"\r\n")
            if text.strip():
                yield GivenItem(data=text, path=f"stdin:{number}")


def _rows(table: Path, column: str | None) -> Iterator[GivenItem]:
    from tellapart.data.texts_table import read_text_column

    for number, text in read_text_column(table, column, Counter()):
        yield GivenItem(data=text, path=f"{table}:{number}")
