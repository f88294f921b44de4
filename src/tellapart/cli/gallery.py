"""`tellapart gallery RUN`. In: a run's folder. Out: gallery.npz beside its model. Next: workflows/gallery.py."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(
    "gallery",
    epilog="""\b
Examples:
  tellapart gallery runs/latest
  tellapart gallery runs/latest --count 500 --side 64
  tellapart gallery runs/latest --out models/cats/3/gallery.npz""",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--count", type=click.IntRange(1, 100_000), default=2000, show_default=True, help="At most so many pictures."
)
@click.option(
    "--pictures",
    metavar="FOLDER",
    help="Where the run's pictures lie now, if they were moved. A whole number is taken as --count, which it was once.",
)
@click.option("--side", type=click.IntRange(32, 512), default=96, show_default=True, help="Pixels of a small copy.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.  [default: beside model.onnx]"
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of the choice.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
@click.option("--quiet", is_flag=True, help="No progress and no warnings.")
def command(
    run: Path, count: int, pictures: str | None, side: int, out: Path | None, seed: int, as_json: bool, quiet: bool
) -> None:
    """Ship training pictures with the model of RUN, so that a server can show those nearest to what it is asked.

    Small copies go into gallery.npz beside model.onnx, spread over the classes. WHOEVER MAY ASK THE SERVER CAN SEE THEM: do
    this only with pictures that may be shown. `tellapart serve` finds the file when it opens the model; it fits that very
    model.onnx and no other.
    """
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require

    require("gallery", "train")
    from tellapart.workflows.gallery import make_gallery

    moved = None
    if pictures is not None and pictures.isascii() and pictures.isdigit() and not Path(pictures).exists():
        count = click.IntRange(1, 100_000)(pictures)
    elif pictures is not None:
        moved = Path(pictures)
    written = make_gallery(
        run, out=out, pictures=count, side=side, seed=seed, reporter=make_reporter(quiet=quiet), moved=moved
    )
    if as_json:
        record = {
            "gallery": str(written.path),
            "pictures": written.pictures,
            "of": written.of,
            "classes": written.classes,
            "bytes": written.size_bytes,
        }
        click.echo(json.dumps(record, ensure_ascii=False))
        return
    click.echo(
        f"{written.path}: {written.pictures:,} of {written.of:,} training pictures, "
        f"{written.classes:,} class{'' if written.classes == 1 else 'es'}, {written.size_bytes / 1e6:.1f} MB"
    )
    click.echo("Whoever may ask the server can see them. Restart a server that serves this model already.")
