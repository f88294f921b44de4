"""A report becomes one HTML file. In: Report, a language. Out: text. Next: workflows/report.py.

Jinja2 escapes every text, so that a class name with HTML in it is shown, not run; a content security policy in the page
lets it load nothing from anywhere. Which blocks stand on it, and in what words, the task has said.
"""

from __future__ import annotations

import functools
import shlex
from collections.abc import Sequence
from typing import Any

from tellapart.reporting.blocks import Report
from tellapart.reporting.figures import SERIES
from tellapart.reporting.phrases import Phrases


def render(report: Report, phrases: Phrases) -> str:
    """The whole page, which needs no network. Text of the report is escaped."""
    text: str = _environment().get_template("report.html").render(report=report, t=phrases, series=SERIES)
    return text


@functools.cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tellapart", "reporting/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["grouped"] = lambda value: f"{value:,}"
    environment.filters["quoted"] = shlex.quote
    environment.filters["columns"] = _columns
    environment.filters["sparse"] = _sparse
    environment.filters["kind"] = lambda block: type(block).__name__
    return environment


def _columns(points: Sequence[Sequence[int]]) -> list[list[int]]:
    """Rows of points as columns: a fifth shorter as JSON."""
    return [list(column) for column in zip(*points, strict=True)]


def _sparse(matrix: Sequence[Sequence[int]]) -> dict[int, int]:
    """Row by row, cell number -> count; of a thousand classes hardly any cell holds anything."""
    width = len(matrix)
    return {
        row * width + column: count for row, cells in enumerate(matrix) for column, count in enumerate(cells) if count
    }
