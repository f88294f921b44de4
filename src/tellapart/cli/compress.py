"""`tellapart compress RUN --int8`. In: a run's folder. Out: a smaller run, before and after. Next: workflows/compress.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.share import Share
from tellapart.cli.speaking import said, said_cell
from tellapart.cli.stopping import ended_as_by_ctrl_c
from tellapart.reporter import counted, figure, figure_name, percent

if TYPE_CHECKING:
    from tellapart.workflows.compressing.compared import MeasuredSide
    from tellapart.workflows.compressing.concluding import Compressed

_FEW = 0.02  # of all answers, that another engine may say otherwise without a warning


@click.command(
    "compress",
    epilog="""\b
Examples:
  tellapart compress runs/latest --int8
  tellapart compress runs/latest --int8 --most-lost 0.5 --out runs/small
  tellapart compress runs/latest --prune 0.3 --int8
  tellapart compress runs/latest --distill runs/large --unlabelled more/
  tellapart compress runs/latest --float16 --json | jq .after.megabytes""",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--prune", type=Share(), metavar="SHARE", help="Leave out this share of the multiply-adds, in steps, with training."
)
@click.option(
    "--distill",
    type=click.Path(path_type=Path),
    metavar="TEACHER",
    help="Learn from this run or model file, on its answers and its embedding.",
)
@click.option(
    "--unlabelled", multiple=True, metavar="PICTURES", help="Pictures without labels to learn from the teacher with."
)
@click.option(
    "--epochs", type=click.IntRange(1), metavar="N", help="Of --distill, or of the training that ends --prune."
)
@click.option("--int8", is_flag=True, help="Compute in 8-bit integers: about a quarter of the size, and quicker.")
@click.option("--float16", is_flag=True, help="Keep weights in 16 bits: half the size, as quick as before.")
@click.option(
    "--most-lost",
    type=float,
    metavar="POINTS",
    help="By how many points the validation figure may fall; layers that hurt most are spared until it does not fall by more.  "
    "[default: 0.2, or one validation picture, where that can be had]",
)
@click.option(
    "--qat",
    is_flag=True,
    help="Of --int8: weights learn to be rounded first; done by itself where sparing layers does not suffice.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="The new run.  [default: RUN-int8, beside it]"
)
@click.option(
    "--pictures", type=click.Path(path_type=Path), help="Where the run's pictures lie now, if they were moved."
)
@click.option("--no-report", is_flag=True, help="Write no report.html.")
@click.option("--lang", "language", type=click.Choice(["en", "zh"]), help="Of the report.  [default: the system's]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
@click.option("--quiet", is_flag=True, help="No progress; warnings stay.")
def command(
    run: Path,
    out: Path | None,
    pictures: Path | None,
    no_report: bool,
    language: str | None,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Make the model of a finished RUN smaller and quicker, as a run of its own, and tell what that costs."""
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require

    require("compress", "train")
    from tellapart.workflows.compress import compress

    reporter = make_reporter(quiet=quiet, warnings=True)
    with ended_as_by_ctrl_c():
        found = compress(run, reporter=reporter, out=out, pictures=pictures, **flags)
    if found.warning:
        reporter.warn(found.warning)
    if not no_report:
        from tellapart.features.caching import open_cache
        from tellapart.reporting.phrases import language_of
        from tellapart.workflows.report import write_report

        with open_cache(reporter) as cache:
            write_report(found.run, language=language_of(language), cache=cache, reporter=reporter)
    click.echo(json.dumps(found.as_json(), ensure_ascii=False) if as_json else "\n".join(told(found)))


def told(found: Compressed) -> list[str]:
    """Before and after in columns, what changed, and where it lies."""
    rows = _rows(found.before, found.after, found.item)
    names, one, other = (max(len(row[at]) for row in rows) for at in range(3))
    head = f"{'':<{names}}  {said_cell('before', one, right=True)}  {said_cell('after', other, right=True)}"
    lines = [head, *(f"{said_cell(name, names)}  {first:>{one}}  {second:>{other}}" for name, first, second in rows)]
    change, score = found.change, found.change.score
    low, high = score.low or 0.0, score.high or 0.0
    largest = "" if change.largest is None else f"; no probability differs by more than {change.largest:.3f}"
    return [
        *lines,
        "",
        (
            f"On {counted(found.pictures, f'test {found.item}')}, the same for both: {figure_name(found.before.name)} changes by "
            f"{100 * score.value:+.2f} points (95 %: {100 * low:+.2f} to {100 * high:+.2f})."
        ),
        (
            f"{change.flipped:,} of {counted(change.of, 'answer')} is another ({percent(change.share)}){largest}."
            if change.flipped == 1
            else f"{change.flipped:,} of {counted(change.of, 'answer')} are another ({percent(change.share)}){largest}."
        ),
        *_by_another_engine(found),
        *(f"{step.kind:<9} {said(step.told)}" for step in found.steps),
        f"model     {found.run / 'model.onnx'}",
        f"results   {found.run}",
    ]


def _by_another_engine(found: Compressed) -> list[str]:
    other = found.compared.by_openvino
    if other is None:
        return []
    told = figure(found.after.name, other.score.value, other.score.low, other.score.high)
    changed = counted(other.flipped, "answer")
    changed = f"{changed} is not ONNX Runtime's" if other.flipped == 1 else f"{changed} are not ONNX Runtime's"
    line = f"Of the same pictures, through {other.engine}: {told}; {changed}."
    if other.flipped <= _FEW * found.change.of:
        return [line]
    return [line, f"! Through {other.engine} it is another model. Serve it with --engine onnxruntime."]


def _rows(before: MeasuredSide, after: MeasuredSide, item: str) -> list[tuple[str, str, str]]:
    def row(name: str, one: str, other: str) -> tuple[str, str, str]:
        return name, one, other

    sides = (before, after)
    rows = [
        row(figure_name(before.name), *(_score(one) for one in sides)),
    ]
    for name in ("log_loss", "calibration_error"):
        values = [getattr(one, name) for one in sides]
        if None not in values:
            rows.append(row(figure_name(name), *(f"{value:.3f}" for value in values)))
    rows += [
        row("megabytes", *(f"{one.megabytes:.1f}" for one in sides)),
        *([row("million multiply-adds", *(f"{one.macs / 1e6:,.0f}" for one in sides))] if before.macs else []),
        row(f"ms, one {item}", *(f"{one.milliseconds.one:.2f}" for one in sides)),
        row(f"ms a {item} of {before.milliseconds.at_once}", *(f"{one.milliseconds.sixteen:.2f}" for one in sides)),
    ]
    return rows


def _score(side: MeasuredSide) -> str:
    return figure(side.name, side.score.value, side.score.low, side.score.high)
