"""What a training says when it is done. In: TrainResult. Out: lines for a person. Next: told_folds.py."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tellapart.cli.tasks import item_of
from tellapart.cli.told_folds import fold_lines, picture_line, told_metrics

if TYPE_CHECKING:
    from tellapart.runs.result import TrainResult

# What the summary tells to try, by what was learned.
_EXAMPLE = {"picture": "PICTURE", "text": "TABLE.csv, or - for lines of texts"}


def tell(result: TrainResult) -> None:
    """Print the summary as soon as the run is whole: the report takes seconds that nobody has to wait for."""
    click.echo(summary(result))


def report_line(path: Path) -> str:
    """Where the report is, once it is written."""
    return f"report    {path}"


def summary(result: TrainResult) -> str:
    """What a person wants to know first: how good, on how many, compared with what, and where it is."""
    from tellapart.reporter import duration
    from tellapart.tasks.table import TASKS

    telling = TASKS[result.task].telling
    lines = ["", *telling.summary(told_metrics(result)), *fold_lines(result)]
    if result.choice:
        lines += ["", result.choice]
    lines += _leaks(result)
    reused = f"reused    {result.reused:,} embeddings from the cache, computed {result.computed:,}"
    lines += [
        "",
        telling.decided(result.metrics),
        picture_line(result),
        f"left out  {result.unreadable:,} unreadable"
        + (f"; {result.left_out:,} by your corrections" if result.left_out else "")
        + (f"; {result.augmented:,} augmented copies of test pictures" if result.augmented else ""),
        *([f"copies    {result.duplicates:,} exact copies of others among them"] if result.duplicates else []),
        *([reused] if result.computed or result.reused else []),
        f"strategy  {result.strategy}: {telling.KEPT[result.strategy]}",
        f"time      {duration(result.seconds)}",
        f"model     {result.model}",
        f"results   {result.run}",
        f"try it    tellapart predict {shlex.quote(str(result.model))} {_EXAMPLE[item_of(result.task)]}",
    ]
    return "\n".join(lines)


def _leaks(result: TrainResult) -> list[str]:
    """What pictures that are in two of the user's own splits make of the score; nothing where there are none."""
    from tellapart.reporter import counted, figure, figure_name

    lines = []
    if result.leaked:
        leaked = counted(result.leaked, f"test {item_of(result.task)}")
        told = f"! {leaked} with a copy or group mate in train or validation, which flatters the score."
        lines += ["", told]
    without, clean = result.metrics["test_without_leaked"], result.score_without_leaked
    if without is not None and clean is not None:
        shown = figure(result.headline, clean.value, clean.low, clean.high)
        name = figure_name(result.headline)
        lines.append(f"  {name} on the other {without['n']:,}: {shown}.")
    elif result.leaked:
        lines.append(
            f"  No test {item_of(result.task)} is free of that, so there is no honest score. Make another split."
        )
    return lines
