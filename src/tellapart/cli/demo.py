"""`tellapart demo`. In: nothing. Out: a model of real solar cells, and a few predictions. Next: workflows/demo.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tellapart.runs.result import TrainResult

_SHOWN = 3  # test cells of each class


@click.command("demo", epilog="\b\nExamples:\n  tellapart demo\n  tellapart demo --out /tmp/runs")
@click.option("--out", default="runs", show_default=True, help="The folder that the run's folder is made in.")
@click.option("--quiet", is_flag=True, help="No progress and no warnings.")
def command(out: str, quiet: bool) -> None:
    """Train on 2,624 real solar cells (functional or defective), test, and predict a few test cells."""
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require

    require("demo", "train", "demo")
    from tellapart.cli.train import report_line, tell
    from tellapart.features.caching import open_cache
    from tellapart.settings.reading import make_settings
    from tellapart.storage import cache_folder
    from tellapart.workflows.demo import LICENSE, SOURCE, write_solar_table
    from tellapart.workflows.train import train

    click.echo("Solar cells, photographed while they glow: functional, or defective (probability of a defect >= 0.5)?")
    click.echo(f"Pictures: {SOURCE}.\nLicence of the pictures: {LICENSE}.\n")
    reporter = make_reporter(quiet=quiet)
    open_cache(reporter).close()  # where the cache cannot be used, another folder stands in for it
    table = write_solar_table(cache_folder() / "demo")
    result = train(make_settings({"data": str(table), "out": out}), reporter=reporter, told=tell)
    if result.report:
        click.echo(report_line(result.report))
    click.echo("\nA few cells of the test split, which the model has never seen:")
    for line in _predictions(result):
        click.echo(f"  {line}")
    click.echo("\nYour own pictures: tellapart train FOLDER, with one folder of pictures for each class.")


def _predictions(result: TrainResult) -> list[str]:
    from tellapart.answers.predictor import load_predictor
    from tellapart.runs.open import OpenRun

    examples = [example for example in OpenRun(result.run).examples if example.split == "test"]
    chosen = [
        example
        for label in result.classes
        for example in [one for one in examples if one.target.text == label][:_SHOWN]
    ]
    found = load_predictor(result.model).predict([example.path for example in chosen])
    return [
        f"{example.path.name}: {label} ({100 * row.max():.1f} %), "
        f"{'right' if label == example.target.text else 'wrong'}: experts say {example.target.text}"
        for example, label, row in zip(chosen, found.labels, found.probabilities, strict=True)
    ]
