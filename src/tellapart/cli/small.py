"""`tellapart train --small 5ms`. In: settings, a bound. Out: a run that keeps it, told. Next: workflows/small.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tellapart.reporter import Reporter
    from tellapart.runs.result import TrainResult
    from tellapart.settings.tree import TrainSettings


def train_within(
    settings: TrainSettings,
    small: str,
    reporter: Reporter,
    *,
    summary: Callable[[TrainResult], str] | None,
) -> None:
    """Find and train the best that keeps the bound `small`, and tell it: of a run in float32 by `summary`; None: as JSON.

    Raises: what `workflows.small.train_small` raises.
    """
    from tellapart.cli.compress import told
    from tellapart.workflows.small import parse_bound, train_small

    bound = parse_bound(small)
    found = train_small(settings, bound, reporter)
    report = _report(settings, found.run, reporter)
    if summary is None:
        record = {
            "small": {"bound": str(bound), "cost": round(found.cost, 3), "picked": found.picked.as_json()},
            "train": found.trained.as_json(),
            "compress": None if found.compressed is None else found.compressed.as_json(),
        }
        click.echo(json.dumps(record, ensure_ascii=False))
        return
    if found.compressed is None:
        click.echo(summary(found.trained))
    else:
        click.echo("\n".join(told(found.compressed)))
    click.echo(f"small     {found.picked.picked}: {found.cost:.2f} {bound.unit}, at most {bound} were asked for")
    if report:
        click.echo(f"report    {report}")


def _report(settings: TrainSettings, run: Path, reporter: Reporter) -> str | None:
    if not settings.report:
        return None
    from tellapart.features.caching import open_cache
    from tellapart.reporting.phrases import language_of
    from tellapart.workflows.report import write_report

    with open_cache(reporter) as cache:
        written = write_report(run, language=language_of(settings.language), cache=cache, reporter=reporter)
    return str(written.path)
