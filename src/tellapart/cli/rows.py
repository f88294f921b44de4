"""How a predicted row looks. In: answers, and how their task tells them. Out: lines of text, as they come. Next: predict.py."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tellapart.answers.answering import Answering
from tellapart.answers.formulas import SafeWriter

Layout = Callable[[Iterable[Any], Answering[Any, Any], tuple[str, ...], int], Iterator[str]]

LINE_FEED = r"\u000a"  # as cli/screen.py shows what steers a terminal
_DECIMALS = 6  # of a probability
_KEYS: Mapping[str, str] = {"classes": "top"}  # of an answer's row -> of a line, where they differ


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
    """One JSON object a line: the task's row without pictures, its probabilities rounded; what is not known is null."""
    for answer in answers:
        row = answering.row(answer, top=top, figure=_rounded)
        for name in answering.pictured:
            del row[name]
        row["novelty"] = None if answer.novelty is None else float(f"{answer.novelty:.6g}")  # it has no upper limit
        yield json.dumps({_KEYS.get(name, name): value for name, value in row.items()}, ensure_ascii=False) + "\n"


LAYOUTS: Mapping[str, Layout] = {"table": table, "csv": as_csv, "jsonl": as_jsonl}


def _rounded(probability: float) -> float:
    return round(probability, _DECIMALS)


def _csv_line(cells: list[str]) -> str:
    buffer = io.StringIO()
    SafeWriter(buffer, line_end="\n").write(cells)
    return buffer.getvalue()
