"""How a predicted row looks. In: answers, and how their task tells them. Out: lines of text, as they come. Next: predict.py."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tellapart.answers.answering import Answering
from tellapart.answers.formulas import SafeWriter
from tellapart.answers.plain_rows import plain_row
from tellapart.cli.speaking import said, said_cell, speaks_chinese

Layout = Callable[[Iterable[Any], Answering[Any, Any], tuple[str, ...], int], Iterator[str]]

UNREADABLE = "unreadable"  # as answers begin their lines
_REMARKS = re.compile(r"(?=  \()")  # behind a path
_WARNING = re.compile(r"^warning: ")
LINE_FEED = r"\u000a"  # as cli/screen.py shows what steers a terminal


def table(answers: Iterable[Any], answering: Answering[Any, Any], classes: tuple[str, ...], top: int) -> Iterator[str]:
    """Aligned columns for a person; an unreadable picture shows its reason. A line feed in a name begins no line."""
    for answer in answers:
        yield _in_own_words(answering.line(answer, top=top), answer.path).replace("\n", LINE_FEED) + "\n"


def as_csv(answers: Iterable[Any], answering: Answering[Any, Any], classes: tuple[str, ...], top: int) -> Iterator[str]:
    """A header and one line a picture, with the columns of the task."""
    yield _csv_line(answering.columns(classes, top=top))
    for answer in answers:
        yield _csv_line(answering.cells(answer, top=top))


def as_jsonl(
    answers: Iterable[Any], answering: Answering[Any, Any], classes: tuple[str, ...], top: int
) -> Iterator[str]:
    """One JSON object a line, as `plain_row` tells it; what is not known is null."""
    for answer in answers:
        yield json.dumps(plain_row(answer, answering, top=top), ensure_ascii=False) + "\n"


def _in_own_words(line: str, path: str) -> str:
    """What is ours in a line, in the language of the screen: that an item is unreadable, and what stands behind its path."""
    before, _, behind = line.partition(f" {path}")
    if not speaks_chinese() or not path:
        return line
    if before.strip() == UNREADABLE:
        before = said_cell(UNREADABLE, len(before))
    return f"{before} {path}{''.join(_remark(one) for one in _REMARKS.split(behind))}"


def _remark(told: str) -> str:
    """`  (why)`: a sentence of the table with its brackets, or one in them."""
    inner = told.strip()[1:-1]
    whole = said(told)
    if not inner or (whole.startswith("  （") and not _WARNING.match(inner)):
        return whole
    return f"  （{said(_WARNING.sub('Warning: ', inner))}）"


LAYOUTS: Mapping[str, Layout] = {"table": table, "csv": as_csv, "jsonl": as_jsonl}


def _csv_line(cells: list[str]) -> str:
    buffer = io.StringIO()
    SafeWriter(buffer, line_end="\n").write(cells)
    return buffer.getvalue()
