"""`tellapart demo [NAME]`. In: a data set's name. Out: a model of it, and a few predictions. Next: workflows/demo_sets.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.speaking import said_cell

if TYPE_CHECKING:
    from tellapart.runs.result import TrainResult
    from tellapart.workflows.demo_sets import DemoSet

_SHOWN = 3  # test pictures of each class
_MOST = 12  # in all


@click.command(
    "demo",
    epilog="""\b
Examples:
  tellapart demo                        solar cells, which come with a package
  tellapart demo --list                 all there are
  tellapart demo flowers                fetched the first time
  tellapart demo mnist --data           where its pictures lie, for your own: tellapart train PATH --strategy scratch
  tellapart demo --out /tmp/runs""",
)
@click.argument("name", default="solar-cells", required=False)
@click.option("--list", "listed", is_flag=True, help="Show the data sets by name, and train nothing.")
@click.option("--data", "data_only", is_flag=True, help="Fetch the pictures and say where they lie, and train nothing.")
@click.option("--out", default="runs", show_default=True, help="The folder that the run's folder is made in.")
@click.option("--json", "as_json", is_flag=True, help="With --list: print it as JSON.")
@click.option("--quiet", is_flag=True, help="No progress and no warnings.")
def command(name: str, listed: bool, data_only: bool, out: str, as_json: bool, quiet: bool) -> None:
    """Train on a known data set, test, and predict a few test pictures.

    NAME is one of --list; without it 2,624 real solar cells, functional or defective.
    """
    from tellapart.workflows.demo_sets import DEMO_SETS, demo_set, get_demo

    if listed:
        rows = [_row(one) for one in DEMO_SETS.values()]
        click.echo(json.dumps(rows, indent=2) if as_json else "\n".join(_table(rows)))
        return
    if as_json:
        raise click.UsageError("--json is for --list. Leave it out, or add --list.")
    chosen = demo_set(name)
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require
    from tellapart.storage import cache_folder

    reporter = make_reporter(quiet=quiet)
    if not data_only:
        require("demo", "train", "demo")
        from tellapart.features.caching import open_cache

        click.echo(f"{_told(chosen)}\nPictures: {chosen.source}.\nLicence of the pictures: {chosen.license}.\n")
        open_cache(reporter).close()  # where the cache cannot be used, another folder stands in for it
    data = get_demo(chosen, cache_folder(), reporter)
    if data_only:
        click.echo(data)
        return
    from tellapart.cli.told_training import report_line, tell
    from tellapart.settings.reading import make_settings
    from tellapart.workflows.train import train

    result = train(make_settings({"data": str(data), "out": out}), reporter=reporter, told=tell)
    if result.report:
        click.echo(report_line(result.report))
    click.echo("\nA few pictures of the test split, which the model has never seen:")
    for line in _predictions(result):
        click.echo(f"  {line}")
    click.echo("\nYour own pictures: tellapart train FOLDER, with one folder of pictures for each class.")


def _told(chosen: DemoSet) -> str:
    if chosen.name == "solar-cells":
        return "Solar cells, photographed while they glow: functional, or defective (probability of a defect >= 0.5)?"
    return f"{chosen.told[0].upper()}{chosen.told[1:]}: {chosen.pictures:,} pictures, {chosen.classes} classes."


def _row(one: DemoSet) -> dict[str, Any]:
    return {
        "name": one.name,
        "pictures": one.pictures,
        "classes": one.classes,
        "megabytes": round(one.megabytes, 1),
        "shows": one.told,
        "source": one.source,
        "license": one.license,
        "addresses": [file.address for file in one.files],
    }


def _table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [f"{'name':<15}{'pictures':>9}{'classes':>9}  {'to fetch':<10}what"]
    for row in rows:
        fetched = f"{row['megabytes']:.0f} MB".ljust(10) if row["addresses"] else said_cell("no", 10, of="to fetch")
        lines.append(f"{row['name']:<15}{row['pictures']:>9,}{row['classes']:>9}  {fetched}{row['shows']}")
    return [*lines, "", "Train on one: tellapart demo NAME. Only its pictures: tellapart demo NAME --data"]


def _predictions(result: TrainResult) -> list[str]:
    from tellapart.answers.predictor import load_predictor
    from tellapart.runs.open import OpenRun

    examples = [example for example in OpenRun(result.run).examples if example.split == "test"]
    shown = max(1, min(_SHOWN, _MOST // len(result.classes)))
    chosen = [
        example for label in result.classes for example in [one for one in examples if one.target.text == label][:shown]
    ]
    found = load_predictor(result.model).predict([example.path for example in chosen])
    return [
        f"{example.path.name}: {label} ({100 * row.max():.1f} %), "
        f"{'right' if label == example.target.text else 'wrong'}: it is {example.target.text}"
        for example, label, row in zip(chosen, found.labels, found.probabilities, strict=True)
    ]
