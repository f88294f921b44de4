"""`tellapart predict MODEL PATH...`. In: a model or a server, files. Out: one row a picture. Next: answers/predictor.py."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.reporter import counted

if TYPE_CHECKING:
    from tellapart.answers.answering import Answering
    from tellapart.answers.given import GivenItem
    from tellapart.answers.items import PathItem

NOTHING = "there is no picture in the paths given. Name picture files, or folders that hold some."
_RETRIES = 8  # a run over thousands of pictures should not end because others kept the server busy for a while


@click.command(
    "predict",
    epilog="""\b
Examples:
  tellapart predict runs/latest cat.jpg
  tellapart predict cat.jpg                    with the model in runs/latest
  tellapart predict model.onnx holiday/ --format csv --out classes.csv
  tellapart predict model.onnx 'in/**/*.png' --top 3 --format jsonl
  find . -name '*.jpg' | tellapart predict model.onnx - --format csv
  tellapart predict model.onnx --list pictures.txt
  tellapart predict model.onnx --list labels.csv       its column of paths
  tellapart predict model.onnx - < cat.jpg
  tellapart predict model.onnx https://example.com/cat.jpg
  tellapart predict --server http://127.0.0.1:8501 cat.jpg holiday/""",
)
@click.argument("arguments", nargs=-1, metavar="[MODEL] PATH...")
@click.option("--top", type=click.IntRange(min=1), default=1, show_default=True, help="How many classes a picture.")
@click.option(
    "--format",
    "layout",
    type=click.Choice(["table", "csv", "jsonl"]),
    default="table",
    show_default=True,
    help="What a row looks like.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead of the screen.")
@click.option(
    "--list",
    "list_file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Also the pictures that this file names: a path or address a line, counted from here, or a table's column of paths, "
    "counted from the table's folder.",
)
@click.option("--allow-private", is_flag=True, help="Fetch pictures from addresses that are not public, too.")
@click.option("--server", metavar="URL", help="Ask a `tellapart serve` instead of opening a model.")
@click.option("--model", "name", metavar="NAME", help="Which of the server's models, where it has several.")
@click.option("--api-key-file", type=click.Path(path_type=Path), help="Holds the key that the server asks for.")
@click.option("--quiet", is_flag=True, help="No summary on standard error.")
def command(
    arguments: tuple[str, ...],
    top: int,
    layout: str,
    out: Path | None,
    list_file: Path | None,
    allow_private: bool,
    server: str | None,
    name: str | None,
    api_key_file: Path | None,
    quiet: bool,
) -> int:
    """Classify pictures: files, folders, archives, parquet files of pictures, globs, http(s) addresses, or - for standard input: a
    picture or a list of paths.

    MODEL is a model.onnx or a run's folder; without it the newest run here is taken, runs/latest. With --server there is none,
    and all that is named are pictures. A picture that cannot be read gets a row with the reason; the exit code is 2 only when no
    picture could be read.

    A picture unlike those trained on is unknown, whatever class comes out; a doubtful one shows all the classes that it
    may be, as `tellapart info` explains. A multilabel model names every class in the picture, and --top changes nothing.
    """
    from tellapart.cli.asked import items
    from tellapart.cli.rows import LAYOUTS
    from tellapart.errors import DataError

    model, paths = _paths(arguments, server, name, api_key_file, listed=list_file is not None, quiet=quiet)
    own: list[str] = []
    notes: list[str] = []
    with _open(model, server, name, api_key_file, allow_private) as answerer:
        tally = Counted(answerer.stream(items(paths, list_file, own, notes)))
        lines = LAYOUTS[layout](tally, answerer.answering, answerer.classes, min(top, len(answerer.classes)))
        if out is None:
            _print_lines(lines)
        else:
            _write_lines(out, lines, tally)
    if not quiet:
        for note in notes:
            print(note, file=sys.stderr)
    if tally.total == 0:
        raise DataError(NOTHING)
    if own and not quiet:
        print(f"passed over, since tellapart wrote it: {', '.join(own)}", file=sys.stderr)
    if not quiet and (out is not None or tally.failed):
        where = f"; written to {out}" if out is not None else ""
        unknown = f", {tally.unknown:,} unknown" if tally.unknown else ""
        print(f"{counted(tally.total, 'picture')}, {tally.failed:,} unreadable{unknown}{where}", file=sys.stderr)
    return 2 if tally.failed == tally.total else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """What predicts: a model here, or a server."""

    answering: Answering[Any, Any]
    classes: tuple[str, ...]
    stream: Callable[[Iterator[PathItem | GivenItem]], Iterator[Any]]  # pictures -> answers


class Counted:
    """Counts the answers that pass, without keeping them."""

    def __init__(self, answers: Iterable[Any]) -> None:
        self._answers = answers
        self.total = self.failed = self.unknown = 0

    def __iter__(self) -> Iterator[Any]:
        for answer in self._answers:
            self.total += 1
            self.failed += bool(answer.error)
            self.unknown += bool(answer.unknown)
            yield answer


def _paths(
    arguments: tuple[str, ...],
    server: str | None,
    name: str | None,
    key_file: Path | None,
    *,
    listed: bool,
    quiet: bool,
) -> tuple[str, tuple[str, ...]]:
    """The model, "" with a server, and the pictures among the arguments. Raises: UsageError."""
    if server is None:
        if name is not None:
            raise click.UsageError(
                f"--model {name} names a model of a server, and no server is named. A model file stands before the pictures, "
                f"without --model: tellapart predict {shlex.quote(name)} PICTURE. Name a server with --server URL."
            )
        if key_file is not None:
            raise click.UsageError("--api-key-file is for a server. Name it with --server URL.")
        from tellapart.cli.asked import choose_model

        model, paths, unasked = choose_model(arguments, listed=listed)
        if unasked and not quiet:
            print(f"The model is that of {model}, the newest run here.", file=sys.stderr)
        return model, paths
    if not arguments and not listed:
        raise click.UsageError("Missing argument 'PATH...'. Name pictures for the server.")
    first = Path(arguments[0]) if arguments else Path()
    if first.suffix == ".onnx" or (first / "model.onnx").is_file():
        raise click.UsageError(f"{first} is a model, and with --server the server has it. Name pictures only.")
    return "", arguments


@contextlib.contextmanager
def _open(
    model: str, server: str | None, name: str | None, api_key_file: Path | None, allow_private: bool
) -> Iterator[Answerer]:
    if server is None:
        from tellapart.answers.predictor import load_predictor

        predictor = load_predictor(model)
        yield Answerer(
            answering=predictor.answering,
            classes=predictor.classes,
            stream=lambda found: predictor.stream(found, allow_private=allow_private),
        )
        return
    from tellapart.client.connection import read_key
    from tellapart.client.synchronous import Client

    key = None if api_key_file is None else read_key(api_key_file)
    with Client(server, api_key=key, model=name, retries=_RETRIES) as client:
        remote = client.model()
        yield Answerer(
            answering=remote.answering,
            classes=remote.classes,
            stream=lambda found: client.stream(found, remote, allow_private=allow_private),
        )


def _print_lines(lines: Iterable[str]) -> None:
    from tellapart.cli.console import discard_output

    try:
        for line in lines:
            sys.stdout.write(line)
        sys.stdout.flush()
    except BrokenPipeError:
        # click would exit with 1; a reader that has seen enough (`| head`) is no failure.
        discard_output()


def _write_lines(out: Path, lines: Iterable[str], tally: Counted) -> None:
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
