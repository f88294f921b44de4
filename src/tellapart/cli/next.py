"""`tellapart next RUN [PICTURES...]`. In: a run. Out: what more pictures bring, or which. Next: workflows/next_point.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tellapart.reporter import Reporter
    from tellapart.runs.open import OpenRun
    from tellapart.workflows.next_pictures import NextPictures

_SHOWN = 12  # classes, or pictures; --json has them all
_STRATEGIES = ("margin", "entropy", "coreset", "badge", "typiclust", "random")


@click.command(
    "next",
    epilog="""\b
Examples:
  tellapart next runs/latest                                        what more pictures would bring
  tellapart next runs/latest --json | jq '.gains'
  tellapart next runs/latest unlabelled/ -n 100 --out todo.csv      which of these to label next
  tellapart label todo.csv --model runs/latest
  tellapart next runs/latest new_reviews.csv --out todo.csv         texts: fill the column `label` and train on it

Without PICTURES: the classifier on the frozen network is fitted again on an eighth, a quarter, a half and all of the pictures, four
times, and judged by pictures that it did not see, nor a copy of them. A power law through these errors, with all the uncertainty
that is left, says what would come next. In docs/results.md stands how often it was right when asked from half of the pictures about
all of them.

With PICTURES: copies of labelled pictures and of each other are left out, and a strategy chooses. margin and entropy take what the
model is least sure of; coreset what is farthest from all that is known; badge what it is unsure of, each unlike the others;
typiclust what is typical of groups without labels, best where little is labelled yet. In docs/results.md stands how many labels
each saved.""",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("unlabelled", metavar="[PICTURES]...", nargs=-1)
@click.option("-n", "count", type=click.IntRange(1), help="How many pictures to choose.  [default: 100]")
@click.option(
    "--strategy", type=click.Choice(_STRATEGIES), help="How.  [default: badge; typiclust for boxes and masks]"
)
@click.option("--out", type=click.Path(path_type=Path), help="Write them as a table: path,suggested,probability,why.")
@click.option("--force", is_flag=True, help="Replace that table where it is there.")
@click.option(
    "--pictures", type=click.Path(path_type=Path), help="Where the run's pictures lie now, if they were moved."
)
@click.option("--text-column", metavar="NAME", help="Of texts: the column of a table that holds them.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, help="Of what is drawn.  [default: 0]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    run: Path,
    unlabelled: tuple[str, ...],
    count: int | None,
    strategy: str | None,
    out: Path | None,
    force: bool,
    pictures: Path | None,
    text_column: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """What would more pictures bring to RUN? Or which of PICTURES to label next?"""
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require

    require("next", "train")
    reporter = make_reporter(quiet=quiet)
    if unlabelled:
        from tellapart.runs.open import OpenRun
        from tellapart.workflows.next_pictures import next_pictures

        _check_free(out, force=force)
        opened = OpenRun(run, pictures=pictures)
        if opened.manifest.pictures is None:
            asked = {"count": count or 100, "strategy": strategy, "seed": seed, "reporter": reporter}
            _texts(opened, unlabelled, text_column, out, asked, as_json=as_json)
            return
        found = next_pictures(
            run, unlabelled, count=count or 100, strategy=strategy, pictures=pictures, seed=seed, reporter=reporter
        )
        if out is not None:
            found.write(out)
        record = found.as_json()
        click.echo(json.dumps(record, ensure_ascii=False) if as_json else "\n".join(_chosen(found, run, out)))
        return
    told = [name for name, value in (("-n", count), ("--strategy", strategy), ("--out", out)) if value is not None]
    if told:
        raise click.UsageError(f"{told[0]} is for choosing pictures, and none are named. Name a folder after {run}.")
    click.echo(_curve(run, pictures, seed, reporter, as_json=as_json))


def _texts(
    run: OpenRun,
    unlabelled: tuple[str, ...],
    column: str | None,
    out: Path | None,
    asked: Mapping[str, Any],
    *,
    as_json: bool,
) -> None:
    """Choose of texts: files, tables, lines of standard input."""
    from tellapart.cli.asked_texts import text_items
    from tellapart.workflows.next_texts import next_texts

    found = next_texts(run, text_items(unlabelled, None, column), **asked)
    if out is not None:
        found.write(out)
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=False))
        return
    click.echo(_counted(found.as_json(), len(found.chosen), "texts", found.why))
    if out is not None:
        click.echo(f"They stand in {out}. Fill its column `label`, and train on it with the others.")
        return
    for one in found.chosen[:_SHOWN]:
        click.echo(f"  {f'{one.label} ({one.probability:.0%})':<30} {one.path}  {one.shown}")
    if len(found.chosen) > _SHOWN:
        click.echo(f"... and {len(found.chosen) - _SHOWN:,} more; --out writes all, --json prints them")


def _counted(record: Mapping[str, Any], chosen: int, items: str, why: str) -> str:
    """How many were chosen of how many, and what was left out."""
    left = record["left_out"]
    words = {
        "known": "known already, or copies of what is",
        "copies": "copied more than once",
        "unreadable": "unreadable",
    }
    gone = ", ".join(f"{left[name]:,} {what}" for name, what in words.items() if left[name])
    said = f"{chosen:,} of {record['offered']:,} {items}, by {record['strategy']}: {why}."
    return said + (f" Left out: {gone}." if gone else "")


def _check_free(out: Path | None, *, force: bool) -> None:
    """Raises: StorageError where the table is there already."""
    from tellapart.errors import StorageError

    if out is not None and out.exists() and not force:
        raise StorageError(
            f"{str(out)!r} is there already, and nothing is overwritten unasked. Choose another name, or replace it with --force."
        )


def _chosen(found: NextPictures, run: Path, out: Path | None) -> list[str]:
    lines = [_counted(found.as_json(), len(found.chosen), "pictures", found.why)]
    if out is not None:
        return [*lines, f"They stand in {out}. Label them: tellapart label {out} --model {run}"]
    for one in found.chosen[:_SHOWN]:
        said = f"{one.label} ({one.probability:.0%})" if one.probability is not None else ""
        lines.append(f"  {said:<30} {one.path}")
    if len(found.chosen) > _SHOWN:
        lines.append(f"... and {len(found.chosen) - _SHOWN:,} more; --out writes all, --json prints them")
    return lines


def _curve(run: Path, pictures: Path | None, seed: int, reporter: Reporter, *, as_json: bool) -> str:
    from tellapart.workflows.next_point import next_point

    found = next_point(run, pictures=pictures, seed=seed, reporter=reporter)
    record = found.as_json()
    return (
        json.dumps(record, ensure_ascii=False)
        if as_json
        else "\n".join(_lines(record, f"{found.item}s", worth=found.worth))
    )


def _lines(record: Mapping[str, Any], items: str, *, worth: bool) -> list[str]:
    lines = [f"{f'training {items}':>18}{'wrong':>10}"]
    lines += [f"{one['pictures']:>18,}{_percent(one['error']):>10}" for one in record["curve"]]
    lines.append("")
    for times, gain in record["gains"].items():
        lines.append(f"{float(times):g} times as many would bring {_points(gain)}.")
    lines += ["", f"{'class':<30}{'missed now':>12}   twice as many {items} of all classes"]
    ranked = sorted(record["classes"].items(), key=lambda item: -item[1]["gain_with_twice_as_many"]["value"])
    for name, one in ranked[:_SHOWN]:
        lines.append(
            f"{name[:29]:<30}{_percent(one['missed']['value']):>12}   {_points(one['gain_with_twice_as_many'])}"
        )
    if len(ranked) > _SHOWN:
        lines.append(f"... and {len(ranked) - _SHOWN:,} more; --json has all")
    lines.append("")
    lines.append(
        f"More {items} are worth their price: begin with the classes at the top."
        if worth
        else f"That more {items} would bring something is not sure: look at the labels and at what is confused first."
    )
    if record["drawn"] < record["usable"]:
        lines.append(f"Of {record['usable']:,} {items} {record['drawn']:,} were drawn for the curve.")
    lines.append(
        "(of the classifier on the frozen network; a network that was trained itself makes fewer mistakes from the start)"
        if items == "pictures"
        else "(of a classifier of n-grams)"
    )
    return lines


def _points(gain: Mapping[str, float]) -> str:
    return f"{100 * gain['value']:+.1f} points ({100 * gain['low']:.1f} to {100 * gain['high']:.1f})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
