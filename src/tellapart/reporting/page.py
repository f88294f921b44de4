"""A report becomes one HTML file. In: Report, a language. Out: text. Next: workflows/report.py.

Jinja2 escapes every text, so that a class name with HTML in it is shown, not run; a content security policy in the page
lets it load nothing from anywhere.
"""

from __future__ import annotations

import functools
import shlex
from collections.abc import Sequence
from typing import Any

from tellapart.reporting.advice import MANY_WRONG
from tellapart.reporting.facts import Figure, Report
from tellapart.reporting.figures import SERIES
from tellapart.reporting.phrases import Phrases

# Values that are shares, and lists of names, come as numbers and lists, since languages write them differently.
_SHARES = ("accuracy", "low", "high", "share", "recall", "train", "validation", "measured", "wanted", "before", "after")
FEW_CLASSES = 30  # up to here a confusion matrix is a table


def render(report: Report, phrases: Phrases) -> str:
    """The whole page, which needs no network. Text of the report is escaped."""
    template = _environment().get_template("report.html")

    def say(key: str, **values: Any) -> str:
        shown: dict[str, Any] = {}
        for name, value in values.items():
            if name in _SHARES and isinstance(value, float):
                value = phrases.percent(value)
            elif isinstance(value, list):
                value = phrases.joined(value)
            shown[name] = value
        return phrases(key, **shown)

    text: str = template.render(
        report=report,
        t=say,
        named=phrases.named,
        percent=phrases.percent,
        interval=functools.partial(_interval, phrases),
        language=phrases.language,
        series=SERIES,
        many_wrong=MANY_WRONG,
    )
    return text


def _interval(phrases: Phrases, figure: Figure, *, share: bool = True) -> str:
    if figure.low is None or figure.high is None:
        return "–"
    if share:
        return f"{phrases.percent(figure.low)} – {phrases.percent(figure.high)}"
    return f"{figure.low:.3f} – {figure.high:.3f}"


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
