"""`tellapart predict --ray`. In: a model, what is named. Out: parquet files in a folder. Next: workflows/predict_parts.py."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.reporter import counted

if TYPE_CHECKING:
    from tellapart.answers.thresholds import Thresholds
    from tellapart.cli.answerer import Answerer
    from tellapart.workflows.predict_parts import Predicted
    from tellapart.workflows.scaling.spread import Spread

# Flags that change what is written beside rows, and what stands for "not given".
_OTHERS: Mapping[str, Any] = {
    "drawn": None,
    "crops": None,
    "masks": None,
    "overlays": None,
    "polygons": False,
    "server": None,
}
_SHOWN = {"drawn": "draw"}


def check_with_ray(flags: Mapping[str, Any], arguments: tuple[str, ...]) -> None:
    """Raises: UsageError for flags that do not go with --ray; SettingsError for no address; MissingExtra."""
    from tellapart.cli.extras import require
    from tellapart.workflows.scaling.connection import check_address

    check_address(flags["ray"])
    if flags["layout"] != "table":
        raise click.UsageError(
            f"--format {flags['layout']} is not for --ray, which writes parquet files. Leave --format out, or --ray."
        )
    for name, absent in _OTHERS.items():
        if flags[name] != absent:
            raise click.UsageError(
                f"--{_SHOWN.get(name, name)} is not for --ray, which writes parquet files of rows. Leave one of them out."
            )
    if flags["out"] is None:
        raise click.UsageError(
            "--ray writes parquet files, and no folder is named for them. Name one with --out FOLDER."
        )
    if "-" in (*arguments, str(flags["list_file"])):
        raise click.UsageError(
            "- is not for --ray: standard input cannot be read again by who goes on. Save the list, and name it with --list FILE."
        )
    require("predict --ray", "ray")


def predict_ray(
    answerer: Answerer,
    model: Path,
    paths: tuple[str, ...],
    thresholds: Thresholds | None,
    flags: Mapping[str, Any],
    *,
    quiet: bool,
) -> int:
    """Answer, write, say what was done; the exit code. Raises: as predict_parts."""
    from tellapart.cli.asked import items, why_barren, without_marks
    from tellapart.cli.console import make_reporter
    from tellapart.errors import SettingsError
    from tellapart.workflows.predict_parts import predict_parts
    from tellapart.workflows.scaling.connection import connected, told_cost
    from tellapart.workflows.scaling.spread import over_ray

    if answerer.of_texts:
        raise SettingsError(
            "--ray answers pictures, and the model is of texts. Leave --ray out: one machine reads texts quickly."
        )
    reporter, own, notes = make_reporter(quiet=quiet), list[str](), list[str]()
    if answerer.note:
        reporter.say(answerer.note)
    with contextlib.ExitStack() as stack:
        begun: list[Spread] = []

        def spread(pictures: int) -> Spread:
            """Only now: where all is done already, Ray is not started."""
            if not begun:
                if cost := told_cost(pictures):
                    reporter.say(cost)
                begun.append(over_ray(stack.enter_context(connected(flags["ray"], reporter)).workers))
            return begun[0]

        predicted = predict_parts(
            without_marks(items(paths, flags["list_file"], own, notes)),
            flags["out"],
            model=model,
            thresholds=thresholds,
            top=min(flags["top"], len(answerer.classes)),
            roots=[path for path in dict.fromkeys(paths) if os.path.isdir(path)],
            barren=why_barren,
            allow_private=flags["allow_private"],
            force=flags["force"],
            spread=spread,
            reporter=reporter,
        )
    for note in notes:
        reporter.say(note)
    if not quiet:
        _tell(predicted, own)
    return 2 if predicted.unreadable == predicted.rows else 0


def _tell(predicted: Predicted, own: list[str]) -> None:
    if own:
        print(f"passed over, since tellapart wrote it: {', '.join(own)}", file=sys.stderr)
    unknown = f", {predicted.unknown:,} unknown" if predicted.unknown else ""
    print(
        f"{counted(predicted.rows, 'picture')}, {predicted.unreadable:,} unreadable{unknown}; written to {predicted.folder} in "
        f"{counted(predicted.parts, 'part')}, {predicted.there:,} of them by an earlier call",
        file=sys.stderr,
    )
