"""`tellapart train --small 5ms`. In: settings, a bound. Out: a run that keeps it, told. Next: workflows/small.py."""

from __future__ import annotations

import json
from collections.abc import Callable
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
    from tellapart.workflows.bounded import parse_bound
    from tellapart.workflows.small import train_small

    bound = parse_bound(small)
    found = train_small(settings, bound, reporter)
    if summary is None:
        record = {
            "small": {"bound": str(bound), "cost": round(found.cost, 3), "picked": found.picked.as_json()},
            "train": found.trained.as_json() | {"report": None if found.report is None else str(found.report)},
            "compress": None if found.compressed is None else found.compressed.as_json(),
        }
        click.echo(json.dumps(record, ensure_ascii=False))
        return
    if found.compressed is None:
        click.echo(summary(found.trained))
    else:
        click.echo("\n".join(told(found.compressed)))
    click.echo(f"small     {found.picked.picked}: {found.cost:.2f} {bound.unit}, at most {bound} were asked for")
    if found.report:
        click.echo(f"report    {found.report}")
