"""`tellapart predict MODEL PATH...`. In: a model or a server, files. Out: one row a picture, files of boxes. Next: answerer.py."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.model_argument import model_path
from tellapart.cli.predict_outputs import FORMS, ROWS, OutputWriter, check_flags, make_writer, telling
from tellapart.cli.ray_option import RayCommand, ray_option
from tellapart.models.catalog import IMAGENET
from tellapart.reporter import counted

if TYPE_CHECKING:
    from tellapart.answers.given import GivenItem
    from tellapart.answers.items import PathItem
    from tellapart.cli.answerer import Answerer

_OF_IMAGENET = 5  # classes that are shown of its 1,000
NOTHING = {  # of texts or not
    False: "there is no picture in the paths given. Name picture files, or folders that hold some.",
    True: "there is no text in what is given. A table needs one row for each text below its header.",
}


@click.command(
    "predict",
    cls=RayCommand,
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
  tellapart predict --server http://127.0.0.1:8501 cat.jpg holiday/
  tellapart predict model.onnx 'shards/*.tar' --ray auto --out answers/      on a cluster, into parquet files
  tellapart predict imagenet:tf_efficientnet_lite0 cat.jpg      without any training: which of ImageNet's 1,000 classes

\b
With a model that finds boxes:
  tellapart predict boxes.onnx holiday/ --draw drawn/ --crops cut/
  tellapart predict boxes.onnx holiday/ --format coco --out labels/      to correct, and train on
  tellapart predict boxes.onnx a.jpg --threshold cat=0.5 --threshold dog=0.3

\b
With a model that makes masks:
  tellapart predict masks.onnx slides/ --masks masks/ --overlays seen/ --format csv --out areas.csv
  tellapart predict masks.onnx a.png --format jsonl --polygons

\b
With a model of texts:
  tellapart predict texts.onnx reviews.csv --format csv --out classes.csv
  echo "what a fine film" | tellapart predict texts.onnx -""",
)
@click.argument("arguments", nargs=-1, metavar="[MODEL] PATH...")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    help="How many classes a picture: 1 if not told, of a network that knows ImageNet's 5.",
)
@click.option(
    "--format",
    "layout",
    type=click.Choice([*ROWS, *FORMS]),
    default="table",
    show_default=True,
    help="What a row looks like; or boxes as Pascal VOC, COCO or YOLO have them, into the folder --out.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write to this file instead of the screen. Of voc, coco and yolo a folder: the pictures are copied into it, unless they "
    "lie in it already.",
)
@click.option("--draw", "drawn", type=click.Path(path_type=Path), metavar="FOLDER", help="Pictures with their boxes.")
@click.option(
    "--crops", type=click.Path(path_type=Path), metavar="FOLDER", help="What each box covers, a folder a class."
)
@click.option(
    "--masks",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The class of each pixel, as PNG files with a palette.",
)
@click.option("--overlays", type=click.Path(path_type=Path), metavar="FOLDER", help="Pictures under their masks.")
@click.option("--polygons", is_flag=True, help="With --format jsonl, the border of each connected part of a mask.")
@click.option(
    "--threshold",
    "thresholds",
    multiple=True,
    metavar="[CLASS=]NUMBER",
    help="Name a class, or tell a box, from this on, instead of the model's own threshold. One for all, or one for some classes.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option(
    "--list",
    "list_file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Also the pictures that this file names: a path or address a line, counted from here, or a table's column of paths, "
    "counted from the table's folder.",
)
@click.option("--text-column", metavar="NAME", help="With a model of texts: the column of a table that holds them.")
@click.option("--allow-private", is_flag=True, help="Fetch pictures from addresses that are not public, too.")
@click.option("--server", metavar="URL", help="Ask a `tellapart serve` instead of opening a model.")
@click.option("--model", "name", metavar="NAME", help="Which of the server's models, where it has several.")
@click.option("--api-key-file", type=click.Path(path_type=Path), help="Holds the key that the server asks for.")
@ray_option(
    "Let Ray answer, on this machine or on the cluster at ADDRESS (auto, HOST:PORT, ray://HOST:PORT), into parquet files in the "
    "folder --out; a killed call is gone on with by the same command."
)
@click.option("--quiet", is_flag=True, help="No summary on standard error.")
def command(arguments: tuple[str, ...], thresholds: tuple[str, ...], quiet: bool, **flags: Any) -> int:
    """Classify pictures, find boxes in them or tell each pixel's class: files, folders, archives, parquet files of pictures,
    globs, http(s) addresses, or - for standard input: a picture or a list of paths.

    MODEL is a model.onnx, a run's folder, or imagenet:NAME, a pretrained network with ImageNet's classes; without it the
    newest run here is taken, runs/latest. With --server there is none,
    and all that is named are pictures. A picture that cannot be read gets a row with the reason; the exit code is 2 only when no
    picture could be read.

    A picture unlike those trained on is unknown, whatever class comes out; a doubtful one shows all the classes that it
    may be, as `tellapart info` explains. A multilabel model names every class in the picture, one of boxes tells every box, one of
    masks the pixels and connected parts of every class; --top changes nothing then. With a model of texts PATH is a table with a
    column of them, a file that is one, a folder of such files, or -, where each line is one.
    """
    from tellapart.answers.thresholds import read_thresholds

    asked = read_thresholds(thresholds)
    check_flags(flags, thresholds, arguments)
    server, name, key_file = flags["server"], flags["name"], flags["api_key_file"]
    model, paths = _paths(arguments, server, name, key_file, listed=flags["list_file"] is not None, quiet=quiet)
    flags["top"] = flags["top"] or (_OF_IMAGENET if model.startswith(IMAGENET) else 1)
    from tellapart.cli.answerer import open_model_here, open_server

    private = flags["allow_private"]
    opened: AbstractContextManager[Answerer] = (
        open_model_here(str(model_path(model)), thresholds=asked, allow_private=private)
        if server is None
        else open_server(server, name=name, key_file=key_file, allow_private=private)
    )
    with opened as answerer:
        if flags["ray"] is not None:
            from tellapart.cli.predict_ray import predict_ray

            return predict_ray(answerer, model_path(model), paths, asked, flags, quiet=quiet)
        if answerer.note and not quiet:
            print(answerer.note, file=sys.stderr)
        return _predict(answerer, paths, flags, quiet=quiet)


def _predict(answerer: Answerer, paths: tuple[str, ...], flags: dict[str, Any], *, quiet: bool) -> int:
    """Answer, write, and say what was done; the exit code. Raises: DataError where there is nothing to answer; StorageError."""
    from tellapart.cli.asked import with_barren
    from tellapart.cli.rows import LAYOUTS
    from tellapart.errors import DataError

    own: list[str] = []
    notes: list[str] = []
    out, layout = flags["out"], flags["layout"]
    told, writer = telling(answerer, flags), make_writer(answerer, paths, flags)
    if writer is not None and writer.remark:
        notes.append(f"! {writer.remark}")
    finding = _found(paths, flags, own, notes, shown=not quiet and out is not None, of_texts=answerer.of_texts)
    with finding as (sources, advance):
        answers = (
            answerer.stream(sources)
            if writer is None
            else writer.stream(sources, answerer.stream, allow_private=flags["allow_private"])
        )
        if not answerer.of_texts:
            answers = with_barren(
                answers, paths, lambda why, path: told.unread(why, path=path, classes=answerer.classes)
            )
        tally = Counted(answers, advance)
        try:
            if layout in FORMS:
                for _ in tally:
                    pass
            else:
                top = min(flags["top"], len(answerer.classes))
                lines = LAYOUTS[layout](tally, told, answerer.classes, top)
                _print_lines(lines, for_program=layout != "table") if out is None else _write_lines(
                    out, lines, tally, force=flags["force"], of_texts=answerer.of_texts
                )
        except KeyboardInterrupt:
            if writer is not None and not quiet:
                print(f"\nstopped; {writer.summary()}", file=sys.stderr)
            raise
    if not quiet:
        for note in notes:
            print(note, file=sys.stderr)
    if tally.total == 0:
        raise DataError(NOTHING[answerer.of_texts])
    if not quiet:
        _tell(tally, writer, own, out if layout in ROWS else None, "text" if answerer.of_texts else "picture")
    return 2 if tally.failed == tally.total else 0


def _tell(tally: Counted, writer: OutputWriter | None, own: list[str], out: Path | None, item: str) -> None:
    if own:
        from tellapart.cli.rows import LINE_FEED

        names = ", ".join(own).replace("\n", LINE_FEED)
        print(f"passed over, since tellapart wrote it: {names}", file=sys.stderr)
    if out is not None or writer is not None or tally.failed:
        where = f"; written to {out}" if out is not None else ""
        unknown = f", {tally.unknown:,} unknown" if tally.unknown else ""
        print(f"{counted(tally.total, item)}, {tally.failed:,} unreadable{unknown}{where}", file=sys.stderr)
    if writer is not None:
        print(writer.summary(), file=sys.stderr)


class Counted:
    """Counts the answers that pass, without keeping them."""

    def __init__(self, answers: Iterable[Any], advance: Callable[[int], None] = lambda count: None) -> None:
        self._answers, self._advance = answers, advance
        self.total = self.failed = self.unknown = 0

    def __iter__(self) -> Iterator[Any]:
        for answer in self._answers:
            self.total += 1
            self.failed += bool(answer.error)
            self.unknown += bool(answer.unknown)
            self._advance(1)
            yield answer


@contextlib.contextmanager
def _found(
    paths: tuple[str, ...],
    flags: Mapping[str, Any],
    own: list[str],
    notes: list[str],
    *,
    shown: bool,
    of_texts: bool,
) -> Iterator[tuple[Iterator[PathItem | GivenItem], Callable[[int], None]]]:
    """The pictures, and what is told of each that is done; where it is `shown`, how many there are is found out first."""
    from tellapart.cli.asked import count_rows, items

    sources = items(paths, flags["list_file"], own, notes)
    if of_texts:
        from tellapart.cli.asked_texts import text_items

        sources = text_items(paths, flags["list_file"], flags["text_column"])
    if not shown:
        yield sources, lambda count: None
        return
    from tellapart.cli.console import make_reporter

    streamed = "-" in (*paths, str(flags["list_file"]))  # a list that may still grow
    listed = None if streamed else list(sources)
    total = None if listed is None else count_rows(listed)
    with make_reporter(quiet=False).step("Predicting", total) as advance:
        yield (sources if listed is None else iter(listed)), advance


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


def _print_lines(lines: Iterable[str], *, for_program: bool) -> None:
    from tellapart.cli.console import discard_output
    from tellapart.cli.speaking import plain_output

    try:
        output = plain_output(for_program=for_program)
        for line in lines:
            output.write(line)
        output.flush()
    except BrokenPipeError:
        # click would exit with 1; a reader that has seen enough (`| head`) is no failure.
        discard_output()


def _write_lines(out: Path, lines: Iterable[str], tally: Counted, *, force: bool, of_texts: bool) -> None:
    from tellapart.errors import DataError
    from tellapart.storage import check_free, replacing

    check_free(out, force=force)
    with replacing(out) as file:
        for line in lines:
            file.write(line.encode("utf-8", "surrogateescape"))
        if tally.total == 0:
            raise DataError(NOTHING[of_texts])
