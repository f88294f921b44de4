"""`tellapart next RUN`. In: a finished run. Out: what more pictures would bring. Next: workflows/next_point.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

_SHOWN = 12  # classes; --json has them all


@click.command(
    "next",
    epilog="""\b
Examples:
  tellapart next runs/latest
  tellapart next runs/latest --json | jq '.gains'

The classifier on the frozen network is fitted again on an eighth, a quarter, a half and all of the pictures, four times, and judged
by pictures that it did not see, nor a copy of them. A power law through these errors, with all the uncertainty that is left, says
what would come next. In docs/results.md stands how often it was right when asked from half of the pictures about all of them.""",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--pictures", type=click.Path(path_type=Path), help="Where the run's pictures lie now, if they were moved."
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, help="Of what is drawn.  [default: 0]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(run: Path, pictures: Path | None, seed: int, as_json: bool, quiet: bool) -> None:
    """What would more pictures bring to RUN?"""
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require

    require("next", "train")
    from tellapart.workflows.next_point import next_point

    found = next_point(run, pictures=pictures, seed=seed, reporter=make_reporter(quiet=quiet))
    record = found.as_json()
    click.echo(json.dumps(record, ensure_ascii=False) if as_json else "\n".join(_lines(record, worth=found.worth)))


def _lines(record: Mapping[str, Any], *, worth: bool) -> list[str]:
    lines = [f"{'training pictures':>18}{'wrong':>10}"]
    lines += [f"{one['pictures']:>18,}{_percent(one['error']):>10}" for one in record["curve"]]
    lines.append("")
    for times, gain in record["gains"].items():
        lines.append(f"{float(times):g} times as many would bring {_points(gain)}.")
    lines += ["", f"{'class':<30}{'missed now':>12}   twice as many pictures of all classes"]
    ranked = sorted(record["classes"].items(), key=lambda item: -item[1]["gain_with_twice_as_many"]["value"])
    for name, one in ranked[:_SHOWN]:
        lines.append(
            f"{name[:29]:<30}{_percent(one['missed']['value']):>12}   {_points(one['gain_with_twice_as_many'])}"
        )
    if len(ranked) > _SHOWN:
        lines.append(f"... and {len(ranked) - _SHOWN:,} more; --json has all")
    lines.append("")
    lines.append(
        "More pictures are worth their price: begin with the classes at the top."
        if worth
        else "That more pictures would bring something is not sure: look at the labels and at what is confused first."
    )
    if record["drawn"] < record["usable"]:
        lines.append(f"Of {record['usable']:,} pictures {record['drawn']:,} were drawn for the curve.")
    lines.append(
        "(of the classifier on the frozen network; a network that was trained itself makes fewer mistakes from the start)"
    )
    return lines


def _points(gain: Mapping[str, float]) -> str:
    return f"{100 * gain['value']:+.1f} points ({100 * gain['low']:.1f} to {100 * gain['high']:.1f})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
