"""`tellapart export RUN --to FORMAT...`. In: a run's folder. Out: exports/, a table. Next: workflows/export.py."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.several import SeveralWords
from tellapart.cli.share import Share
from tellapart.cli.speaking import said as spoken
from tellapart.cli.stopping import ended_as_by_ctrl_c
from tellapart.reporter import counted, figure, figure_name, percent

if TYPE_CHECKING:
    from tellapart.workflows.export import ExportResult

# The names of export/table.py, which is imported when the command runs; a test compares the two.
FORMATS = (
    "onnx",
    "browser",
    "torchscript",
    "torch-export",
    "openvino",
    "openvino-int8",
    "tensorflow",
    "litert",
    "litert-float16",
    "litert-int8",
    "executorch",
    "ncnn",
    "coreml",
)

# The same of export/samples.py.
LANGUAGES = ("python", "javascript", "c++", "java", "csharp")


@click.command(
    "export",
    cls=SeveralWords,
    epilog="""\b
Examples:
  tellapart export runs/latest --to onnx
  tellapart export runs/latest --to tensorflow litert-int8           several at once
  tellapart export runs/latest --to browser                          a page that needs no server
  tellapart export runs/latest --to onnx --for c++ java              with code that prepares pictures
  tellapart export runs/latest --to openvino-int8 --most-flipped 0.5%
  tellapart export runs/latest --to litert --tools environments/     converters that you installed""",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    required=True,
    metavar="FORMAT...",
    help=f"One format or several: {', '.join(FORMATS)}.",
)
@click.option(
    "--most-flipped",
    type=Share(),
    default="10%",
    show_default=True,
    metavar="SHARE",
    help="Refuse a format that changes more of the answers, such as 0.5%: it is kept under another name.",
)
@click.option(
    "--tools",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where environments of the converters lie, one folder a tool.  [default: made in the cache when first needed]",
)
@click.option(
    "--pictures", type=click.Path(path_type=Path), help="Where the run's pictures lie now, if they were moved."
)
@click.option(
    "--for",
    "languages",
    type=click.Choice(LANGUAGES),
    multiple=True,
    default=("python",),
    metavar="LANGUAGE...",
    help=f"Languages to write sample code in, with a test of it: {', '.join(LANGUAGES)}.  [default: python]",
)
@click.option(
    "--made-pictures",
    is_flag=True,
    help="Prove with pictures made for it, so that none of yours is in what you pass on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, an object a format.")
@click.option("--quiet", is_flag=True, help="No progress; warnings stay.")
def command(
    run: Path,
    formats: Sequence[str],
    most_flipped: float,
    tools: Path | None,
    pictures: Path | None,
    languages: Sequence[str],
    made_pictures: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Write the model of a finished RUN in other formats, each tested on the run's whole test split by its own runtime."""
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require

    require("export", "train")
    from tellapart.workflows.export import export

    with ended_as_by_ctrl_c():
        result = export(
            run,
            formats,
            reporter=make_reporter(quiet=quiet, warnings=True),
            tools=tools,
            most_flipped=most_flipped,
            pictures=pictures,
            languages=languages,
            made_pictures=made_pictures,
        )
    click.echo(_listed(result) if as_json else "\n".join(_told(result)))
    bad = [f"{name}: {spoken(str(error))}" for name, error in result.failed]
    bad += [
        f"{one.format} is refused: {one.refused}. It is kept as {one.folder}." for one in result.exported if one.refused
    ]
    for line in bad:
        click.echo(f"Error: {line}", err=True)
    return 2 if bad else 0


def _listed(result: ExportResult) -> str:
    """A JSON list of the formats that were taken."""
    found = [one.as_json() for one in result.exported if not one.refused]
    return json.dumps(_plain(found), ensure_ascii=False)


def _told(result: ExportResult) -> list[str]:
    """The table, and what to know of each format."""
    name = figure_name(result.before.name)
    width = max(18, len(name))
    many = f"ms, {16 if result.before.milliseconds is None else result.before.milliseconds.at_once}"
    lines = [f"{'format':<16}{name:<{width + 2}}{'flipped':>12}{'difference':>12}{'ms, 1':>9}{many:>9}{'MB':>9}"]
    rows: list[tuple[str, Any, Any, float]] = [("model.onnx", result.before, None, result.before.megabytes)]
    rows += [(one.format, one.rated, one.change, one.megabytes) for one in result.exported]
    for said, rated, change, megabytes in rows:
        score = "not run here" if rated is None else percent(rated.score.value)
        times = None if rated is None else rated.milliseconds
        flipped = "" if change is None else f"{change.flipped:,} of {change.of:,}"
        largest = "" if change is None or change.largest is None else f"{change.largest:.1g}"
        one, sixteen = ("", "") if times is None else (f"{times.one:.1f}", f"{times.sixteen:.1f}")
        lines.append(f"{said:<16}{score:<{width + 2}}{flipped:>12}{largest:>12}{one:>9}{sixteen:>9}{megabytes:>9.1f}")
    before = result.before
    shown = figure(before.name, before.score.value, before.score.low, before.score.high)
    lines += ["", f"{name} of model.onnx on {counted(len(before.answers), f'test {result.item}')}: {shown}"]
    for exported in result.exported:
        lines += [f"{exported.format}: {note}" for note in exported.notes]
        if not exported.refused:
            lines.append(f"{exported.format:<16}{exported.path}")
    return lines


def _plain(value: Any) -> Any:
    """JSON has no number for a figure that is not defined."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
