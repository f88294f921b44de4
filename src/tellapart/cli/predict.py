"""`tellapart predict MODEL PATH...`. In: a model, files. Out: one row a picture. Next: workflows/predict.py."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tellapart.workflows.predict import Row


NOTHING = "there is no picture in the paths given. Name picture files, or folders that hold some."


@click.command(
    "predict",
    epilog="""\b
Examples:
  tellapart predict runs/latest cat.jpg
  tellapart predict model.onnx holiday/ --format csv --out classes.csv
  tellapart predict model.onnx 'in/**/*.png' --top 3 --format jsonl
  find . -name '*.jpg' | tellapart predict model.onnx - --format csv""",
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("paths", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(min=1), default=1, show_default=True, help="How many classes a picture.")
@click.option(
    "--format", "layout", type=click.Choice(["table", "csv", "jsonl"]), default="table", show_default=True,
    help="What a row looks like.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead of the screen.")
@click.option("--quiet", is_flag=True, help="No summary on standard error.")
def command(model: Path, paths: tuple[str, ...], top: int, layout: str, out: Path | None, quiet: bool) -> int:
    """Classify pictures: files, folders, globs, or - for a list of paths on standard input.

    MODEL is a model.onnx or a run's folder. A picture that cannot be read gets a row with the reason; the exit code is 2
    only when no picture could be read.

    A picture unlike those trained on is unknown, whatever class comes out; a doubtful one shows all the classes that it
    may be, as `tellapart info` explains.
    """
    from tellapart.cli.rows import LAYOUTS
    from tellapart.errors import DataError
    from tellapart.workflows.predict import expand, load_classifier

    classifier = load_classifier(model)
    tally = Tally(classifier.stream(expand(_named(paths))))
    abstention = classifier.manifest.abstention
    # Without a threshold every class is in every set, which says nothing of the picture to a person.
    idle = layout == "table" and abstention is not None and abstention.threshold == 0
    rows = (replace(row, members=None) for row in tally) if idle else tally
    lines = LAYOUTS[layout](rows, classifier.classes, min(top, len(classifier.classes)))
    if out is None:
        _print_lines(lines)
    else:
        _write_lines(out, lines, tally)
    if tally.total == 0:
        raise DataError(NOTHING)
    if not quiet and (out is not None or tally.failed):
        where = f"; written to {out}" if out is not None else ""
        unknown = f", {tally.unknown:,} unknown" if tally.unknown else ""
        print(f"{tally.total:,} pictures, {tally.failed:,} unreadable{unknown}{where}", file=sys.stderr)
    return 2 if tally.failed == tally.total else 0


class Tally:
    """Counts the rows that pass, without keeping them."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.total = self.failed = self.unknown = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.total += 1
            self.failed += bool(row.error)
            self.unknown += bool(row.unknown)
            yield row


def _named(paths: tuple[str, ...]) -> Iterator[str]:
    for path in paths:
        if path != "-":
            yield path
            continue
        for line in sys.stdin:
            if name := line.rstrip("\r\n"):
                yield name


def _print_lines(lines: Iterable[str]) -> None:
    from tellapart.cli.console import discard_output

    try:
        for line in lines:
            sys.stdout.write(line)
        sys.stdout.flush()
    except BrokenPipeError:
        # click would exit with 1; a reader that has seen enough (`| head`) is no failure.
        discard_output()


def _write_lines(out: Path, lines: Iterable[str], tally: Tally) -> None:
    from tellapart.errors import DataError, StorageError
    from tellapart.storage import replacing

    if out.exists():
        raise StorageError(
            f"{out} is there already, and nothing is overwritten unasked. Choose another --out or move it."
        )
    if not out.parent.is_dir():
        raise StorageError(f"there is no folder {out.parent} for {out.name}. Make it, or choose another --out.")
    with replacing(out) as file:
        for line in lines:
            file.write(line.encode("utf-8", "surrogateescape"))
        if tally.total == 0:
            raise DataError(NOTHING)
