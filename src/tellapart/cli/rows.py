"""How a predicted row looks. In: answers, and how their task tells them. Out: lines of text, as they come. Next: predict.py."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tellapart.answers.answering import Answering
from tellapart.answers.formulas import SafeWriter
from tellapart.answers.plain_rows import plain_row

Layout = Callable[[Iterable[Any], Answering[Any, Any], tuple[str, ...], int], Iterator[str]]

LINE_FEED = r"\u000a"  # as cli/screen.py shows what steers a terminal


def table(answers: Iterable[Any], answering: Answering[Any, Any], classes: tuple[str, ...], top: int) -> Iterator[str]:
    """Aligned columns for a person; an unreadable picture shows its reason. A line feed in a name begins no line."""
    for answer in answers:
        yield answering.line(answer, top=top).replace("\n", LINE_FEED) + "\n"


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


LAYOUTS: Mapping[str, Layout] = {"table": table, "csv": as_csv, "jsonl": as_jsonl}


def _csv_line(cells: list[str]) -> str:
    buffer = io.StringIO()
    SafeWriter(buffer, line_end="\n").write(cells)
    return buffer.getvalue()
