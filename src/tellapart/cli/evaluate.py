"""`tellapart evaluate MODEL PICTURES`. In: a model, labelled pictures. Out: the test's figures. Next: predict.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.model_argument import MODEL
from tellapart.cli.reading import read_options, reading_options
from tellapart.cli.tasks import MODEL_TASK_HELP, TASKS, item_of
from tellapart.reporter import counted
from tellapart.storage import check_free

if TYPE_CHECKING:
    from tellapart.bundle import TaskName


@click.command(
    "evaluate",
    epilog="""\b
Examples:
  tellapart evaluate runs/latest new_pictures/
  tellapart evaluate model.onnx pictures/ --split test --json
  tellapart evaluate model.onnx pictures/ --out answers.csv     what it says of each picture; of boxes as .jsonl""",
)
@click.argument("model", type=MODEL)
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="Only this split: the pictures' own, or the one that the model's run gave them.",
)
@click.option("--task", type=click.Choice(TASKS), help=MODEL_TASK_HELP)
@reading_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write what the model says of each picture, beside the truth: as predictions.csv of a run, or JSON lines of boxes.",
)
@click.option("--force", is_flag=True, help="Replace that file if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", is_flag=True, help="No progress; warnings stay.")
def command(
    model: Path,
    pictures: Path,
    split: Any,
    task: TaskName | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Test MODEL on PICTURES: a folder with one folder a class, an archive of it, a table such as a CSV with path,label, or
    pictures with boxes in any form that `tellapart check` reads."""
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require

    require("evaluate", "train")
    from tellapart.tasks.table import TASKS as LEARNED
    from tellapart.workflows.evaluate import evaluate

    if out is not None:
        check_free(out, force=force)
    options = read_options(flags, task=task)
    reporter = make_reporter(quiet=quiet, warnings=True)
    result = evaluate(model, pictures, split=split, reporter=reporter, options=options, out=out)
    if quiet:  # else they stand on standard error already
        for note in result.notes:
            reporter.warn(note)
    if as_json:
        click.echo(json.dumps(result.as_json(), ensure_ascii=False))
        return
    scored = LEARNED[result.task].telling.scored
    click.echo("\n".join(scored(result.metrics)))
    if out is not None and not quiet:
        reporter.say(f"What the model says of each {item_of(result.task)}: {out}")
    if result.renamed:
        shown = ", ".join(f"{name!r} as {known!r}" for name, known in result.renamed.items())
        click.echo(f"! Class names that are nearly the model's are read as its own: {shown}.")
    if result.unreadable:
        click.echo(f"! Not counted, since unreadable: {counted(result.unreadable, item_of(result.task))}.")
    if result.seen:
        click.echo(
            f"! The model was trained or tuned on {result.seen:,} of these {item_of(result.task)}s, so the score flatters it."
        )
        if result.metrics_unseen is not None:
            click.echo("\nWithout them:")
            click.echo("\n".join(scored(result.metrics_unseen)))
    elif result.seen == 0:
        item = item_of(result.task)
        same = "pixel for pixel" if item == "picture" else "letter for letter"
        click.echo(
            f"None of these {item}s is, {same}, one that the model was trained on; changed copies are not found."
        )
    elif result.seen is None:
        click.echo("No examples.csv lies beside the model, so pictures seen in training cannot be told apart.")
