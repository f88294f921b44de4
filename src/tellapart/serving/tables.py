"""Texts of a table that was sent, row by row. In: files. Out: names, texts. Next: plain.py.

A CSV would else be one long text, and a wrong answer nobody's fault. It is read as `tellapart predict file.csv` reads it, but in
UTF-8 alone, and none of its cells is looked for as a file of this machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePosixPath

from starlette.requests import Request

from tellapart.errors import DataError
from tellapart.serving.bodies import kind_of, read_apart, shown
from tellapart.serving.refusals import Refusal, TooLarge
from tellapart.serving.written import Sent

COLUMN = "text_column"  # the parameter that names the column of texts
_KINDS = ("text/csv", "application/csv", "text/tab-separated-values")
_ENDINGS = (".csv", ".tsv")
_BETWEEN = (b"\n", b"\r", b",", b";", b"\t", b"|")  # what makes a row or a cell
MAX_PARTS = 1_000_000  # of these in one table: so many blank lines take most of a second of a core
_NAME = "table.csv"  # of a table that came without one


async def with_rows(sent: Sent, request: Request, most: int) -> Sent:
    """The same with the texts of its tables in their places, `most` in all. Raises: Refusal, TooLarge."""
    kind = kind_of(request)
    names = [_table_name(name, kind) for name in sent.names]
    if not any(names):
        return sent
    column = request.query_params.get(COLUMN)
    found: list[tuple[str, bytes | str]] = []
    for table, name, data in zip(names, sent.names, sent.data, strict=True):
        if table and isinstance(data, bytes):
            found += await read_apart(_texts, data, table, column, max(0, most - len(found)))
        else:
            found.append((name, data))
    return Sent(names=[name for name, _ in found], data=[data for _, data in found])


def _table_name(name: str, kind: str) -> str:
    """What a file that was sent is called where it is a table; "" for any other."""
    if not name:
        return _NAME if kind in _KINDS else ""
    return name if PurePosixPath(name).suffix.lower() in _ENDINGS else ""


def _texts(data: bytes, name: str, column: str | None, most: int) -> list[tuple[str, str]]:
    """The texts of one table, each under the table's name and its row, as a spreadsheet counts it."""
    values = sum(map(data.count, _BETWEEN))
    if values > MAX_PARTS:
        raise TooLarge(
            f"{shown(name)!r} has {values:,} lines and separators; at most {MAX_PARTS:,} are read. Send it in parts, as "
            "`tellapart predict --server URL FILE` does."
        )
    try:
        found = [(f"{name}:{number}", text) for number, text in islice(_rows(data, name, column), most + 1)]
    except DataError as error:
        raise Refusal(str(error)) from None
    if len(found) > most:
        raise TooLarge(
            f"{shown(name)!r} brings the texts of one request to more than {most:,}, as many as may wait (--queue). Send it in "
            "parts, as `tellapart predict --server URL FILE` does."
        )
    if not found:
        raise Refusal(f"the table {shown(name)!r} has a header but no rows. Add one row for each text.")
    return found


def _rows(data: bytes, name: str, column: str | None) -> Iterator[tuple[int, str]]:
    from pathlib import Path

    from tellapart.data.columns import find_texts
    from tellapart.data.encodings import known_text
    from tellapart.data.opening import cells_of_text

    text = known_text(shown(name), data, which="holds texts")
    cells = cells_of_text(Path(shown(name)), text, Counter())
    place = find_texts(cells, column, f"?{COLUMN}=")
    for number, row in cells.once():
        yield number, row[place]
