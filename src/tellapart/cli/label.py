"""`tellapart label TODO`. In: pictures that wait, options. Out: a desk in the browser, a table. Next: workflows/label.py."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tellapart.workflows.label import LabelResult

_SHOWN = 5  # pictures that cannot be labelled, which are listed


@click.command(
    "label",
    epilog="""\b
Examples:
  tellapart label todo.csv
  tellapart label unlabelled/ --classes cat,dog,neither
  tellapart label todo.csv --model runs/latest --out labels/
  tellapart train PICTURES --labels todo-labels/
  tellapart train todo-labels/labels.csv

Keys: 1 to 9 name a class, Enter takes the suggested one, Space skips, Backspace takes the last step back, arrows look around. What
you say is kept at once, and the same command goes on where you stopped.""",
)
@click.argument("todo", type=click.Path(path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="Label with the classes of this run or model.onnx.")
@click.option("--classes", metavar="A,B,C", help="Label with these classes.  [default: those that are suggested]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Keep labels.csv there.  [default: todo-labels/ beside todo.csv]",
)
@click.option("--several", is_flag=True, help="Any number of classes a picture: keys switch them, Enter goes on.")
@click.option("--new-classes", is_flag=True, help="Classes may be added while labelling.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8502, show_default=True, help="Of 127.0.0.1; 0 takes any free one."
)
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="Answer to this name too, such as that of a proxy before the desk; may be repeated.  [default: localhost alone]",
)
@click.option(
    "--allow-origin",
    multiple=True,
    metavar="SITE",
    help="Let pages of this site send labels, such as https://notebooks.example.com; may be repeated.  [default: its own]",
)
@click.option("--no-browser", is_flag=True, help="Only say the address.")
@click.option("--quiet", is_flag=True, help="Say nothing.")
def command(todo: Path, classes: str | None, no_browser: bool, quiet: bool, **options: Any) -> None:
    """Label pictures in the browser.

    TODO is a table with a column path, as `tellapart next --out` writes it (a column suggested says what a model thinks), or a
    folder of pictures. Labels are for whole pictures: one class each, or several.
    """
    from tellapart.cli.extras import require

    require("label", "serve")
    from tellapart.workflows.label import LabelOptions, label

    def say(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr, flush=True)

    def ready(address: str, sofar: LabelResult) -> None:
        done = f", {sofar.labelled:,} of them labelled already" if sofar.labelled else ""
        say(f"{sofar.total:,} pictures{done}. The desk is at {address} (Ctrl+C ends it; nothing is lost).")
        if not no_browser and _has_screen():
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    named = tuple(classes.split(",")) if classes is not None else ()
    result = label(LabelOptions(source=todo, classes=named, **options), say=say, ready=ready)
    say("\n".join(_lines(result)))


def _has_screen() -> bool:
    """Whether a browser has a window to open; without one a browser for terminals would take this one over."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _lines(result: LabelResult) -> list[str]:
    folder, table = shlex.quote(str(result.folder)), result.folder / "labels.csv"
    lines = [f"{result.labelled:,} of {result.total:,} labelled, {result.skipped:,} skipped: {table}"]
    if result.n_unusable:
        lines.append(f"{result.n_unusable:,} cannot be labelled:")
        lines += [f"  {name}: {reason}" for name, reason in result.unusable[:_SHOWN]]
        if result.n_unusable > _SHOWN:
            lines.append(f"  ... and {result.n_unusable - _SHOWN:,} more")
    if result.new_classes:
        lines.append(
            f"New classes: {', '.join(result.new_classes)}. --labels takes classes that PICTURES has; else join the tables."
        )
    if result.labelled:
        lines.append(
            f"Train on them: tellapart train PICTURES --labels {folder}; on them alone: tellapart train {shlex.quote(str(table))}"
        )
    return lines
