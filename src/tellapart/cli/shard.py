"""`tellapart shard PICTURES --out FOLDER`. In: a data set. Out: tars or parquet files. Next: workflows/shard.py."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.reading import read_options, reading_options
from tellapart.cli.tasks import READ_TASKS, TASK_HELP
from tellapart.reporter import counted

if TYPE_CHECKING:
    from tellapart.bundle import TaskName

_SHOWN = 10
_UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "": 1}


class Size(click.ParamType[int]):
    """Bytes, such as 500MB or 1.5GB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Raises: click.BadParameter for what is none, or less than a megabyte."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]b|)", str(value).strip().lower())
        size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
        if size < 1_000_000:
            self.fail(f"{value!r} is no size of a shard; give a megabyte or more, such as 500MB.", param, ctx)
        return size


@click.command(
    "shard",
    epilog="""\b
Examples:
  tellapart shard cats_and_dogs/ --out shards/
  tellapart shard pictures.csv --out shards/ --size 1GB       with its splits and groups
  tellapart shard cats_and_dogs/ --out shards/ --format parquet
  tellapart train shards/""",
)
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="The shards' folder.")
@click.option("--size", type=Size(), default=500_000_000, metavar="SIZE", help="At most so large.  [default: 500MB]")
@click.option(
    "--format",
    "layout",
    type=click.Choice(["tar", "parquet"]),
    default="tar",
    show_default=True,
    help="Tars as webdataset has them, or tables as Hugging Face has them.",
)
@click.option("--task", type=click.Choice(READ_TASKS), help=TASK_HELP)
@reading_options
@click.option("--force", is_flag=True, help="Replace the folder if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
@click.option("--quiet", is_flag=True, help="No progress and no warnings.")
def command(
    pictures: Path,
    out: Path,
    size: int,
    layout: str,
    task: TaskName | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Pack PICTURES into shards with their labels, groups and given splits: few large files, which are read in order.

    No picture is changed. What cannot be read is left out and told. Stopped, the same command goes on behind the last whole shard;
    the same pictures always give the same shards.
    """
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require

    if layout == "parquet":
        require("shard", "tables")
    from tellapart.workflows.shard import write_shards

    options = read_options(flags | {"value_range": None}, task=task)
    written = write_shards(
        pictures,
        out,
        layout=layout,
        most_bytes=size,
        force=force,
        reporter=make_reporter(quiet=quiet),
        options=options,
    )
    if as_json:
        click.echo(json.dumps(written.as_json(), ensure_ascii=False))
        return
    total = sum(shard.bytes for shard in written.shards)
    pictures_and_shards = f"{counted(written.pictures, 'picture')} in {counted(len(written.shards), 'shard')}"
    click.echo(f"{out}: {pictures_and_shards}, {total / 1e6:,.1f} MB")
    for path, reason in written.left_out[:_SHOWN]:
        click.echo(f"! left out: {path}, {reason}")
    if len(written.left_out) > _SHOWN:
        click.echo(f"  ... and {len(written.left_out) - _SHOWN:,} more; --json lists all")
