"""`tellapart network NAME|RECIPE`. In: a network's name, a recipe or a run. Out: its layers, a diagram. Next: models.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tellapart.workflows.network import LaidOut

_BYTES = 4  # of a number
_NAME, _SHAPE = 46, 26  # characters, least width of the first column, and of the second


@click.command(
    "network",
    epilog="""\b
Examples:
  tellapart network VGG16 --set network.pooling=average --classes 5
  tellapart network imagenet:mobilenetv2_100                     with ImageNet's classes
  tellapart network recipes/alexnet_227.toml --classes 10 --diagram alexnet.svg
  tellapart network runs/latest""",
)
@click.argument("network", metavar="NAME|RECIPE|RUN|imagenet:NAME")
@click.option(
    "--classes",
    type=click.IntRange(2, 100_000),
    help="How many classes it tells apart.  [default: a finished RUN's own, of imagenet:NAME 1,000, else 2]",
)
@click.option(
    "--set", "lines", multiple=True, metavar="KEY=VALUE", help="A line of the recipe, such as network.size=160."
)
@click.option("--diagram", type=click.Path(path_type=Path), help="Draw it into this .png or .svg file, a box a block.")
@click.option("--force", is_flag=True, help="Replace that file if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def command(
    network: str, classes: int | None, lines: tuple[str, ...], diagram: Path | None, force: bool, as_json: bool
) -> None:
    """Show a network before it is trained: each layer, what it gives, how many parameters it has.

    The columns and the count are those of Keras' model.summary. No weights are asked for.
    """
    from tellapart.cli.extras import require
    from tellapart.settings.reading import merge, parse_assignment

    changes: dict[str, Any] = {}
    for line in lines:
        changes = merge(changes, parse_assignment(line))
    if diagram is not None and diagram.exists() and not force:
        from tellapart.errors import StorageError

        raise StorageError(f"{diagram} exists already. Choose another name, or give --force to replace it.")
    require("network", "train")
    from tellapart.cli.console import make_reporter
    from tellapart.cli.sheets import said_of_sheets, said_on_sheets
    from tellapart.workflows.network import draw, lay_out

    found = lay_out(network, classes=classes, changes=changes)
    if diagram is not None:
        draw(
            found,
            diagram,
            said_of_sheets if diagram.suffix.lower() == ".svg" else said_on_sheets(make_reporter(quiet=False)),
        )
    if as_json:
        click.echo(json.dumps(found.as_json() | {"diagram": None if diagram is None else str(diagram)}, indent=2))
        return
    for line in _told(found):
        click.echo(line)
    if diagram is not None:
        click.echo(f"diagram: {diagram}")


def _told(found: LaidOut) -> list[str]:
    from tellapart.models.summary import told_shape

    # Whole names, since --unfreeze and `explain --features` take them.
    names = [f"{row.name} ({f'{row.kind} {row.detail}'.strip()})" for row in found.rows]
    width = max(_NAME, *map(len, names))
    lines = [
        f"{found.name}, pictures of {found.size} x {found.size} pixels, {found.classes} classes",
        f"{'Layer (type)':<{width}} {'Output Shape':<{_SHAPE}} {'Param #':>12}",
        "=" * (width + _SHAPE + 14),
    ]
    for name, row in zip(names, found.rows, strict=True):
        lines.append(f"{name:<{width}} {told_shape(row.shape):<{_SHAPE}} {row.parameters:>12,}")
    lines += [
        "=" * (width + _SHAPE + 14),
        f"Total params: {found.parameters:,} ({found.parameters * _BYTES / 2**20:.2f} MB)",
        f"Trainable params: {found.trained:,}",
        f"Non-trainable params: {found.parameters - found.trained:,}",
    ]
    return lines
