"""`tellapart report RUN`. In: a run's folder. Out: report.html. Next: workflows/report.py."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tellapart.reporter import counted


@click.command(
    "report",
    epilog="\b\nExamples:\n  tellapart report runs/latest\n  tellapart report runs/latest --lang zh --out 报告.html\n"
    "  tellapart report runs/latest --pictures /new/place/of/pictures",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--lang", "language", type=click.Choice(["en", "zh"]), help="[default: the system's]")
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file.  [default: RUN/report.html]")
@click.option(
    "--pictures", type=click.Path(path_type=Path), help="Where the run's pictures lie now, if they were moved."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
@click.option("--quiet", is_flag=True, help="No progress and no warnings.")
def command(
    run: Path, language: str | None, out: Path | None, pictures: Path | None, as_json: bool, quiet: bool
) -> None:
    """Make the report of a finished RUN again: one HTML file that needs no network."""
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require

    require("report", "train")
    from tellapart.features.caching import open_cache
    from tellapart.reporting.phrases import language_of
    from tellapart.workflows.report import write_report

    reporter = make_reporter(quiet=quiet)
    with open_cache(reporter) as cache:
        written = write_report(
            run, language=language_of(language), cache=cache, reporter=reporter, out=out, pictures=pictures
        )
    if as_json:
        record = {"report": str(written.path), "bytes": written.size_bytes, "missing_pictures": written.missing}
        click.echo(json.dumps(record, ensure_ascii=False))
        return
    click.echo(f"{written.path} ({written.size_bytes / 1e6:.1f} MB)")
    if written.missing and not quiet:
        click.echo(
            f"{counted(written.missing, 'picture')} could not be shown: no longer where the run found them. If they were moved, "
            "say where they are: --pictures FOLDER.",
            err=True,
        )
